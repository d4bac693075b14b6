"""Makes the weights of the starters in templates/: model.pt by the Python one's own train.py, model.onnx from it."""

import pathlib
import runpy
import sys

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

TEMPLATES = pathlib.Path(__file__).parent.parent / "templates"


def onnx_of(state) -> onnx.ModelProto:
    """The network of templates/python/model.py: point [N, 2] to logits [N, 4]."""
    weights = [
        numpy_helper.from_array(numpy.ascontiguousarray(state[key].numpy()), key.replace("layers.", "layer_"))
        for key in ("layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias")
    ]
    names = [weight.name for weight in weights]
    nodes = [
        helper.make_node("Gemm", ["point", *names[:2]], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", *names[2:]], ["logits"], transB=1),
    ]
    inputs = [helper.make_tensor_value_info("point", TensorProto.FLOAT, ["batch", 2])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])]
    graph = helper.make_graph(nodes, "points", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="sconce")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def main() -> None:
    sys.path.insert(0, str(TEMPLATES / "python"))
    sys.dont_write_bytecode = True
    runpy.run_path(str(TEMPLATES / "python" / "train.py"), run_name="__main__")
    model = onnx_of(torch.load(TEMPLATES / "python" / "model.pt"))
    for kind in ("typescript", "onnx"):
        onnx.save(model, TEMPLATES / kind / "model.onnx")


if __name__ == "__main__":
    main()
