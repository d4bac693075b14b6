"""Serves a bare TorchScript file: numbers as JSON in, numbers as JSON out."""

import glob
import json
import logging
import os

import torch

from ts.torch_handler.base_handler import BaseHandler

logger = logging.getLogger(__name__)


class _Refused:
    """A request that gets an error of its own while the rest of its batch is served."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        self.status = status
        self.body = {"code": status, "type": error_type, "message": message}


class TensorHandler(BaseHandler):
    """A request's body is one sample as a nested list (or `{"inputs": sample}`), or `{"instances": [sample, …]}`.

    Samples become float32 tensors, int64 where all numbers are integers, and get the model's first dimension. Samples
    of one shape and type run together, across the requests of a batch; otherwise each request runs alone. The answer is
    the model's output for the sample as nested lists, or the list of these for instances; a tuple or a dict of tensors
    is answered likewise. A request whose body holds no tensor is answered 400.
    """

    def initialize(self, context):
        """As BaseHandler; without a manifest the model is the one `.pt` file of the model's folder."""
        if context.manifest is None:
            file_name = _only_torchscript_file(context.system_properties["model_dir"])
            context.manifest = {"model": {"serializedFile": file_name}}
        super().initialize(context)

    def preprocess(self, data):
        """Per request (its samples as one tensor, whether it sent several), or a refusal."""
        return [self._samples(row.get("body") if row.get("data") is None else row["data"]) for row in data]

    def inference(self, data, *args, **kwargs):
        """Per request (the model's output for its samples, whether it sent several), or a refusal."""
        outputs = list(data)
        runnable = [index for index, item in enumerate(data) if not isinstance(item, _Refused)]
        samples = [data[index][0] for index in runnable]
        if len({(tensor.shape[1:], tensor.dtype) for tensor in samples}) == 1:
            results = _cut(super().inference(torch.cat(samples)), [len(tensor) for tensor in samples])
        else:
            results = [self._alone(tensor) for tensor in samples]
        for index, result in zip(runnable, results):
            outputs[index] = result if isinstance(result, _Refused) else (result, data[index][1])
        return outputs

    def postprocess(self, data):
        """Per request what its answer says; sets the status of refused ones."""
        answers = []
        for index, item in enumerate(data):
            self.context.set_response_content_type(index, "application/json")
            if isinstance(item, _Refused):
                self.context.set_response_status(item.status, "", index)
                answers.append(item.body)
            else:
                output, has_several = item
                rows = _rows(output)
                answers.append(rows if has_several else rows[0])
        return answers

    def _samples(self, value):
        try:
            if isinstance(value, (bytes, bytearray, str)):
                value = json.loads(value)
            has_several = isinstance(value, dict) and "instances" in value
            if isinstance(value, dict):
                value = value.get("instances" if has_several else "inputs")
            if not isinstance(value, list if has_several else (list, int, float)):
                raise ValueError('send numbers as nested lists, {"inputs": …} or {"instances": […]}')
            tensor = torch.as_tensor(value, device=self.device)
            return (tensor if has_several else tensor.unsqueeze(0)), has_several
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            return _Refused(400, "BadRequestException", f"The body holds no tensor: {error}")

    def _alone(self, tensor):
        try:
            return super().inference(tensor)
        except MemoryError:
            raise
        except Exception as error:  # whatever a model raises; TorchScript's errors share no base class
            if "CUDA" in str(error):
                raise
            logger.warning("The model failed on a tensor of shape %s", list(tensor.shape), exc_info=True)
            return _Refused(503, "InternalServerException", "Prediction failed")


def _only_torchscript_file(model_dir: str) -> str:
    files = glob.glob(os.path.join(glob.escape(model_dir), "*.pt"))
    if len(files) != 1:
        raise RuntimeError(f"The model's folder holds {len(files)} .pt files; the manifest has to say which to serve")
    return os.path.basename(files[0])


def _cut(output, lengths: list) -> list:
    """The output for all samples, cut into pieces of so many samples."""
    if isinstance(output, torch.Tensor):
        return list(torch.split(output, lengths))
    if isinstance(output, dict):
        pieces = {name: _cut(value, lengths) for name, value in output.items()}
        return [{name: cut[index] for name, cut in pieces.items()} for index in range(len(lengths))]
    return [tuple(cut) for cut in zip(*(_cut(value, lengths) for value in output))]


def _rows(output) -> list:
    """One answer per sample."""
    if isinstance(output, torch.Tensor):
        return output.tolist()
    if isinstance(output, dict):
        columns = {name: _rows(value) for name, value in output.items()}
        return [dict(zip(columns, row)) for row in zip(*columns.values())]
    return [list(row) for row in zip(*map(_rows, output))]
