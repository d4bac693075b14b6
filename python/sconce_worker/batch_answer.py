"""Says to the gateway what becomes of one batch, in PARTS frames of bounded size or in a BATCH_ERROR."""

import logging
import threading
from time import perf_counter

from sconce_worker import frames

_STREAM_NEXT = "ts_stream_next"
# Small parts share a frame up to this sum, so that no frame is much longer than the longest body.
_FRAME_BYTES = 128 * 1024


class BatchAnswer:
    """The way back of one batch. Invariant: nothing is sent after its end, whatever threads a handler left behind.

    A batch that is a step of continuous batching ends without ending those of its requests that go on.
    """

    __slots__ = ("_batch_id", "_count", "_ended", "_is_step", "_lock", "_send", "_started")

    def __init__(self, send, batch_id: int, count: int, is_step: bool = False) -> None:
        self._send = send
        self._batch_id = batch_id
        self._count = count
        self._lock = threading.Lock()
        self._ended = False
        self._is_step = is_step
        self._started = perf_counter()

    def send_parts(self, entries: list) -> None:
        """Sends intermediate answers; drops them when the batch has ended."""
        with self._lock:
            if not self._ended:
                self._write(entries, is_final=False)

    def end(self, result) -> None:
        """Sends the outcome of the batch, a `PredictResult`."""
        with self._lock:
            self._ended = True
            if result.code == 200:
                self._write(result.entries, is_final=True)
            else:
                code = result.code if 200 < result.code <= 999 else 500
                self._send(frames.encode_batch_error(self._batch_id, code, result.message, self._micros()))

    def _micros(self) -> int:
        return int((perf_counter() - self._started) * 1_000_000)

    def _write(self, entries: list, is_final: bool) -> None:
        parts = []
        size = 0
        for entry in entries:
            if size > 0 and size + len(entry.body) > _FRAME_BYTES:
                self._send(frames.encode_parts(self._batch_id, False, 0, parts))
                parts = []
                size = 0
            if not 0 <= entry.index < self._count:
                logging.warning("The answer to request %s of a batch of %d is dropped.", entry.index, self._count)
                continue
            is_last = is_final and not (self._is_step and entry.headers.get(_STREAM_NEXT) == "true")
            parts.append((entry.index, is_last, _status(entry.status), entry.phrase, entry.headers, entry.body))
            size += len(entry.body)
        self._send(frames.encode_parts(self._batch_id, is_final, self._micros() if is_final else 0, parts))


def _status(status: int) -> int:
    if 200 <= status <= 999:
        return status
    logging.warning("The handler's status %d is no final HTTP status: 500 is sent.", status)
    return 500
