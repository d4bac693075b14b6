"""Base of handlers whose pictures NVIDIA DALI decodes and prepares. Needs the package nvidia-dali."""

from abc import ABC

import numpy
import torch

from ts.handler_utils.preprocess.dali import get_dali_pipeline
from ts.torch_handler.vision_handler import VisionHandler


class DALIHandler(VisionHandler, ABC):
    """Runs the pipeline of the model's yaml on `data` or `body` of each request: the bytes of a picture."""

    pipeline = None

    def initialize(self, context):
        """Loads the model and builds the pipeline."""
        super().initialize(context)
        self.pipeline = get_dali_pipeline(context)

    def preprocess(self, data):
        """One tensor of all pictures."""
        pictures = [row.get("data") or row.get("body") for row in data]
        source = [_array(picture) for picture in pictures]
        prepared = self.pipeline.run(source=source)[0]
        # Older releases have this for what lies on the GPU only.
        prepared = prepared.as_cpu() if hasattr(prepared, "as_cpu") else prepared
        return torch.stack([torch.tensor(prepared.at(index)) for index in range(len(source))]).to(self.device)


def _array(picture):
    if isinstance(picture, (bytes, bytearray)):
        return numpy.frombuffer(picture, dtype=numpy.uint8)
    return picture
