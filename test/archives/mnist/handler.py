from torchvision import transforms

from ts.torch_handler.image_classifier import ImageClassifier


class DigitHandler(ImageClassifier):
    """Names the digit on a picture of 28 x 28; its describe answer names the digits that it knows."""

    image_processing = transforms.Compose(
        [transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize(0.13, 0.31)]
    )

    def postprocess(self, data):
        certainties = data.softmax(1).max(1).values
        return [
            {"digit": digit, "certainty": certainty}
            for digit, certainty in zip(data.argmax(1).tolist(), certainties.tolist())
        ]

    def describe_handle(self):
        return {"reads": "a picture of 28 x 28", "digits": list(range(10))}
