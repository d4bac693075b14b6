"""A segmentation network of random weights, and the class map that PyTorch alone gives for a picture of shapes."""

import made
import made_pictures
import torch
from model import SceneNet

from ts.torch_handler.image_segmenter import ImageSegmenter

net = SceneNet().eval()
torch.save(net.state_dict(), made.FOLDER / "weights.pth")
scene = made_pictures.shapes((280, 280))
made_pictures.save(made.FOLDER, scene=scene)

with torch.inference_mode():
    probabilities = net(ImageSegmenter.image_processing(made_pictures.reread(scene))[None])["out"][0].softmax(0)
best = probabilities.max(0)
made.json_file(
    "expected.json",
    {
        "classes": best.indices.tolist(),
        "total_probability": best.values.double().sum().item(),
        "kinds": sorted(set(best.indices.flatten().tolist())),
    },
)
