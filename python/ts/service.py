"""A loaded model: turns a batch of requests into the handler's arguments and its outcome into answers."""

import json
import logging
import os
import time
from typing import Callable, Optional

import ts
from ts.context import Context, RequestProcessor
from ts.failure_text import failure_text, request_lines, text_of, user_traceback
from ts.protocol.predict_response import (
    PREDICTION_FAILED,
    Entry,
    PartSocket,
    PredictResult,
    create_predict_response,
)
from ts.utils.util import PredictionException

__all__ = [
    "PREDICTION_METRIC",
    "Entry",
    "PredictResult",
    "PredictionException",
    "Service",
    "emit_metrics",
]

PREDICTION_METRIC = "PredictionTime"
logger = logging.getLogger(__name__)


class Service:
    """The entry point of a handler together with the one Context that lives as long as the worker."""

    def __init__(
        self,
        model_name,
        model_dir,
        manifest,
        entry_point,
        gpu,
        batch_size,
        limit_max_image_pixels=True,
        metrics_cache=None,
        model_yaml_config=None,
    ):
        self._entry_point = entry_point
        # Whether clients hear tracebacks: only where the client is the handler's author (`sconce dev`, `sconce run`).
        self.tells_tracebacks = False
        self._context = Context(
            model_name,
            model_dir,
            manifest,
            batch_size,
            gpu,
            ts.__version__,
            limit_max_image_pixels,
            metrics_cache,
            {} if model_yaml_config is None else model_yaml_config,
        )

    @property
    def context(self) -> Context:
        return self._context

    @property
    def entry_point(self) -> Callable:
        """What is called with (data, context); an envelope's if the server has one."""
        return self._entry_point

    def predict(
        self,
        batch: list,
        send_parts: Optional[Callable[[list], object]] = None,
        answer: Optional[Callable[[PredictResult], object]] = None,
        late: Optional[list] = None,
    ) -> PredictResult:
        """Runs the handler on a batch and gives its outcome; never raises an Exception.

        A request is `{"requestId": str, "headers": [(name, value)], "parameters": [(name, content type, bytes-like)]}`.
        `send_parts` takes the entries of intermediate results while the handler runs. `answer` takes the outcome before
        the time is printed, so that nobody waits for that line. `late` collects the times instead, for `record_late` to
        print together. What isn't an Exception (SystemExit, KeyboardInterrupt) escapes.
        """
        context = self._context
        data = open_batch(context, batch, send_parts)
        started = time.perf_counter()
        try:
            ret = self._entry_point(data, context)
        except Exception as error:
            result = self.told(failed_batch(error, context.request_ids))
            if answer is not None:
                answer(result)
            return result
        milliseconds = (time.perf_counter() - started) * 1000
        result = self.told(close_batch(context, ret, len(data)))
        if answer is not None:
            answer(result)
        if late is None:
            record_time(context, ret, len(data), milliseconds)
        elif isinstance(ret, list) and len(ret) == len(data):
            late.append((context.request_ids, milliseconds))
        return result

    def told(self, result: PredictResult) -> PredictResult:
        """The outcome as the client hears it: TorchServe's text, and what is behind it where tracebacks are told."""
        if not self.tells_tracebacks or not result.detail:
            return result
        return PredictResult(result.code, f"{result.message}\n{result.detail}", [])

    def record_late(self, late: list) -> None:
        """Prints the times that `predict` collected, each with the request ids of its batch, and empties the list."""
        metrics = self._context.metrics
        current = getattr(metrics, "request_ids", None)
        for request_ids, milliseconds in late:
            if metrics is not None:
                metrics.request_ids = request_ids
            record_time(self._context, [None], 1, milliseconds)
        if metrics is not None:
            metrics.request_ids = current
        late.clear()


