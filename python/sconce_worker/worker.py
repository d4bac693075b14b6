"""The worker's loop: loads one model, then runs the gateway's batches one after the other, all in one thread."""

import functools
import logging
import os
import platform
import socket
from typing import Optional

from sconce_worker import frames, loading, output, profiling
from sconce_worker.batch_answer import BatchAnswer
from sconce_worker.departures import Departures
from sconce_worker.enclosure import Wish
from sconce_worker.silent_answer import SilentAnswer
from sconce_worker.stepping import Steps

# The times of batches are printed together, in one system call: after so many, or when nothing has come for so long.
_LATE_TIMES = 64
_IDLE_MS = 20


def run(
    data: socket.socket, rank: int = 0, pid: int = 0, report: Optional[dict] = None, wish: Optional[Wish] = None
) -> int:
    """Serves the gateway on `data` until it says stop or goes; gives the exit code. Only rank 0 answers.

    `pid` is the process's number outside of its namespace, `wish` how it is enclosed and `report` what
    of that holds: where the level is `strict` and something is lacking, no archive is read.
    """
    pid = pid or os.getpid()
    logging.info("[PID]%d", pid)
    logging.info("Torch worker started.")
    logging.info("Python runtime: %s", platform.python_version())
    try:
        data.sendall(frames.encode_hello(pid, platform.python_version(), report))
        if wish is not None and wish.level == "strict" and report["missing"]:
            return 1
        return _serve(data, frames.FrameReader(data), rank, wish)
    except BrokenPipeError:
        return _disconnected()
    except Exception:
        logging.exception("Backend worker process died.")
        return 1


def _serve(data: socket.socket, reader: frames.FrameReader, rank: int, wish: Optional[Wish]) -> int:
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
    config = order.get("modelYamlConfig") or {}
    if config.get("asyncCommunication") is True:
        from sconce_worker import overlapping

        loop = overlapping.new_loop()
    profiled = profiling.Profiler().run if profiling.is_wanted() else None
    outcome = loading.load(order, wish) if profiled is None else profiled(loading.load, order, wish)
    data.sendall(frames.encode_loaded(outcome.code, outcome.message, outcome.last_line, outcome.traceback))
    if outcome.service is None:
        return 1
    answer_to = _answers(data.sendall, rank)
    if loop is None:
        if profiled is not None:
            outcome.service.predict = functools.partial(profiled, outcome.service.predict)
        steps = Steps(outcome.service) if config.get("continuousBatching") is True else None
        is_stopped = _serve_in_turn(answer_to, reader, outcome.service, steps)
    else:
        is_stopped = loop.run_until_complete(overlapping.serve(data, reader, outcome.service, answer_to))
    return 0 if is_stopped else _disconnected()


def _answers(send, rank: int):
    """What makes the answer to a batch of its id and its number of requests, and of whether it is a step."""
    if rank == 0:
        return lambda batch_id, count, is_step=False: BatchAnswer(send, batch_id, count, is_step)
    return lambda batch_id, _, is_step=False: SilentAnswer(rank, send, batch_id)


def _serve_in_turn(answer_to, reader: frames.FrameReader, service, steps) -> bool:
    """True when the gateway said stop, False when it went. `steps`: None but in continuous batching."""
    # Ranks must not differ in what they hear, and when.
    is_group = os.environ.get("WORLD_SIZE", "1") != "1"
    late: list = []
    while True:
        frame = reader.take()
        if late and (len(late) >= _LATE_TIMES or (frame is None and not reader.wait(_IDLE_MS))):
            _print_times(service, late)
        if frame is None:
            if not reader.fill():
                return False
            continue
        kind, payload = frame
        if kind == frames.STOP:
            _print_times(service, late)
            return True
        if kind == frames.CANCEL:
            if steps is not None:
                steps.cancel(frames.decode_cancel(payload))
            continue
        if kind != frames.BATCH:
            raise frames.FrameError(f"frame type {kind} after LOAD")
        batch_id, requests = frames.decode_batch(payload)
        if steps is not None:
            steps.predict(answer_to, batch_id, requests, late)
            continue
        answer = answer_to(batch_id, len(requests))
        if is_group:
            service.predict(requests, answer.send_parts, answer.end, late)
            continue
        departures = Departures(reader, service.context, answer.send_parts)
        service.predict(requests, departures.send_parts, answer.end, late)
        departures.close()


def _print_times(service, late: list) -> None:
    with output.gathered():
        service.record_late(late)


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
