"""Says what is in a picture."""

import torch

from ts.handler_utils.timer import timed
from ts.torch_handler.imagenet_processing import imagenet_processing
from ts.torch_handler.vision_handler import VisionHandler
from ts.utils.util import map_class_to_label


class ImageClassifier(VisionHandler):
    """Answers with the `topk` likeliest classes and their probabilities, likeliest first."""

    topk = 5
    image_processing = imagenet_processing()

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
