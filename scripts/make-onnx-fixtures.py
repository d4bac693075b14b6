"""Makes the small ONNX models in test/fixtures/onnx with the test environment's Python.

Every file is the same from run to run: weights come from a seeded generator, nothing is stamped with a time.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

FOLDER = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "onnx"
F32 = TensorProto.FLOAT
I64 = TensorProto.INT64

IDENTITY_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}


def value(name, dims, kind=F32):
    return helper.make_tensor_value_info(name, kind, dims)


def save(name, nodes, inputs, outputs, weights=None):
    initializers = [numpy_helper.from_array(array, key) for key, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, producer_name="sconce-fixtures", opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    checker.check_model(model, full_check=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def digits(random):
    """A small convolutional digit classifier with untrained weights: the shape of a real one, for figures."""
    weights = {
        "w1": random.normal(0, 0.3, (8, 1, 3, 3)).astype(np.float32),
        "w2": random.normal(0, 0.1, (16, 8, 3, 3)).astype(np.float32),
        "w3": random.normal(0, 0.1, (784, 24)).astype(np.float32),
        "b3": random.normal(0, 0.1, (24,)).astype(np.float32),
        "w4": random.normal(0, 0.3, (24, 10)).astype(np.float32),
        "b4": random.normal(0, 0.1, (10,)).astype(np.float32),
    }
    make = helper.make_node
    nodes = [
        make("Conv", ["image", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        make("Relu", ["c1"], ["r1"]),
        make("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["p1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        make("Relu", ["c2"], ["r2"]),
        make("MaxPool", ["r2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Flatten", ["p2"], ["f"]),
        make("Gemm", ["f", "w3", "b3"], ["g1"]),
        make("Relu", ["g1"], ["r3"]),
        make("Gemm", ["r3", "w4", "b4"], ["logits"]),
    ]
    save("digits", nodes, [value("image", ["N", 1, 28, 28])], [value("logits", ["N", 10])], weights)


def slow(random):
    """Takes some hundred milliseconds a run: a loop of matrix products. `x` comes back unchanged."""
    # A rotation keeps the products from shrinking: numbers near 0 take a hundred times as long on some processors.
    rotation, _ = np.linalg.qr(random.normal(0, 1, (96, 96)))
    make = helper.make_node
    body = helper.make_graph(
        [make("Identity", ["cond_in"], ["cond_out"]), make("MatMul", ["m_in", "w"], ["m_out"])],
        "body",
        [value("i", [], I64), value("cond_in", [], TensorProto.BOOL), value("m_in", [96, 96])],
        [value("cond_out", [], TensorProto.BOOL), value("m_out", [96, 96])],
    )
    weights = {
        "w": rotation.astype(np.float32),
        "count": np.array(40000, dtype=np.int64),
        "true": np.array(True),
        "zero": np.array(0, dtype=np.float32),
    }
    nodes = [
        make("Loop", ["count", "true", "w"], ["m"], body=body),
        make("ReduceSum", ["m"], ["s"], keepdims=0),
        make("Mul", ["s", "zero"], ["nothing"]),
        make("IsNaN", ["nothing"], ["overflowed"]),
        make("Where", ["overflowed", "zero", "nothing"], ["z"]),
        make("Add", ["x", "z"], ["y"]),
    ]
    save("slow", nodes, [value("x", ["N", 2])], [value("y", ["N", 2])], weights)


def main():
    random = np.random.default_rng(7)
    make = helper.make_node
    digits(random)
    slow(random)
    two = {"two": np.array(2, dtype=np.float32)}
    save("double", [make("Mul", ["x", "two"], ["y"])], [value("x", ["N", 3])], [value("y", ["N", 3])], two)
    save("double-one-row", [make("Mul", ["x", "two"], ["y"])], [value("x", [1, 2, 2])], [value("y", [1, 2, 2])], two)
    save(
        "sum-and-product",
        [make("Add", ["a", "b"], ["sum"]), make("Mul", ["a", "b"], ["product"])],
        [value("a", ["N", 2]), value("b", ["N", 2])],
        [value("sum", ["N", 2]), value("product", ["N", 2])],
    )
    save(
        "column-mean",
        [make("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=0)],
        [value("x", ["N", 3])],
        [value("mean", [3])],
    )
    # Keeps the rows above 0: the answer's first axis is free, but is not the batch.
    save(
        "positive-rows",
        [
            make("Greater", ["x", "zero"], ["keep"]),
            make("Compress", ["x", "keep"], ["kept"], axis=0),
        ],
        [value("x", ["N"])],
        [value("kept", ["M"])],
        {"zero": np.array(0, dtype=np.float32)},
    )
    table = np.arange(30, dtype=np.float32).reshape(10, 3)
    save(
        "embedding",
        [make("Gather", ["table", "ids"], ["vectors"])],
        [value("ids", ["batch", "length"], I64)],
        [value("vectors", ["batch", "length", 3])],
        {"table": table},
    )
    # The mean of each colour channel: a picture of one colour has an answer known beforehand.
    save(
        "colour",
        [make("GlobalAveragePool", ["picture"], ["pooled"]), make("Flatten", ["pooled"], ["channels"])],
        [value("picture", ["N", 3, 8, 8])],
        [value("channels", ["N", 3])],
    )
    save(
        "picture",
        [make("Identity", ["picture"], ["same"])],
        [value("picture", ["N", 3, "h", "w"])],
        [value("same", ["N", 3, "h", "w"])],
    )
    for name, kind in IDENTITY_TYPES.items():
        save(
            f"identity-{name}",
            [make("Identity", ["x"], ["y"])],
            [value("x", ["N", 2], kind)],
            [value("y", ["N", 2], kind)],
        )


if __name__ == "__main__":
    main()
