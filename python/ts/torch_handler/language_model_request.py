"""The one JSON request that a language model's handler is called with."""

import json

from ts.utils.util import PredictionException


def json_request(data: list) -> dict:
    """The object in `data` or `body` of the only request, however it was sent; PredictionException 400 for anything
    else.
    """
    assert len(data) == 1, "Expecting batch_size = 1"
    value = data[0].get("data") or data[0].get("body")
    if isinstance(value, (bytes, bytearray, str)):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise PredictionException(f"The body is no JSON: {error}", 400) from error
    if not isinstance(value, dict):
        raise PredictionException("The body is no JSON object", 400)
    return value
