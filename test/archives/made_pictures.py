"""Pictures for the makers, of plain shapes, the same on every machine."""

import io
import pathlib

from PIL import Image, ImageDraw


def shapes(size, background="#203040", circle="#e0c040", square="#4080c0") -> Image.Image:
    width, height = size
    picture = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(picture)
    draw.ellipse([width // 10, height // 10, width // 2, height // 2], fill=circle)
    draw.rectangle([width // 2, height // 2, width * 9 // 10, height * 9 // 10], fill=square)
    return picture


def save(folder: pathlib.Path, **pictures: Image.Image) -> None:
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")


def reread(picture: Image.Image) -> Image.Image:
    """The picture as a server sees it, decoded from its PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return Image.open(buffer)
