"""BaseHandler with the least of its own: any input is an image of ones."""

import torch

from ts.torch_handler.base_handler import BaseHandler


class Handler(BaseHandler):
    def preprocess(self, data):
        return torch.ones(len(data), 784)
