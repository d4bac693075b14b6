import numpy

from ts.torch_handler.base_handler import BaseHandler


class GraphHandler(BaseHandler):
    """Runs the ONNX session that BaseHandler loads."""

    def preprocess(self, data):
        return numpy.asarray([row["body"]["row"] for row in data], dtype=numpy.float32)

    def inference(self, data, *args, **kwargs):
        (scores,) = self.model.run(None, {self.model.get_inputs()[0].name: data})
        return scores

    def describe_handle(self):
        return ""

    def postprocess(self, data):
        return [
            {"scores": scores, "by": type(self.model).__name__, "providers": self.model.get_providers()}
            for scores in data.tolist()
        ]
