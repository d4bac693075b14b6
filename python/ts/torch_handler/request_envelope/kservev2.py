"""KServe's v2 protocol (Open Inference): named inputs with shape and datatype in, named outputs out."""

import json

from ts.torch_handler.request_envelope.row_by_row import RowByRowEnvelope, request_body
from ts.torch_handler.request_envelope.tensor_json import DATATYPES, flat_output, shaped

_STATE = ("input_names", "input_request_id")


class KServev2Envelope(RowByRowEnvelope):
    """The handler gets a request's list of inputs, their data nested as their shape says; each item of its results is
    one output under the name of the input in the same place.
    """

    def parse_input(self, data):
        for name in _STATE:
            self.context.__dict__.pop(name, None)
        body = request_body(data[0])
        if isinstance(body, (bytes, bytearray, str)):
            body = json.loads(body)
        inputs = [_parsed(tensor) for tensor in body["inputs"]]
        self.context.input_names = [tensor["name"] for tensor in inputs]
        request_id = body.get("id")
        if request_id and request_id.strip():
            self.context.input_request_id = request_id
        return inputs

    def format_output(self, data):
        context = self.context
        names = context.__dict__.pop("input_names", [])
        request_id = context.__dict__.pop("input_request_id", None)
        model = context.manifest.get("model")
        return [
            {
                "id": context.get_request_id(0) if request_id is None else request_id,
                "model_name": model.get("modelName"),
                "model_version": model.get("modelVersion"),
                "outputs": [
                    _output(names[index] if index < len(names) else f"output-{index}", item)
                    for index, item in enumerate(data)
                ],
            }
        ]


def _parsed(tensor: dict) -> dict:
    datatype = tensor["datatype"]
    if datatype not in DATATYPES:
        raise ValueError(f"Unknown datatype {datatype!r} of input {tensor['name']!r}")
    data = tensor["data"][0] if datatype == "BYTES" else shaped(tensor["data"], tensor["shape"])
    return {**tensor, "data": data}


def _output(name: str, item) -> dict:
    datatype, values = flat_output(item)
    return {"name": name, "datatype": datatype, "data": values, "shape": [len(values)]}
