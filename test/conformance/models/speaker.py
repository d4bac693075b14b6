"""Tells what it was sent, or ends as the input `do` says, whatever the protocol that brought it."""

import json
import os

from ts.handler_utils.utils import send_intermediate_predict_response
from ts.utils.util import PredictionException

# Of the connection, not of the request.
UNTOLD = {"host"}


def handle(data, context):
    if data is None:
        return None
    if context.get_request_header(0, "describe"):
        return [{"speaks": context.manifest["model"]["modelVersion"]}]
    return [act(row, index, context) for index, row in enumerate(data)]


def act(row, index, context):
    do = word(row, "do", "tell")
    if do == "tell":
        return told(row, index, context)
    if do == "raise":
        raise ValueError("asked to")
    if do == "refuse":
        raise PredictionException("no such luck", int(word(row, "code", "500")))
    if do == "status":
        context.set_response_status(code=404, phrase="gone", idx=index)
        context.set_response_header(index, "X-Told", "yes")
        return "still here"
    if do == "stream":
        for number in range(int(word(row, "count", "2"))):
            send_intermediate_predict_response([f"{number},"], context.request_ids, "", 200, context)
            if number == int(word(row, "fail_after", "-1")):
                raise ValueError("asked to")
            if number == int(word(row, "die_after", "-1")):
                os._exit(3)
        return word(row, "last", "end")
    return word(row, "data", "")


def word(row, name, otherwise):
    body = row.get("body")
    value = row.get(name, body.get(name) if isinstance(body, dict) else None)
    if value is None:
        return otherwise
    return value if isinstance(value, str) else bytes(value).decode()


def told(row, index, context):
    headers = context.get_all_request_header(index)
    return json.dumps(
        {
            "version": context.manifest["model"]["modelVersion"],
            "values": {name: [type(value).__name__, plain(value)] for name, value in sorted(row.items())},
            "headers": {name: value for name, value in sorted(headers.items()) if name.lower() not in UNTOLD},
        }
    )


def plain(value):
    return bytes(value).hex() if isinstance(value, (bytes, bytearray)) else value
