import json
import logging
import sys

import pytest
from served_functions import a_request, a_service, requests

from ts.service import PredictResult, emit_metrics


def predict_one(returned) -> PredictResult:
    return a_service(lambda data, context: returned).predict(requests(1))


def data_seen(*parameters, headers=()) -> dict:
    seen = []
    service = a_service(lambda data, context: seen.extend(data) or [0])
    assert service.predict([a_request(*parameters, headers=headers)]).code == 200
    return seen[0]


@pytest.fixture(autouse=True)
def _info_level(caplog):
    caplog.set_level(logging.INFO)


# What the handler gets


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "image/png"])
def test_a_body_of_another_type_arrives_as_bytearray(content_type):
    value = data_seen(("body", content_type, memoryview(b"\x00\x01")))["body"]

    assert (type(value), value) == (bytearray, bytearray(b"\x00\x01"))


@pytest.mark.parametrize("raw", [b'{"a": [1, 2.5, null]}', memoryview(b'{"a": [1, 2.5, null]}')])
def test_a_json_body_arrives_parsed(raw):
    assert data_seen(("body", "application/json", raw)) == {"body": {"a": [1, 2.5, None]}}


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_json_body_arrives_as_bytearray_with_a_warning(raw, caplog):
    assert data_seen(("body", "application/json", raw)) == {"body": bytearray(raw)}

    assert caplog.messages[0] == "Failed json decoding of input data. Forwarding encoded payload"
    assert caplog.records[0].levelname == "WARNING"
    assert caplog.records[0].exc_info is not None


def test_a_text_body_arrives_as_str():
    assert data_seen(("body", "text/plain", "é".encode())) == {"body": "é"}


def test_text_that_is_not_utf8_arrives_as_bytearray_with_a_warning(caplog):
    assert data_seen(("body", "text/csv", b"\xff")) == {"body": bytearray(b"\xff")}

    assert caplog.messages[0] == "Failed utf-8 decoding of input data. Forwarding encoded payload"


def test_nothing_is_decoded_when_the_server_says_so(monkeypatch):
    monkeypatch.setenv("TS_DECODE_INPUT_REQUEST", "false")

    seen = data_seen(("a", "application/json", b"1"), ("b", "text/plain", b"x"))

    assert seen == {"a": bytearray(b"1"), "b": bytearray(b"x")}


def test_several_parameters_arrive_in_one_dict_in_order_and_the_last_of_a_name_wins():
    seen = data_seen(("b", "", b"1"), ("a", "", b"2"), ("b", "", b"3"))

    assert list(seen.items()) == [("b", bytearray(b"3")), ("a", bytearray(b"2"))]


def test_a_request_without_parameters_is_an_empty_dict():
    assert data_seen() == {}


def test_headers_stand_over_the_content_types_of_parameters():
    def handle(data, context):
        assert context.get_all_request_header(0) == {
            "body": {"content-type": "application/json"},
            "data": "a header",
            "url_path": "",
            "explain": "False",
        }
        return [""]

    request = a_request(
        ("body", "application/json", b"1"),
        ("data", "", b""),
        headers=[("data", "a header"), ("url_path", ""), ("explain", "False")],
    )

    assert a_service(handle).predict([request]).code == 200


def test_a_batch_arrives_in_order_with_its_ids():
    def handle(data, context):
        assert context.request_ids == {0: "r0", 1: "r1", 2: "r2"}
        assert context.metrics.request_ids == context.request_ids
        return [bytes(row["body"]) for row in data]

    batch = [a_request(("body", "", str(index).encode()), request_id=f"r{index}") for index in range(3)]

    result = a_service(handle).predict(batch)

    assert [(entry.index, entry.body) for entry in result.entries] == [(0, b"0"), (1, b"1"), (2, b"2")]


# What it may return


@pytest.mark.parametrize(
    ("element", "body"),
    [
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        ("é", "é".encode()),
        ("", b""),
        ({"é": (1, None)}, b'{\n  "\\u00e9": [\n    1,\n    null\n  ]\n}'),
        ([1.5, float("nan"), float("inf")], b"[\n  1.5,\n  NaN,\n  Infinity\n]"),
        (None, b"null"),
        (True, b"true"),
        (3, b"3"),
        ([], b"[]"),
    ],
)
def test_an_element_is_written_by_its_type(element, body):
    result = predict_one([element])

    assert (result.code, result.message) == (200, "Prediction success")
    assert bytes(result.entries[0].body) == body


def test_without_settings_an_answer_has_status_200_and_no_headers():
    entry = predict_one(["x"]).entries[0]

    assert (entry.index, entry.status, entry.phrase, entry.headers) == (0, 200, "", {})


