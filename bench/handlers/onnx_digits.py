"""The digits classifier as a TorchServe user would serve an ONNX file: in a handler, one thread per worker, batched."""

import os

import numpy
import onnxruntime


class DigitsHandler:
    def __init__(self):
        self.session = None

    def initialize(self, context):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = os.path.join(context.system_properties["model_dir"], "digits.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def handle(self, data, context):
        rows = [row.get("body") or row.get("data") for row in data]
        rows = [
            numpy.frombuffer(row, dtype=numpy.float32) if isinstance(row, (bytes, bytearray)) else row["image"]
            for row in rows
        ]
        images = numpy.asarray(rows, dtype=numpy.float32).reshape(-1, 1, 28, 28)
        (logits,) = self.session.run(None, {"image": images})
        return logits.tolist()
