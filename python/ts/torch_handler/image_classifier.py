"""Says what is in a picture."""

from ts.torch_handler.imagenet_processing import imagenet_processing
from ts.torch_handler.top_classes import TopClasses
from ts.torch_handler.vision_handler import VisionHandler


class ImageClassifier(TopClasses, VisionHandler):
    """Answers with the `topk` likeliest classes and their probabilities, likeliest first."""

    image_processing = imagenet_processing()
