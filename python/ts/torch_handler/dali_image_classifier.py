"""Says what is in a picture; NVIDIA DALI decodes it."""

from ts.torch_handler.dali_handler import DALIHandler
from ts.torch_handler.top_classes import TopClasses


class DALIImageClassifier(TopClasses, DALIHandler):
    """Answers as the image classifier does."""
