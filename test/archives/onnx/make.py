"""A graph of one product and a softmax over [N, 3], and what PyTorch says of the same rows."""

import made
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

ROWS = [[1.0, 2.0, 3.0], [-1.0, 0.5, 0.25]]

weights = torch.randn(3, 4)
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["row", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ],
    "scores",
    [helper.make_tensor_value_info("row", TensorProto.FLOAT, ["n", 3])],
    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])],
    [numpy_helper.from_array(weights.numpy(), "weights")],
)
onnx.save(
    helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
    str(made.FOLDER / "scores.onnx"),
)
made.json_file(
    "expected.json", {"rows": ROWS, "scores": [(torch.tensor(row) @ weights).softmax(0).tolist() for row in ROWS]}
)
