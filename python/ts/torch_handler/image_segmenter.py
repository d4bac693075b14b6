"""Says for each pixel of a picture what it belongs to."""

import torch

from ts.torch_handler.imagenet_processing import imagenet_processing
from ts.torch_handler.vision_handler import VisionHandler


class ImageSegmenter(VisionHandler):
    """Answers with height x width x 2 numbers: a pixel's likeliest class and the probability of that class."""

    image_processing = imagenet_processing()

    def postprocess(self, data):
        """The likeliest class only: the probabilities of all classes would make an answer of tens of megabytes."""
        best = torch.nn.functional.softmax(data["out"], dim=1).max(dim=1)
        return torch.stack([best.indices.type(best.values.dtype), best.values], dim=3).tolist()
