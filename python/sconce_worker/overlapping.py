"""The worker's loop for handlers that are coroutine functions: batches overlap on one event loop."""

import asyncio
import functools
import logging
import socket

from sconce_worker import frames
from ts.async_service import AsyncService
from ts.protocol.predict_response import PREDICTION_FAILED, PredictResult
from ts.service import Service


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop that is this thread's from now on."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


async def serve(data: socket.socket, reader: frames.FrameReader, model: Service, answer_to) -> bool:
    """Runs batches until the gateway says stop (True, after those at hand have ended) or goes (False).

    `answer_to` makes the answer to a batch of its id and its number of requests.
    """
    service = AsyncService(model)
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()
    running = set()
    # By request id, while it runs: its task, and which of the task's requests somebody waits for.
    awaited = {}

    def read() -> None:
        try:
            if not reader.fill():
                _settle(False)
            while not stopped.done():
                frame = reader.take()
                if frame is None:
                    return
                _begin(*frame)
        except Exception as error:
            if not stopped.done():
                stopped.set_exception(error)

    def _settle(is_stopped: bool) -> None:
        if not stopped.done():
            stopped.set_result(is_stopped)

    def _begin(kind: int, payload) -> None:
        if kind == frames.STOP:
            _settle(True)
            return
        if kind == frames.CANCEL:
            _cancel(frames.decode_cancel(payload))
            return
        if kind != frames.BATCH:
            raise frames.FrameError(f"frame type {kind} after LOAD")
        # The task starts when the reader's buffer may already hold something else.
        batch_id, requests = frames.decode_batch(memoryview(bytes(payload)))
        answer = answer_to(batch_id, len(requests))
        task = loop.create_task(service.predict(requests, answer.send_parts))
        running.add(task)
        request_ids = {request["requestId"] for request in requests}
        for request_id in list(request_ids):
            awaited[request_id] = task, request_ids
        task.add_done_callback(functools.partial(_ended, answer, requests))

    def _cancel(request_ids: list) -> None:
        for request_id in request_ids:
            task, others = awaited.pop(request_id, (None, set()))
            others.discard(request_id)
            if task is not None and not others:
                task.cancel()

    def _ended(answer, requests: list, task: asyncio.Task) -> None:
        running.discard(task)
        left = [request for request in requests if awaited.pop(request["requestId"], None) is not None]
        try:
            answer.end(_result_of(task, bool(left)))
        except Exception as error:
            if not stopped.done():
                stopped.set_exception(error)

    loop.add_reader(data.fileno(), read)
    # What came right behind LOAD lies in the reader already.
    while (frame := reader.take()) is not None:
        _begin(*frame)
    try:
        is_stopped = await stopped
    finally:
        loop.remove_reader(data.fileno())
    if is_stopped and running:
        await asyncio.wait(running)
    return is_stopped


def _result_of(task: asyncio.Task, is_awaited: bool) -> PredictResult:
    if not task.cancelled():
        return task.result()
    if is_awaited:
        logging.warning("The handler's coroutine was cancelled by itself.")
        return PredictResult(503, PREDICTION_FAILED, [])
    # Nobody reads it, but the gateway counts its batches.
    return PredictResult(499, "The client closed the request.", [])
