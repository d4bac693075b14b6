"""The likeliest classes of a picture, which every image classifier answers with."""

import torch

from ts.handler_utils.timer import timed
from ts.utils.util import map_class_to_label


class TopClasses:
    """Goes in front of a handler: its `postprocess` answers with the `topk` likeliest classes, likeliest first."""

    topk = 5

    def set_max_result_classes(self, topk) -> None:
        self.topk = topk

    def get_max_result_classes(self) -> int:
        return self.topk

    @timed
    def postprocess(self, data):
        """{label: probability} per picture; fewer than `topk` where the model knows fewer classes."""
        probabilities = torch.nn.functional.softmax(data, dim=1)
        values, classes = torch.topk(probabilities, min(self.topk, probabilities.shape[1]), dim=1)
        return map_class_to_label(values.tolist(), self.mapping, classes.tolist())
