from collections import OrderedDict

from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation.fcn import FCN, FCNHead


class SceneNet(FCN):
    """torchvision's FCN with a small backbone: three classes for every pixel."""

    def __init__(self):
        backbone = nn.Sequential(
            OrderedDict(
                fine=nn.Sequential(nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.ReLU()),
                coarse=nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
            )
        )
        super().__init__(IntermediateLayerGetter(backbone, {"coarse": "out"}), FCNHead(16, 3))
