"""Old handler of one tensor in, one tensor out, both as `torch.save` writes them."""

import io
import logging
import os
import time

import torch

from ts.handler_utils.timer import add_handler_time
from ts.torch_handler.base_handler import BaseHandler

logger = logging.getLogger(__name__)


class DenseNetHandler(BaseHandler):
    """Loads TorchScript, or a model file with its state. Answers one request at a time: its batch size is to be 1."""

    def initialize(self, context):
        """Loads the model; RuntimeError without its file. Neither compiles it nor reads labels."""
        properties = context.system_properties
        gpu_id = properties.get("gpu_id")
        self.map_location = "cuda" if gpu_id is not None and torch.cuda.is_available() else "cpu"
        self.device = torch.device(f"cuda:{gpu_id}" if self.map_location == "cuda" else "cpu")
        self.manifest = context.manifest
        model_dir = properties.get("model_dir")
        self.model_pt_path = os.path.join(model_dir, self.manifest["model"]["serializedFile"])
        if not os.path.isfile(self.model_pt_path):
            raise RuntimeError("Missing the model.pt file")

        model_file = self.manifest["model"].get("modelFile")
        if model_file:
            self.model = self._load_pickled_model(model_dir, model_file, self.model_pt_path)
        else:
            self.model = self._load_torchscript_model(self.model_pt_path)
        self.model.to(self.device)
        self.model.eval()
        logger.debug("Model file %s loaded successfully", self.model_pt_path)
        self.initialized = True

    def inference(self, data, *args, **kwargs):
        """What the model gives for the tensor, without gradients."""
        with torch.no_grad():
            return self.model(data.to(self.device), *args, **kwargs)

    def handle(self, data, context):
        """One tensor for the stacked tensors of all requests."""
        started = time.perf_counter()
        self.context = context
        # Said outright: an operator's TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is about his weights, not about his clients.
        tensors = [torch.load(io.BytesIO(row.get("data") or row.get("body")), weights_only=True) for row in data]
        output = self.inference(torch.stack(tensors))
        add_handler_time(context, started)
        return [output]
