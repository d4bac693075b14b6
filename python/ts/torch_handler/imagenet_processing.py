"""The image processing that models trained on ImageNet expect."""

from torchvision import transforms

from ts.torch_handler.imagenet_statistics import CROP_PIXELS, MEAN, RESIZE_PIXELS, STANDARD_DEVIATION


def imagenet_processing():
    """Scales the short side to 256, cuts out the middle 224 x 224, and normalises each colour."""
    return transforms.Compose(
        [
            transforms.Resize(RESIZE_PIXELS),
            transforms.CenterCrop(CROP_PIXELS),
            transforms.ToTensor(),
            transforms.Normalize(mean=MEAN, std=STANDARD_DEVIATION),
        ]
    )
