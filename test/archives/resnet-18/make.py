"""A ResNet-18 of random weights with a thousand labels, and what PyTorch alone says of two pictures."""

import made
import made_pictures
import torch
from model import Pictures

from ts.torch_handler.image_classifier import ImageClassifier

net = Pictures().eval()
torch.save(net.state_dict(), made.FOLDER / "weights.pth")
names = {str(index): [f"n{index:08d}", f"thing {index}"] for index in range(1000)}
made.json_file("index_to_name.json", names)

wide = made_pictures.shapes((320, 260))
tall = made_pictures.shapes((260, 400), "#f0f0f0", "#c02020", "#20a040")
made_pictures.save(made.FOLDER, wide=wide, tall=tall, transparent=wide.convert("RGBA"))


def best_five(picture) -> dict:
    with torch.inference_mode():
        logits = net(ImageClassifier.image_processing(made_pictures.reread(picture))[None])
    best = logits.softmax(1).topk(5)
    return {
        names[str(index)][1]: probability
        for probability, index in zip(best.values[0].tolist(), best.indices[0].tolist())
    }


made.json_file("expected.json", {"wide": best_five(wide), "tall": best_five(tall)})
