"""The worker's loop: loads one model, then runs the gateway's batches one after the other, all in one thread."""

import functools
import logging
import os
import platform
import socket

from sconce_worker import frames, loading, output, profiling
from sconce_worker.batch_answer import BatchAnswer

# The times of batches are printed together, in one system call: after so many, or when nothing has come for so long.
_LATE_TIMES = 64
_IDLE_MS = 20


def run(data: socket.socket) -> int:
    """Serves the gateway on `data` until it says stop or goes; gives the exit code."""
    logging.info("[PID]%d", os.getpid())
    logging.info("Torch worker started.")
    logging.info("Python runtime: %s", platform.python_version())
    try:
        return _serve(data, frames.FrameReader(data))
    except BrokenPipeError:
        return _disconnected()
    except Exception:
        logging.exception("Backend worker process died.")
        return 1


def _serve(data: socket.socket, reader: frames.FrameReader) -> int:
    data.sendall(frames.encode_hello(os.getpid(), platform.python_version()))
    frame = _next(reader)
    if frame is None:
        return _disconnected()
    kind, payload = frame
    if kind == frames.STOP:
        return 0
    if kind != frames.LOAD:
        raise frames.FrameError(f"frame type {kind} before LOAD")
    order = frames.decode_load(payload)
    # A coroutine model's initialisation finds the loop that its handler will run on.
    loop = None
    if (order.get("modelYamlConfig") or {}).get("asyncCommunication") is True:
        from sconce_worker import overlapping

        loop = overlapping.new_loop()
    profiler = profiling.Profiler() if profiling.is_wanted() else None
    outcome = loading.load(order) if profiler is None else profiler.run(loading.load, order)
    data.sendall(frames.encode_loaded(outcome.code, outcome.message, outcome.last_line))
    if outcome.service is None:
        return 1
    if loop is None:
        predict = outcome.service.predict
        if profiler is not None:
            predict = functools.partial(profiler.run, predict)
        is_stopped = _serve_in_turn(data, reader, predict, outcome.service.record_late)
    else:
        is_stopped = loop.run_until_complete(overlapping.serve(data, reader, outcome.service))
    return 0 if is_stopped else _disconnected()


def _serve_in_turn(data: socket.socket, reader: frames.FrameReader, predict, record_late) -> bool:
    """True when the gateway said stop, False when it went."""
    send = data.sendall
    late: list = []
    while True:
        frame = reader.take()
        if late and (len(late) >= _LATE_TIMES or (frame is None and not reader.wait(_IDLE_MS))):
            with output.gathered():
                record_late(late)
        if frame is None:
            if not reader.fill():
                return False
            continue
        kind, payload = frame
        if kind == frames.STOP:
            return True
        if kind != frames.BATCH:
            raise frames.FrameError(f"frame type {kind} after LOAD")
        batch_id, requests = frames.decode_batch(payload)
        answer = BatchAnswer(send, batch_id, len(requests))
        predict(requests, answer.send_parts, answer.end, late)


def _next(reader: frames.FrameReader):
    while True:
        frame = reader.take()
        if frame is not None:
            return frame
        if not reader.fill():
            return None


def _disconnected() -> int:
    logging.info("Frontend disconnected.")
    return 0
