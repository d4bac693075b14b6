import torch

from ts.torch_handler.base_handler import BaseHandler


class PointHandler(BaseHandler):
    """Rows of three numbers in, rows of two out, by a library compiled ahead of time."""

    def preprocess(self, data):
        return torch.tensor([row["body"]["point"] for row in data], device=self.device)

    def postprocess(self, data):
        return [{"value": value} for value in data.tolist()]
