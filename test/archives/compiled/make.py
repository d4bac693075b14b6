"""A small network of random weights, and what it says uncompiled."""

import made
import torch
from model import Curve

POINTS = [[0.25, -1.0, 2.0], [3.0, 0.5, -0.125]]

net = Curve().eval()
torch.save(net.state_dict(), made.FOLDER / "weights.pt")
with torch.inference_mode():
    made.json_file(
        "expected.json", {"points": POINTS, "values": [net(torch.tensor([point]))[0].tolist() for point in POINTS]}
    )
