"""Finds things in a picture."""

from torchvision import transforms

from ts.torch_handler.vision_handler import VisionHandler
from ts.utils.util import map_class_to_label


class ObjectDetector(VisionHandler):
    """Answers with `{label: [x1, y1, x2, y2], "score": probability}` per thing found. Pictures of one batch must have
    one size.
    """

    image_processing = transforms.Compose([transforms.ToTensor()])
    threshold = 0.5

    def postprocess(self, data):
        """The finds whose score reaches `threshold`, in the model's order."""
        return [self._finds(picture) for picture in data]

    def _finds(self, picture) -> list:
        kept = picture["scores"] >= self.threshold
        boxes, classes, scores = (picture[key][kept].tolist() for key in ("boxes", "labels", "scores"))
        return [
            {**map_class_to_label([[box]], self.mapping, [[cls]])[0], "score": score}
            for box, cls, score in zip(boxes, classes, scores)
        ]
