"""What the worker tells the gateway of a batch."""

from types import SimpleNamespace

import pytest
from sent_frames import Wire

from sconce_worker.batch_answer import BatchAnswer
from ts.protocol.predict_response import Entry, PredictResult


@pytest.fixture
def wire():
    return Wire()


def entry(index, body=b"x", status=200, headers=None):
    return Entry(index, status, "", headers or {}, body)


def test_a_good_result_is_one_final_frame(wire):
    BatchAnswer(wire, 7, 2).end(PredictResult(200, "", [entry(0), entry(1)]))
    assert wire.frames == [(0x83, 7, 1, [(0, 1, 200), (1, 1, 200)])]


def test_intermediate_parts_are_not_the_last_of_their_request(wire):
    answer = BatchAnswer(wire, 7, 1)
    answer.send_parts([entry(0, headers={"ts_stream_next": "true"})])
    answer.end(PredictResult(200, "", [entry(0, headers={"ts_stream_next": "false"})]))
    assert wire.frames == [(0x83, 7, 0, [(0, 0, 200)]), (0x83, 7, 1, [(0, 1, 200)])]


def test_a_step_of_continuous_batching_leaves_open_what_goes_on(wire):
    entries = [entry(0, headers={"ts_stream_next": "true"}), entry(1, headers={"ts_stream_next": "false"})]
    BatchAnswer(wire, 7, 2, is_step=True).end(PredictResult(200, "", entries))
    assert wire.frames == [(0x83, 7, 1, [(0, 0, 200), (1, 1, 200)])]


def test_the_end_of_a_batch_that_is_no_step_ends_every_request_whatever_its_headers_say(wire):
    BatchAnswer(wire, 7, 1).end(PredictResult(200, "", [entry(0, headers={"ts_stream_next": "true"})]))
    assert wire.frames == [(0x83, 7, 1, [(0, 1, 200)])]


def test_large_bodies_go_in_frames_of_their_own_and_only_the_last_frame_is_final(wire):
    body = b"x" * 100_000
    BatchAnswer(wire, 7, 3).end(PredictResult(200, "", [entry(n, body) for n in range(3)]))
    assert [(frame[2], [part[0] for part in frame[3]]) for frame in wire.frames] == [(0, [0]), (0, [1]), (1, [2])]


def test_nothing_follows_the_end(wire):
    answer = BatchAnswer(wire, 7, 1)
    answer.end(PredictResult(200, "", [entry(0)]))
    answer.send_parts([entry(0)])
    assert len(wire.frames) == 1


@pytest.mark.parametrize(("code", "sent"), [(503, 503), (413, 413), (100, 500), (70_000, 500), (-1, 500)])
def test_another_code_is_a_batch_error_with_a_code_that_fits(wire, code, sent):
    BatchAnswer(wire, 7, 1).end(SimpleNamespace(code=code, message="m", entries=[]))
    assert wire.frames == [(0x84, 7, sent)]


def test_an_answer_to_a_request_that_is_not_in_the_batch_is_dropped(wire):
    BatchAnswer(wire, 7, 1).end(PredictResult(200, "", [entry(0), entry(1), entry(-1)]))
    assert wire.frames == [(0x83, 7, 1, [(0, 1, 200)])]


@pytest.mark.parametrize("status", [100, 0, -5, 1000])
def test_a_status_that_no_answer_can_have_becomes_500(wire, status):
    BatchAnswer(wire, 7, 1).end(PredictResult(200, "", [entry(0, status=status)]))
    assert wire.frames[0][3] == [(0, 1, 500)]
