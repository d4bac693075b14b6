"""What the image handlers share: request bodies to one tensor, and explanations by integrated gradients."""

import base64
import io
from abc import ABC

import torch
from PIL import Image

from ts.handler_utils.timer import timed
from ts.torch_handler.base_handler import BaseHandler


class VisionHandler(BaseHandler, ABC):
    """Subclasses give `image_processing`, which turns a PIL image into a tensor."""

    _ig = None

    def initialize(self, context):
        super().initialize(context)
        if not context.system_properties.get("limit_max_image_pixels"):
            Image.MAX_IMAGE_PIXELS = None

    @property
    def ig(self):
        """Captum's IntegratedGradients of the model, made when it is first used; RuntimeError without captum."""
        if self._ig is None:
            try:
                from captum.attr import IntegratedGradients
            except ImportError as error:
                raise RuntimeError("Explanations need the package captum, which is not installed") from error
            self._ig = IntegratedGradients(self.model)
        return self._ig

    @ig.setter
    def ig(self, value) -> None:
        self._ig = value

    @timed
    def preprocess(self, data):
        """One tensor of all images: `data` or `body` of a request is an image's bytes, their base64, or its numbers."""
        return torch.stack([self._image_tensor(row.get("data") or row.get("body")) for row in data]).to(self.device)

    def _image_tensor(self, image):
        if isinstance(image, str):
            image = base64.b64decode(image)
        if isinstance(image, (bytearray, bytes)):
            return self.image_processing(Image.open(io.BytesIO(image)))
        return torch.FloatTensor(image)

    def get_insights(self, tensor_data, _, target=0):
        """How much each input value counts for `target`."""
        print("input shape", tensor_data.shape)
        return self.ig.attribute(tensor_data, target=target, n_steps=15).tolist()
