"""What a batch's result becomes on its way to the worker: one entry of bytes, status and headers per request."""

import logging
import sys
import threading
from io import BytesIO
from typing import Callable, Optional

from ts.failure_text import failure_text, one_line
from ts.protocol.json_text import indented_json

logger = logging.getLogger(__name__)

STREAM_NEXT = "ts_stream_next"
PREDICTION_FAILED = "Prediction failed"
UNSUPPORTED_OUTPUT = "Unsupported model output data type."


class Entry:
    """One request's answer, or one part of it; `index` is the request's place in the batch, `body` is bytes-like."""

    __slots__ = ("body", "headers", "index", "phrase", "status")

    def __init__(self, index: int, status: int, phrase: str, headers: dict, body: bytes) -> None:
        self.index = index
        self.status = status
        self.phrase = phrase
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"Entry({self.index}, {self.status}, {self.phrase!r}, {self.headers!r}, {bytes(self.body[:40])!r})"


class PredictResult:
    """A whole batch's outcome. With a code other than 200 there are no entries: all requests get `message`.

    `detail` says what is behind a failure; it is for the handler's author, and not for other clients.
    """

    __slots__ = ("code", "detail", "entries", "message")

    def __init__(self, code: int, message: str, entries: list, detail: str = "") -> None:
        self.code = code
        self.message = message
        self.entries = entries
        self.detail = detail

    def __repr__(self) -> str:
        return f"PredictResult({self.code}, {self.message!r}, {self.entries!r})"


class UnsupportedOutputError(TypeError):
    """A handler returned an element that can't be written as bytes."""


class PartSocket:
    """What handlers see as `context.cl_socket`: takes intermediate results, from any thread, one at a time.

    A result that isn't 200 ends the stream: it is kept as `failure`, becomes the batch's outcome, and later parts
    are dropped.
    """

    __slots__ = ("_lock", "_send_parts", "failure")

    def __init__(self, send_parts: Optional[Callable[[list], object]]) -> None:
        self._send_parts = send_parts
        self._lock = threading.Lock()
        self.failure: Optional[PredictResult] = None

    def __deepcopy__(self, memo: dict) -> "PartSocket":
        return self

    def sendall(self, result: PredictResult) -> None:
        """Sends the parts of one `create_predict_response`; raises RuntimeError where nobody takes parts."""
        with self._lock:
            if self.failure is not None:
                return
            if result.code != 200:
                self.failure = result
                return
            if self._send_parts is None:
                raise RuntimeError("This request was not opened as a stream: intermediate results have no receiver.")
            self._send_parts(result.entries)


def create_predict_response(ret, req_id_map, message, code, context=None, ts_stream_next=False) -> PredictResult:
    """The result `ret` (one element per index of `req_id_map`) as a PredictResult; without `ret` a bare outcome.

    An element that can't be written turns the whole result into a 503. Errors of `context.stopping_criteria` escape.
    """
    if ret is None or code != 200:
        return PredictResult(code, message, [])
    try:
        entries = [_entry(index, ret[index], context, ts_stream_next, ret) for index in req_id_map]
    except UnsupportedOutputError as error:
        told = one_line(error.__cause__ or error)
        logger.warning("%s", failure_text("Unable to serialize model output.", told, req_id_map))
        return PredictResult(503, UNSUPPORTED_OUTPUT, [], told)
    return PredictResult(200, message, entries)


def _entry(index: int, value, context, ts_stream_next: bool, ret: list) -> Entry:
    if context is None:
        return Entry(index, 200, "", {}, encode_body(value))
    _mark_stream(index, context, ts_stream_next, ret)
    status, phrase = context.get_response_status(index)
    headers = context.get_response_headers(index)
    return Entry(
        index,
        200 if status is None else int(status),
        "" if phrase is None else str(phrase),
        {str(name): str(value) for name, value in headers.items()} if headers else {},
        encode_body(value),
    )


def _mark_stream(index: int, context, ts_stream_next: bool, ret: list) -> None:
    if ts_stream_next:
        context.set_response_header(index, STREAM_NEXT, "true")
    elif context.stopping_criteria:
        is_stop = context.stopping_criteria[index](ret[index])
        if is_stop is not None:
            context.set_response_header(index, STREAM_NEXT, "false" if is_stop else "true")
    elif context.get_response_headers(index).get(STREAM_NEXT) == "true":
        context.set_response_header(index, STREAM_NEXT, "false")


def encode_body(value):
    """One element as bytes: bytes as they are, text as UTF-8, a tensor by `torch.save`, all else as JSON.

    Raises UnsupportedOutputError for what none of these can write.
    """
    if isinstance(value, (bytes, bytearray)):
        return value
    try:
        if isinstance(value, str):
            return value.encode("utf-8")
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, getattr(torch, "Tensor", ())):
            return _saved_tensor(torch, value)
        return indented_json(value).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsupportedOutputError(str(error)) from error


def _saved_tensor(torch, tensor) -> bytes:
    buffer = BytesIO()
    torch.save(tensor, buffer)
    return buffer.getvalue()
