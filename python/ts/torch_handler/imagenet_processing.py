"""The image processing that models trained on ImageNet expect."""

from torchvision import transforms


def imagenet_processing():
    """Scales the short side to 256, cuts out the middle 224 x 224, and normalises each colour."""
    return transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
