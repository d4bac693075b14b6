"""The digits model as a TorchServe handler: an image in, the three likeliest digits out."""

import base64
import io

import numpy
import torch
from PIL import Image

from ts.torch_handler.base_handler import BaseHandler


class DigitsHandler(BaseHandler):
    top = 3

    def preprocess(self, data):
        return torch.stack([self.image_of(row) for row in data]).to(self.device)

    def image_of(self, row):
        body = row.get("data") or row.get("body")
        if isinstance(body, str):
            body = base64.b64decode(body)
        image = Image.open(io.BytesIO(body)).convert("L").resize((28, 28))
        return torch.from_numpy(numpy.asarray(image, dtype=numpy.float32) / 255).unsqueeze(0)

    def postprocess(self, data):
        probabilities = torch.softmax(data, dim=1)
        values, classes = probabilities.topk(self.top, dim=1)
        return [
            {self.mapping[str(label)]: value for label, value in zip(labels, row)}
            for labels, row in zip(classes.tolist(), values.tolist())
        ]
