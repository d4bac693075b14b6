"""TensorFlow Serving's row format: {"instances": […]} in, {"predictions": […]} out."""

import json
from base64 import b64decode
from itertools import chain

from ts.torch_handler.request_envelope.base import BaseEnvelope


class JSONEnvelope(BaseEnvelope):
    """The handler gets the instances of all requests as one list; its results are cut back per request."""

    _lengths = ()

    def handle(self, data, context):
        if not data:
            return super().handle(data, context)
        self.context = context
        batch = self.parse_input(data)
        lengths = self._lengths
        if not batch:
            return self.format_output([])
        results = self._handle_fn(batch, context)
        if hasattr(results, "__await__"):
            return self._cut_later(results, lengths)
        return self.format_output(results) if results else results

    async def _cut_later(self, awaitable, lengths):
        results = await awaitable
        self._lengths = lengths
        return self.format_output(results) if results else results

    def parse_input(self, data):
        instances = [_instances_of(row) for row in data]
        self._lengths = [len(part) for part in instances]
        return list(chain.from_iterable(instances))

    def format_output(self, data):
        answers = []
        start = 0
        for length in self._lengths:
            answers.append(json.dumps({"predictions": data[start : start + length]}))
            start += length
        return answers


def _instances_of(row: dict) -> list:
    body = row.get("data") or row.get("body") or row
    if isinstance(body, (str, bytes, bytearray)):
        body = json.loads(body)
    instances = body["instances"]
    if instances and isinstance(instances[0], dict):
        return [_decoded(instance) for instance in instances]
    return instances


def _decoded(instance):
    if not isinstance(instance, dict):
        return instance
    if _is_base64(instance):
        return b64decode(instance["b64"])
    return {name: b64decode(value["b64"]) if _is_base64(value) else value for name, value in instance.items()}


def _is_base64(value) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"]
