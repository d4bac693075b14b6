import torch

from ts.handler_utils.micro_batching import MicroBatching
from ts.torch_handler.base_handler import BaseHandler


class ScoreHandler(BaseHandler):
    """Scores lists of numbers, a micro-batch at a time; says how many were in each."""

    def __init__(self):
        super().__init__()
        self.handle = MicroBatching(self)

    def initialize(self, context):
        super().initialize(context)
        wish = self.model_yaml_config["micro_batching"]
        self.handle.micro_batch_size = wish["micro_batch_size"]
        self.handle.parallelism = wish["parallelism"]

    def preprocess(self, data):
        return torch.tensor([row["body"]["numbers"] for row in data], dtype=torch.float32)

    def inference(self, data, *args, **kwargs):
        if not isinstance(self.handle.get_micro_batch_idx(), int):
            raise RuntimeError("a step isn't told which micro-batch it runs")
        return super().inference(data)

    def postprocess(self, data):
        return [{"score": score, "together": len(data)} for (score,) in data.tolist()]
