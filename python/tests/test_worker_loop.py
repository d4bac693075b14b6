"""The worker's loop from LOAD to STOP, without a gateway."""

import json
import logging
import pstats
import socket
import struct
import sys

import pytest

from sconce_worker import frames, profiling, worker

HANDLER = """
def handle(data, context):
    return None if data is None else answers(data)

def answers(data):
    return ["x"] * len(data)
"""


def _frame(kind, payload=b""):
    return struct.pack("<IB", 1 + len(payload), kind) + payload


def _text(text):
    return struct.pack("<I", len(text)) + text.encode()


STREAMER = """
from ts.handler_utils.utils import send_intermediate_predict_response

def handle(data, context):
    if data is None:
        return None
    before = list(context.cancelled_request_ids)
    send_intermediate_predict_response(["part"], context.request_ids, "", 200, context)
    return [f"{context.get_request_id()} {before} {list(context.cancelled_request_ids)}"]
"""


def _cancel(*request_ids):
    return _frame(frames.CANCEL, struct.pack("<H", len(request_ids)) + b"".join(map(_text, request_ids)))


def _batch(batch_id, request_id):
    return _frame(frames.BATCH, struct.pack("<IH", batch_id, 1) + _text(request_id) + struct.pack("<HH", 0, 0))


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Runs a worker on frames that all lie ready when it starts; gives its exit code."""
    (tmp_path / "loop_handler.py").write_text(HANDLER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "loop_handler", raising=False)
    order = {"modelName": "m", "modelDir": str(tmp_path), "handler": "loop_handler", "batchSize": 1}
    load = _frame(frames.LOAD, json.dumps({**order, "limitMaxImagePixels": True}).encode())

    def run(*sent):
        gateway, data = socket.socketpair()
        with gateway, data:
            gateway.sendall(b"".join([load, *sent]))
            return worker.run(data)

    return run


def test_the_times_of_the_last_batches_are_printed_though_stop_comes_at_once(served, caplog):
    caplog.set_level(logging.INFO)

    assert served(_batch(1, "a"), _batch(2, "b"), _frame(frames.STOP)) == 0

    times = [message for message in caplog.messages if message.startswith("[METRICS]PredictionTime.")]
    assert [line.rpartition(",")[2] for line in times] == ["a", "b"]


def test_a_handler_that_streams_hears_of_its_own_clients_only_and_no_batch_is_lost_by_it(tmp_path, monkeypatch):
    (tmp_path / "streamer.py").write_text(STREAMER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "streamer", raising=False)
    order = {"modelName": "m", "modelDir": str(tmp_path), "handler": "streamer", "batchSize": 1}
    load = _frame(frames.LOAD, json.dumps({**order, "limitMaxImagePixels": True}).encode())
    gateway, data = socket.socketpair()

    with gateway, data:
        gateway.sendall(
            load + _batch(1, "a") + _batch(2, "b") + _cancel("a", "b", "z") + _batch(3, "c") + _frame(frames.STOP)
        )
        assert worker.run(data) == 0
        said = gateway.recv(1 << 20)

    for words in (b"a [] ['a']", b"b [] []", b"c [] []"):
        assert words in said


def test_a_profile_shows_loading_and_predictions(served, tmp_path, monkeypatch):
    path = str(tmp_path / "profile.prof")
    profiler = profiling.Profiler(path)
    monkeypatch.setattr(profiling, "Profiler", lambda: profiler)
    monkeypatch.setenv("TS_BENCHMARK", "true")

    assert served(_batch(1, "a"), _batch(2, "b"), _frame(frames.STOP)) == 0

    calls = {name: counts[0] for (_, _, name), counts in pstats.Stats(path).stats.items()}
    assert (calls["import_handler"], calls["answers"]) == (1, 2)
