"""Says in which quadrant a point lies: {"point": [x, y]} in, {"label": "north-east", "score": 0.9987} out."""

import json
import math

import torch

from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import PredictionException


class Handler(BaseHandler):
    """The three steps of a prediction. Keep one class with a `handle` in this file (BaseHandler brings it).

    `initialize` is BaseHandler's too: it makes the class of model.py, loads the weights of model.pt into it, and reads
    index_to_name.json into `self.mapping`. Override it, and call `super().initialize(context)`, to load more.
    """

    def preprocess(self, data):
        """A list with a dict for each request of the batch; gives one tensor for all of them."""
        return torch.tensor([self.point_of(row) for row in data], dtype=torch.float32, device=self.device)

    def point_of(self, row):
        # A body is "body", the field of a form has its own name. application/json arrives parsed, all else as bytes.
        body = row.get("data") or row.get("body")
        if isinstance(body, (bytes, bytearray)):
            body = parsed(body)
        point = body.get("point") if isinstance(body, dict) else None
        if not isinstance(point, list) or len(point) != 2 or not all(is_number(value) for value in point):
            # This status and text reach the client, for every request of the batch. Any other exception is a plain
            # "Prediction failed" to the client, and its traceback stands in the model log.
            raise PredictionException('Send {"point": [x, y]} with two numbers.', 400)
        return point

    # inference(self, data) is BaseHandler's: self.model(data), without gradients.

    def postprocess(self, data):
        """The logits of the batch; gives a list with an answer for each request, in the same order."""
        scores, classes = torch.softmax(data, dim=1).max(dim=1)
        return [
            {"label": self.mapping[str(label)], "score": round(score, 4)}
            for label, score in zip(classes.tolist(), scores.tolist())
        ]


def parsed(body):
    try:
        return json.loads(body)
    except ValueError:
        return None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
