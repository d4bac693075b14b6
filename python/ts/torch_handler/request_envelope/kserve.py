"""KServe's v1 protocol: {"instances": …} in, {"predictions": …} or {"explanations": …} out."""

import json

from ts.torch_handler.request_envelope.row_by_row import RowByRowEnvelope, request_body


class KServeEnvelope(RowByRowEnvelope):
    """The handler gets a request's instances; its results are the request's predictions."""

    def parse_input(self, data):
        body = request_body(data[0])
        if isinstance(body, (bytes, bytearray, str)):
            body = json.loads(body)
        return body.get("instances")

    def format_output(self, data):
        return [{"explanations" if self._is_explain() else "predictions": data}]
