"""Handlers in the form of MXNet Model Server: one input, described by the archive's signature file."""

import ast
import json
import logging
import os
import time
from abc import abstractmethod


class ModelService:
    """Subclasses give `inference`. The manifest names the signature file under `Model`, `Signature`."""

    def __init__(self, model_name, model_dir, manifest, gpu=None):
        self.ctx = None
        self._context = None
        self._signature = None

    def initialize(self, context) -> None:
        """Reads the signature; raises ValueError when there is none."""
        self._context = context
        path = os.path.join(context.system_properties.get("model_dir"), context.manifest["Model"]["Signature"])
        if not os.path.isfile(path):
            raise ValueError("Signature file is not found.")
        with open(path, encoding="utf-8") as file:
            self._signature = json.load(file)

    @abstractmethod
    def inference(self, data):
        """What the model says of a list with the request's input."""

    @abstractmethod
    def ping(self):
        """What the service says of its health."""

    def signature(self):
        """The parsed signature file; None before `initialize`."""
        return self._signature

    def handle(self, data, context) -> list:
        """Runs `inference` on the input of request 0 that the signature names, else on its `body` or `data`."""
        row = data[0]
        candidates = (row.get(name) for name in (self._signature["inputs"][0]["data_name"], "body", "data"))
        value = next((candidate for candidate in candidates if candidate is not None), None)
        if self._signature["input_type"] == "application/json" and isinstance(value, (bytes, bytearray)):
            value = _parsed(value.decode("utf-8"))
        result = self.inference([value])
        return result if isinstance(result, list) else [result]


def _parsed(text: str):
    try:
        return json.loads(text)
    except ValueError:
        # Clients of such services send Python's spelling, too.
        return ast.literal_eval(text)


class SingleNodeService(ModelService):
    """A service of one model: subclasses give `_inference`, and `_preprocess` and `_postprocess` where needed."""

    def inference(self, data):
        """Runs the three steps and logs the time of each in milliseconds."""
        for name, step in (
            ("preprocess", self._preprocess),
            ("inference", self._inference),
            ("postprocess", self._postprocess),
        ):
            started = time.time()
            data = step(data)
            logging.info("%s time: %.2f", name, (time.time() - started) * 1000)
        return data

    @abstractmethod
    def _inference(self, data):
        return data

    def _preprocess(self, data):
        return data

    def _postprocess(self, data):
        return data
