from torch import nn


class DigitsNet(nn.Module):
    """Ten logits for each picture of [N, 1, 28, 28]."""

    def __init__(self):
        super().__init__()
        self.eyes = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()
        )
        self.verdict = nn.Linear(16 * 7 * 7, 10)

    def forward(self, pictures):
        return self.verdict(self.eyes(pictures).flatten(1))
