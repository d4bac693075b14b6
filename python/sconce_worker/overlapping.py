"""The worker's loop for handlers that are coroutine functions: batches overlap on one event loop."""

import asyncio
import socket

from sconce_worker import frames
from ts.async_service import AsyncService
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
        if kind != frames.BATCH:
            raise frames.FrameError(f"frame type {kind} after LOAD")
        # The task starts when the reader's buffer may already hold something else.
        batch_id, requests = frames.decode_batch(memoryview(bytes(payload)))
        task = loop.create_task(_answer(answer_to(batch_id, len(requests)), requests))
        running.add(task)
        task.add_done_callback(_ended)

    async def _answer(answer, requests: list) -> None:
        answer.end(await service.predict(requests, answer.send_parts))

    def _ended(task: asyncio.Task) -> None:
        running.discard(task)
        if not task.cancelled() and task.exception() is not None and not stopped.done():
            stopped.set_exception(task.exception())

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