def test_a_tensor_is_written_by_torch_save():
    torch = pytest.importorskip("torch")
    from io import BytesIO

    tensor = torch.arange(3)

    body = predict_one([tensor]).entries[0].body

    assert torch.equal(torch.load(BytesIO(body)), tensor)


@pytest.mark.parametrize("returned", [("a",), {"a": 1}, "a", None, (item for item in "a")])
def test_what_is_not_a_list_is_refused(returned, caplog):
    result = predict_one(returned)

    assert (result.code, result.message, result.entries) == (503, "Invalid model predict output", [])
    assert caplog.messages == [f"model: m, Invalid return type: {type(returned)}.\nrequest_id=r0"]
    assert caplog.records[0].levelname == "WARNING"


def test_a_subclass_of_list_is_a_list():
    class Answers(list):
        pass

    assert predict_one(Answers(["x"])).code == 200


def test_a_list_of_another_length_is_refused(caplog):
    result = a_service(lambda data, context: ["x"]).predict(requests(2))

    assert (result.code, result.message, result.entries) == (503, "number of batch response mismatched", [])
    headline = "model: m, number of batch response mismatched, expect: 2, got: 1."
    assert caplog.messages == [f"{headline}\nrequest_id=r0 request_id=r1"]


CIRCULAR = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize("element", [{1, 2}, object(), [b"nested"], memoryview(b"x"), CIRCULAR, "\ud800"])
def test_an_element_that_cannot_be_written_fails_the_batch(element, caplog):
    result = a_service(lambda data, context: ["fine", element]).predict(requests(2))

    assert (result.code, result.message, result.entries) == (503, "Unsupported model output data type.", [])
    (told,) = [message for message in caplog.messages if message.startswith("Unable to serialize model output.\n")]
    assert told.endswith("\nrequest_id=r0 request_id=r1")
    assert "Error: " in told


def test_the_answer_is_given_before_the_time_is_printed(caplog):
    service = a_service(lambda data, context: ["fine"])

    result = service.predict(requests(1), None, lambda outcome: logging.getLogger().info("answered %d", outcome.code))

    assert result.code == 200
    assert [message.split(".")[0] for message in caplog.messages[-2:]] == ["answered 200", "[METRICS]PredictionTime"]


def test_a_tensor_is_known_without_importing_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)

    assert json.loads(predict_one([[1]]).entries[0].body) == [1]
    assert "torch" not in sys.modules


def test_a_numpy_array_cannot_be_written():
    numpy = pytest.importorskip("numpy")

    assert predict_one([numpy.zeros(2)]).message == "Unsupported model output data type."
    assert predict_one([numpy.float32(1)]).code == 503


# Status and headers


def test_status_and_headers_are_those_that_the_handler_set():
    def handle(data, context):
        context.set_response_content_type(0, "text/html")
        context.set_response_header(1, "X-Count", 3)
        context.set_response_status(418, "té", 1)
        return ["a", "b"]

    first, second = a_service(handle).predict(requests(2)).entries

    assert (first.status, first.phrase, first.headers) == (200, "", {"content-type": "text/html"})
    assert (second.status, second.phrase, second.headers) == (418, "té", {"X-Count": "3"})
    assert second.body == b"b"


def test_status_and_headers_do_not_leak_into_the_next_batch():
    def handle(data, context):
        if not hasattr(context, "seen"):
            context.seen = True
            context.set_response_header(0, "X-A", "1")
            context.set_all_response_status(404, "x")
        return ["a"]

    service = a_service(handle)

    assert service.predict(requests(1)).entries[0].headers == {"X-A": "1"}
    second = service.predict(requests(1)).entries[0]
    assert (second.status, second.phrase, second.headers) == (200, "", {})
    assert service.context.seen


def test_a_status_that_is_no_number_fails_the_batch_only(caplog):
    def handle(data, context):
        context.set_response_status("no number", "", 0)
        return ["a"]

    result = a_service(handle).predict(requests(1))

    assert (result.code, result.message) == (503, "Prediction failed")


# Metrics


def test_a_prediction_prints_its_time_with_all_request_ids(caplog):
    a_service(lambda data, context: ["a", "b"]).predict(requests(2))

    (line,) = caplog.messages
    assert line.startswith("[METRICS]PredictionTime.Milliseconds:")
    assert "|#ModelName:m,Level:Model|#type:GAUGE|#hostname:" in line
    assert line.endswith(",r0,r1")


def test_emit_metrics_prints_a_line_per_metric(caplog):
    emit_metrics(["a", "b"])
    emit_metrics(None)

    assert caplog.messages == ["[METRICS]a", "[METRICS]b"]
