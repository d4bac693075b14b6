"""The worker's side of the wire, against the byte vectors that the gateway's side passes too."""

import json
import pathlib
import socket

import pytest

from sconce_worker import frames

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[2] / "test" / "contract" / "frame-vectors.json").read_text(encoding="utf-8")
)
TO_WORKER = [vector for vector in VECTORS if vector["to"] == "worker"]
TO_GATEWAY = [vector for vector in VECTORS if vector["to"] == "gateway"]


def payload_of(vector):
    return memoryview(bytes.fromhex(vector["hex"]))[5:]


def as_plain(requests):
    return [
        {
            "requestId": request["requestId"],
            "headers": [list(header) for header in request["headers"]],
            "parameters": [
                {"name": name, "contentType": content_type, "valueHex": bytes(value).hex()}
                for name, content_type, value in request["parameters"]
            ],
        }
        for request in requests
    ]


def encoded(kind, message):
    if kind == "hello":
        return frames.encode_hello(message["pid"], message["python"])
    if kind == "loaded":
        told = message.get("traceback", "")
        return frames.encode_loaded(message["code"], message["message"], message["lastLine"], told)
    if kind == "batch-done":
        return frames.encode_batch_done(message["batchId"])
    if kind == "batch-error":
        return frames.encode_batch_error(
            message["batchId"], message["code"], message["message"], message["handlerMicros"]
        )
    parts = [
        (p["index"], p["last"], p["status"], p["phrase"], dict(p["headers"]), bytes.fromhex(p["bodyHex"]))
        for p in message["parts"]
    ]
    return frames.encode_parts(message["batchId"], message["final"], message["handlerMicros"], parts)


@pytest.mark.parametrize("vector", TO_WORKER, ids=lambda vector: vector["name"])
def test_what_the_gateway_says_is_understood(vector):
    payload = payload_of(vector)
    if vector["type"] == "load":
        assert frames.decode_load(payload) == vector["message"]
    elif vector["type"] == "batch":
        batch_id, requests = frames.decode_batch(payload)
        assert {"batchId": batch_id, "requests": as_plain(requests)} == vector["message"]
    elif vector["type"] == "cancel":
        assert {"requestIds": frames.decode_cancel(payload)} == vector["message"]
    else:
        assert len(payload) == 0


@pytest.mark.parametrize("vector", TO_GATEWAY, ids=lambda vector: vector["name"])
def test_what_the_worker_says_has_exactly_these_bytes(vector):
    assert encoded(vector["type"], vector["message"]).hex() == vector["hex"]


def test_a_batch_cut_anywhere_is_refused():
    whole = next(payload_of(vector) for vector in TO_WORKER if vector["name"].startswith("two requests"))
    for length in range(len(whole)):
        with pytest.raises(frames.FrameError):
            frames.decode_batch(whole[:length])
    with pytest.raises(frames.FrameError):
        frames.decode_batch(memoryview(bytes(whole) + b"\0"))


def test_a_list_of_cancelled_requests_cut_anywhere_is_refused():
    whole = next(payload_of(vector) for vector in TO_WORKER if vector["type"] == "cancel")
    for length in range(len(whole)):
        with pytest.raises(frames.FrameError):
            frames.decode_cancel(whole[:length])
    with pytest.raises(frames.FrameError):
        frames.decode_cancel(memoryview(bytes(whole) + b"\0"))


def test_micros_and_text_beyond_the_wire_are_made_to_fit():
    frame = frames.encode_batch_error(1, 500, "a\ud800b", 2**40)
    assert frame.endswith(b"a?b\xff\xff\xff\xff")


class Link:
    """A reader and the gateway's end of its socket."""

    def __init__(self):
        self.gateway, worker = socket.socketpair()
        self.reader = frames.FrameReader(worker)

    def next(self):
        while True:
            frame = self.reader.take()
            if frame is not None:
                return frame[0], bytes(frame[1])
            if not self.reader.fill():
                return None


@pytest.fixture
def link():
    made = Link()
    yield made
    made.gateway.close()


def frame_of(kind, payload):
    return (1 + len(payload)).to_bytes(4, "little") + bytes([kind]) + payload


def test_frames_that_arrive_together_come_one_by_one(link):
    link.gateway.sendall(frame_of(2, b"one") + frame_of(3, b"") + frame_of(2, b"three"))
    assert [link.next() for _ in range(3)] == [(2, b"one"), (3, b""), (2, b"three")]


def test_a_frame_that_arrives_byte_by_byte_comes_whole(link):
    for byte in frame_of(2, b"payload"):
        assert link.reader.take() is None
        link.gateway.sendall(bytes([byte]))
        assert link.reader.fill()
    assert link.next() == (2, b"payload")


def test_long_frames_between_short_ones_come_whole(link):
    import threading

    payloads = [b"s", b"L" * 3_000_000, b"t" * 200_000, b"", b"M" * 300_000, b"u"]
    stream = b"".join(frame_of(2, payload) for payload in payloads)
    sender = threading.Thread(target=link.gateway.sendall, args=(stream,))
    sender.start()
    assert [link.next()[1] for _ in payloads] == payloads
    sender.join()
    link.gateway.shutdown(socket.SHUT_WR)
    assert link.next() is None


def test_a_frame_without_a_type_is_refused(link):
    link.gateway.sendall(bytes(5))
    with pytest.raises(frames.FrameError):
        link.next()