def open_batch(context: Context, batch: list, send_parts: Optional[Callable[[list], object]]) -> list:
    """Gives the handler's `data` for a batch, and makes the context that of this batch."""
    is_decoding = os.environ.get("TS_DECODE_INPUT_REQUEST", "true") == "true"
    request_ids = {}
    processors = []
    data = []
    for index, request in enumerate(batch):
        inputs = {}
        headers = {}
        for name, content_type, raw in request["parameters"]:
            inputs[name] = _input_value(content_type, raw) if is_decoding and content_type else _as_bytearray(raw)
            headers[name] = {"content-type": content_type}
        headers.update(request["headers"])
        request_ids[index] = request["requestId"]
        processors.append(RequestProcessor(headers))
        data.append(inputs)

    context.request_ids = request_ids
    context.request_processor = processors
    context.cl_socket = PartSocket(send_parts)
    if context.metrics is not None:
        context.metrics.request_ids = request_ids
    return data


def _input_value(content_type: str, raw):
    if content_type == "application/json":
        try:
            return json.loads(str(raw, "utf-8"))
        except (ValueError, RecursionError):
            logger.warning("Failed json decoding of input data. Forwarding encoded payload", exc_info=True)
    elif content_type.startswith("text"):
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError:
            logger.warning("Failed utf-8 decoding of input data. Forwarding encoded payload", exc_info=True)
    return _as_bytearray(raw)


def _as_bytearray(raw) -> bytearray:
    return raw if type(raw) is bytearray else bytearray(raw)


def record_time(context: Context, ret, count: int, milliseconds: float) -> None:
    """Emits PredictionTime for a batch whose handler returned one answer per request."""
    if context.metrics is not None and isinstance(ret, list) and len(ret) == count:
        try:
            context.metrics.add_time(PREDICTION_METRIC, round(milliseconds, 2))
        except Exception:  # a handler may have replaced the metrics by something of its own; its answer stands
            logger.warning("%s could not be recorded.", PREDICTION_METRIC, exc_info=True)


def close_batch(context: Context, ret, count: int) -> PredictResult:
    """Checks and encodes what the handler returned for `count` requests."""
    if not isinstance(ret, list):
        return _invalid(context, "Invalid model predict output", f"Invalid return type: {type(ret)}.")
    if len(ret) != count:
        mismatch = "number of batch response mismatched"
        return _invalid(context, mismatch, f"{mismatch}, expect: {count}, got: {len(ret)}.")

    try:
        if context.cl_socket.failure is not None:
            return context.cl_socket.failure
        return create_predict_response(ret, context.request_ids, "Prediction success", 200, context)
    except Exception as error:
        return failed_batch(error, context.request_ids)


def _invalid(context: Context, message: str, why: str) -> PredictResult:
    headline = f"model: {context.model_name}, {why}"
    logger.warning("%s", "\n".join([headline, *request_lines(context.request_ids)]))
    return PredictResult(503, message, [], headline)


def failed_batch(error: Exception, request_ids: Optional[dict] = None) -> PredictResult:
    """The outcome of a batch whose handler raised; logs the traceback and the requests' ids."""
    if isinstance(error, MemoryError):
        return _failed(507, "Out of resources", logging.ERROR, "System out of memory", error, request_ids)
    if isinstance(error, PredictionException):
        return _failed(_status_of(error), _message_of(error), logging.ERROR, "Prediction error", error, request_ids)
    if "CUDA" in text_of(error):
        return _failed(507, "Out of resources", logging.ERROR, "CUDA out of memory", error, request_ids)
    headline = "Invoking custom service failed."
    return _failed(503, PREDICTION_FAILED, logging.WARNING, headline, error, request_ids)


def _failed(code: int, message: str, level: int, headline: str, error: Exception, request_ids) -> PredictResult:
    told = user_traceback(error)
    logger.log(level, "%s", failure_text(headline, told, request_ids))
    return PredictResult(code, message, [], told)


def _message_of(error: PredictionException) -> str:
    try:
        return str(error.message)
    except Exception:  # as in `text_of`
        return PREDICTION_FAILED


def _status_of(error: PredictionException) -> int:
    try:
        status = int(error.error_code)
    except (TypeError, ValueError):
        return 500
    # A success code on an exception would be answered as an empty success.
    return 500 if status == 200 else status


def emit_metrics(metrics) -> None:
    """Prints one line per legacy Metric object."""
    for metric in metrics or ():
        logger.info("[METRICS]%s", metric)
