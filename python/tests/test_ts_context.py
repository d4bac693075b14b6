import copy

import pytest

from ts.context import Context, RequestProcessor


def a_context(**changes) -> Context:
    arguments = {
        "model_name": "m",
        "model_dir": "/models/m",
        "manifest": None,
        "batch_size": 2,
        "gpu": None,
        "mms_version": "0.12.0",
    }
    return Context(**{**arguments, **changes})


def a_batch_context(*headers: dict) -> Context:
    context = a_context()
    context.request_ids = {index: f"r{index}" for index in range(len(headers))}
    context.request_processor = [RequestProcessor(header) for header in headers]
    return context


def test_the_constructor_takes_its_arguments_by_position():
    context = Context("m", "/d", {"model": {}}, 4, 1, "0.12.0", False, "metrics", {"a": 1})

    assert context.system_properties == {
        "model_dir": "/d",
        "gpu_id": 1,
        "batch_size": 4,
        "server_name": "MMS",
        "server_version": "0.12.0",
        "limit_max_image_pixels": False,
    }
    assert (context.model_name, context.manifest) == ("m", {"model": {}})
    assert (context.metrics, context.model_yaml_config) == ("metrics", {"a": 1})


def test_the_system_properties_cannot_be_replaced():
    with pytest.raises(AttributeError):
        a_context().system_properties = {}


def test_while_a_model_loads_there_are_no_requests():
    context = a_context()

    context.set_response_status(404, "gone", 0)

    assert context.request_ids is None
    assert context.request_processor is None
    assert context.stopping_criteria is None
    assert context.get_request_id() is None
    with pytest.raises(TypeError):
        context.get_request_header(0, "a")
    with pytest.raises(TypeError):
        context.set_all_response_status(200)


def test_request_ids_are_found_by_index():
    context = a_batch_context({}, {})

    assert [context.get_request_id(), context.get_request_id(1), context.get_request_id(9)] == ["r0", "r1", None]


def test_headers_keep_their_spelling_and_are_found_in_any():
    context = a_batch_context({"body": {"content-type": "text/plain"}, "X-Trace": "7"})

    assert context.get_all_request_header(0) == {"body": {"content-type": "text/plain"}, "X-Trace": "7"}
    assert context.get_request_header(0, "X-Trace") == "7"
    assert context.get_request_header(0, "x-trace") == "7"
    assert context.get_request_header(0, "body") == {"content-type": "text/plain"}
    assert context.get_request_header(0, "BODY") is None
    assert context.get_request_header(0, "absent") is None


def test_a_header_spelled_exactly_wins_over_one_in_another_case():
    context = a_batch_context({"KEY": "other", "key": "exact"})

    assert context.get_request_header(0, "key") == "exact"


def test_response_settings_belong_to_one_request():
    context = a_batch_context({}, {})

    context.set_response_content_type(0, "text/html")
    context.set_response_header(1, "X-A", "1")
    context.set_response_status(418, "tea", 1)

    assert context.get_response_headers(0) == {"content-type": "text/html"}
    assert context.get_response_content_type(0) == "text/html"
    assert context.get_response_content_type(1) is None
    assert context.get_response_headers(1) == {"X-A": "1"}
    assert [context.get_response_status(0), context.get_response_status(1)] == [(200, None), (418, "tea")]


def test_one_status_is_set_for_all_requests():
    context = a_batch_context({}, {})

    context.set_all_response_status(202, "later")

    assert [context.get_response_status(index) for index in (0, 1)] == [(202, "later")] * 2


def test_sequence_headers_take_their_names_from_the_environment(monkeypatch):
    monkeypatch.setenv("TS_REQUEST_SEQUENCE_ID", "my_sequence")
    context = a_batch_context({"my_sequence": "s1"})

    assert context.get_sequence_id(0) == "s1"
    assert context.header_key_sequence_start == "ts_request_sequence_start"
    assert context.header_key_sequence_end == "ts_request_sequence_end"


def test_contexts_are_equal_when_their_attributes_are():
    context = a_context()
    other = copy.copy(context)

    assert context == other
    other.cache = {}
    assert context != other
    assert context != "m"


def test_a_request_processor_stands_alone():
    processor = RequestProcessor({"a": "1"})

    processor.report_status(400, "bad")
    processor.add_response_property("k", "v")

    assert processor.get_request_property("a") == "1"
    assert processor.get_request_properties() == {"a": "1"}
    assert (processor.get_response_status_code(), processor.get_response_status_phrase()) == (400, "bad")
    assert processor.get_response_headers() == {"k": "v"}
    assert (processor.get_response_header("k"), processor.get_response_header("x")) == ("v", None)
    assert RequestProcessor({}).get_response_status_code() == 200
    assert RequestProcessor({}).get_response_status_phrase() is None
