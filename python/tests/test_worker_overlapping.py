"""The loop for coroutine handlers, driven as the gateway does."""

import asyncio
import functools
import socket
import struct
import threading

import pytest

from sconce_worker import frames, overlapping
from sconce_worker.batch_answer import BatchAnswer
from ts.service import Service


class Gateway:
    """The gateway's end of a worker that runs `handle` on a thread."""

    def __init__(self, handle):
        self.data, worker = socket.socketpair()
        self.data.settimeout(10)
        service = Service("m", "/models/m", None, handle, None, 1)
        self.outcome = []

        def run():
            loop = overlapping.new_loop()
            reader = frames.FrameReader(worker)
            answer_to = functools.partial(BatchAnswer, worker.sendall)
            self.outcome.append(loop.run_until_complete(overlapping.serve(worker, reader, service, answer_to)))
            loop.close()
            worker.close()

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def batch(self, batch_id, *request_ids):
        payload = struct.pack("<IH", batch_id, len(request_ids))
        for name in request_ids:
            payload += self._text(name) + struct.pack("<HH", 0, 0)
        self._send(frames.BATCH, payload)

    def cancel(self, *request_ids):
        self._send(frames.CANCEL, struct.pack("<H", len(request_ids)) + b"".join(map(self._text, request_ids)))

    def stop(self):
        self._send(frames.STOP, b"")

    def hear(self):
        """(type, batch id, code of an error) of the next frame."""
        (length,) = struct.unpack("<I", self._read(4))
        frame = self._read(length)
        code = struct.unpack_from("<H", frame, 5)[0] if frame[0] == frames.BATCH_ERROR else 200
        return frame[0], struct.unpack_from("<I", frame, 1)[0], code

    @staticmethod
    def _text(text):
        return struct.pack("<I", len(text)) + text.encode()

    def _send(self, kind, payload):
        self.data.sendall(struct.pack("<IB", 1 + len(payload), kind) + payload)

    def _read(self, count):
        read = b""
        while len(read) < count:
            more = self.data.recv(count - len(read))
            assert more, "the worker has gone"
            read += more
        return read


class Gated:
    """Waits for `open`, unless the request is `open` itself or `sulk`, which cancels itself."""

    def __init__(self):
        self.gate = None
        self.ended = []

    async def handle(self, data, context):
        self.gate = self.gate or asyncio.Event()
        name = context.get_request_id(0)
        try:
            if name == "open":
                self.gate.set()
            elif name == "sulk":
                raise asyncio.CancelledError
            else:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append(name)
            raise
        return [name] * len(data)


@pytest.fixture
def gated():
    return Gated()


@pytest.fixture
def gateway(gated):
    made = Gateway(gated.handle)
    yield made
    made.data.close()
    made.thread.join(10)


def test_a_cancelled_request_ends_its_coroutine_and_no_other(gateway, gated):
    gateway.batch(1, "a")
    gateway.batch(2, "b")
    gateway.cancel("a", "unknown")
    assert gateway.hear() == (frames.BATCH_ERROR, 1, 499)
    gateway.batch(3, "open")
    assert {gateway.hear(), gateway.hear()} == {(frames.PARTS, 2, 200), (frames.PARTS, 3, 200)}
    assert gated.ended in (["a"], [])


def test_a_batch_goes_on_while_somebody_waits_for_one_of_its_requests(gateway):
    gateway.batch(1, "a", "b")
    gateway.cancel("a")
    gateway.batch(2, "c", "d")
    gateway.cancel("c")
    gateway.cancel("d")
    assert gateway.hear() == (frames.BATCH_ERROR, 2, 499)
    gateway.batch(3, "open")
    assert {gateway.hear(), gateway.hear()} == {(frames.PARTS, 1, 200), (frames.PARTS, 3, 200)}


def test_a_coroutine_that_cancels_itself_is_a_failure_of_the_handler(gateway):
    gateway.batch(1, "sulk")
    assert gateway.hear() == (frames.BATCH_ERROR, 1, 503)


def test_stop_lets_what_runs_end(gateway):
    gateway.batch(1, "a")
    gateway.batch(2, "open")
    gateway.stop()
    assert {gateway.hear(), gateway.hear()} == {(frames.PARTS, 1, 200), (frames.PARTS, 2, 200)}
    gateway.thread.join(10)
    assert gateway.outcome == [True]


def test_a_gateway_that_goes_ends_the_loop(gateway):
    gateway.data.close()
    gateway.thread.join(10)
    assert gateway.outcome == [False]
