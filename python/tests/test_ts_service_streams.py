"""Answers in parts: what a handler sends before it returns, and whether a stream goes on after that."""

import threading
import time

import pytest
from served_functions import a_service, requests

from ts.handler_utils.utils import send_intermediate_predict_response
from ts.protocol import otf_message_handler
from ts.service import Entry


def streaming(handle, count: int = 1):
    parts = []
    result = a_service(handle).predict(requests(count), parts.append)
    return result, parts


def test_intermediate_results_go_out_before_the_final_one():
    def handle(data, context):
        for text in ("a", "b"):
            send_intermediate_predict_response(
                [text, text], context.request_ids, "Intermediate Prediction success", 200, context
            )
        return ["c", ""]

    result, parts = streaming(handle, 2)

    assert [[(e.index, e.body, e.headers) for e in entries] for entries in parts] == [
        [(index, text, {"ts_stream_next": "true"}) for index in (0, 1)] for text in (b"a", b"b")
    ]
    assert [(e.body, e.headers) for e in result.entries] == [
        (b"c", {"ts_stream_next": "false"}),
        (b"", {"ts_stream_next": "false"}),
    ]


def test_the_old_name_of_the_streaming_call_works_and_warns():
    def handle(data, context):
        with pytest.warns(PendingDeprecationWarning, match="ts.handler_utils.utils"):
            otf_message_handler.send_intermediate_predict_response(["a"], context.request_ids, "m", 200, context)
        return ["b"]

    result, parts = streaming(handle)

    assert result.code == 200
    assert [entries[0].body for entries in parts] == [b"a"]


def test_a_frame_written_by_hand_goes_out_through_the_socket():
    def handle(data, context):
        frame = otf_message_handler.create_predict_response(["a"], context.request_ids, "m", 200, context, True)
        context.cl_socket.sendall(frame)
        return ["b"]

    result, parts = streaming(handle)

    assert result.code == 200
    assert isinstance(parts[0][0], Entry)


def test_other_ranks_send_nothing(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")

    def handle(data, context):
        assert send_intermediate_predict_response(["a"], context.request_ids, "m", 200, context) is None
        return ["b"]

    result, parts = streaming(handle)

    assert (result.code, parts) == (200, [])


@pytest.mark.parametrize(
    ("part", "code", "outcome"),
    [({1}, 200, (503, "Unsupported model output data type.")), ("a", 429, (429, "slow down"))],
)
def test_a_part_that_is_an_error_ends_the_stream_for_all(part, code, outcome):
    def handle(data, context):
        send_intermediate_predict_response([part], context.request_ids, "slow down", code, context)
        send_intermediate_predict_response(["late"], context.request_ids, "m", 200, context)
        return ["end"]

    result, parts = streaming(handle)

    assert (result.code, result.message, result.entries) == (*outcome, [])
    assert parts == []


def test_parts_without_a_receiver_fail_the_batch():
    def handle(data, context):
        send_intermediate_predict_response(["a"], context.request_ids, "m", 200, context)
        return ["b"]

    assert a_service(handle).predict(requests(1)).message == "Prediction failed"


def test_parts_sent_from_several_threads_do_not_overlap():
    inside = threading.Lock()
    sent = []

    def send_parts(entries):
        assert inside.acquire(blocking=False)
        for _ in range(100):
            # The others' turn: one that isn't kept out comes in.
            time.sleep(0)
        sent.extend(entry.body for entry in entries)
        inside.release()

    def handle(data, context):
        def send(text):
            send_intermediate_predict_response([text], context.request_ids, "m", 200, context)

        threads = [threading.Thread(target=send, args=(str(number),)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [""]

    assert a_service(handle).predict(requests(1), send_parts).code == 200
    assert sorted(sent) == [str(number).encode() for number in range(8)]


def test_stopping_criteria_say_whether_a_stream_goes_on():
    def handle(data, context):
        context.stopping_criteria = [lambda ret: ret == "end", lambda ret: ret == "end", lambda ret: None]
        return ["end", "more", "more"]

    entries = a_service(handle).predict(requests(3)).entries

    assert [entry.headers.get("ts_stream_next") for entry in entries] == ["false", "true", None]


def test_stopping_criteria_stay_until_they_are_replaced():
    service = a_service(lambda data, context: ["a"])
    service.context.stopping_criteria = [lambda ret: False]

    for _ in range(2):
        assert service.predict(requests(1)).entries[0].headers == {"ts_stream_next": "true"}


def test_a_list_of_stopping_criteria_that_is_too_short_fails_the_batch_only():
    service = a_service(lambda data, context: ["a", "b"])
    service.context.stopping_criteria = [lambda ret: True]

    result = service.predict(requests(2))

    assert (result.code, result.message) == (503, "Prediction failed")
