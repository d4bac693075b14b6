from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign


class ShapeFinder(FasterRCNN):
    """torchvision's Faster R-CNN, from anchors to region pooling, with a small backbone and two kinds of things."""

    def __init__(self):
        backbone = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()
        )
        backbone.out_channels = 16
        super().__init__(
            backbone,
            num_classes=3,
            min_size=96,
            max_size=96,
            rpn_anchor_generator=AnchorGenerator(((16, 32),), ((0.5, 1.0, 2.0),)),
            box_roi_pool=MultiScaleRoIAlign(["0"], output_size=4, sampling_ratio=2),
            rpn_post_nms_top_n_test=30,
            box_detections_per_img=6,
        )
