import json

import pytest

from ts.metrics.configured_cache import configured_metrics_cache
from ts.model_loader import _enveloped
from ts.service import Service
from ts.torch_handler.request_envelope.base import BaseEnvelope
from ts.torch_handler.request_envelope.tensor_json import flat_output, shaped

MANIFEST = {"model": {"modelName": "archived", "modelVersion": "2.1"}}


def a_service(envelope: str, handle) -> Service:
    entry_point = _enveloped(handle, envelope)
    return Service("m", "/m", MANIFEST, entry_point, None, 1, True, configured_metrics_cache("m"), {})


def a_request(
    body, request_id: str = "r0", content_type: str = "application/json", key: str = "body", **headers
) -> dict:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"requestId": request_id, "headers": list(headers.items()), "parameters": [(key, content_type, raw)]}


def answers(service: Service, *requests: dict) -> list:
    result = service.predict(list(requests))
    assert result.code == 200, result
    return [entry.body.decode() for entry in result.entries]


def echo(data, context):
    return data


def ones(data, context):
    return [1 for _ in data]


# body


def test_body_gives_the_handler_the_bodies():
    seen = []
    service = a_service("body", lambda data, context: seen.append(data) or ["x" for _ in data])

    answers(service, a_request([1]), a_request({"a": 1}, key="data"), a_request(3, key="other"))

    assert seen == [[[1], {"a": 1}, None]]


def test_a_falsy_data_gives_way_to_the_body():
    request = a_request(0, key="data")
    request["parameters"].append(("body", "application/json", b"7"))

    assert answers(a_service("body", echo), request) == ["7"]


# json


def test_json_joins_the_instances_of_a_batch_and_cuts_the_results():
    seen = []
    service = a_service("json", lambda data, context: seen.append(data) or [value * 2 for value in data])

    texts = answers(service, a_request({"instances": [1, 2]}), a_request({"instances": [3]}, key="data"))

    assert seen == [[1, 2, 3]]
    assert texts == ['{"predictions": [2, 4]}', '{"predictions": [6]}']


def test_json_takes_instances_beside_the_body():
    assert answers(a_service("json", ones), a_request([1, 1], key="instances")) == ['{"predictions": [1, 1]}']


def test_json_decodes_base64_rows_and_columns():
    seen = []
    service = a_service("json", lambda data, context: seen.extend(data) or ones(data, context))

    answers(service, a_request({"instances": [{"b64": "YQ=="}, {"x": {"b64": "Yg=="}, "y": 1}, 5]}))
    answers(service, a_request({"instances": [5, {"b64": "YQ=="}]}))

    assert seen == [b"a", {"x": b"b", "y": 1}, 5, 5, {"b64": "YQ=="}]


def test_json_reads_a_body_that_was_not_declared_as_json():
    assert answers(a_service("json", ones), a_request({"instances": [1]}, content_type="")) == ['{"predictions": [1]}']
    assert answers(a_service("json", ones), a_request({"instances": [1]}, content_type="text/plain")) == [
        '{"predictions": [1]}'
    ]


def test_json_answers_a_request_without_instances():
    service = a_service("json", ones)

    assert answers(service, a_request({"instances": []})) == ['{"predictions": []}']
    assert answers(service, a_request({"instances": []}), a_request({"instances": [1]})) == [
        '{"predictions": []}',
        '{"predictions": [1]}',
    ]


def test_json_without_the_key_fails_the_batch():
    assert a_service("json", ones).predict([a_request({"other": []})]).message == "Prediction failed"


def test_a_result_of_none_passes_the_envelope_as_it_is():
    assert a_service("json", lambda data, context: None).predict([a_request({"instances": [1]})]).message == (
        "Invalid model predict output"
    )


# kserve


@pytest.mark.parametrize("content_type", ["application/json", "", "text/plain"])
def test_kserve_answers_predictions(content_type):
    texts = answers(a_service("kserve", echo), a_request({"instances": [1, 2]}, content_type=content_type))

    assert json.loads(texts[0]) == {"predictions": [1, 2]}


def test_kserve_answers_explanations():
    texts = answers(a_service("kserve", echo), a_request({"instances": [1]}, explain="True"))

    assert json.loads(texts[0]) == {"explanations": [1]}


def test_kserve_answers_each_request_of_a_batch_by_its_own_headers():
    ids = []

    def handle(data, context):
        ids.append((context.request_ids, context.get_request_header(0, "explain")))
        context.set_response_header(0, "X-Sum", sum(data))
        return data

    service = a_service("kserve", handle)
    batch = [
        a_request({"instances": [1, 2]}, "r0", explain="False"),
        a_request({"instances": [3]}, "r1", explain="True"),
    ]

    result = service.predict(batch)

    assert [json.loads(entry.body) for entry in result.entries] == [{"predictions": [1, 2]}, {"explanations": [3]}]
    assert [entry.headers for entry in result.entries] == [{"X-Sum": "3"}, {"X-Sum": "3"}]
    assert ids == [({0: "r0"}, "False"), ({0: "r1"}, "True")]
    assert service.context.request_ids == {0: "r0", 1: "r1"}


def test_kserve_without_instances_gives_the_handler_none():
    texts = answers(a_service("kserve", lambda data, context: [data is None]), a_request({"other": 1}))

    assert json.loads(texts[0]) == {"predictions": [True]}


def test_an_error_in_one_request_leaves_the_context_whole():
    def handle(data, context):
        raise ValueError

    service = a_service("kserve", handle)

    assert service.predict([a_request({"instances": [1]}), a_request({"instances": [1]}, "r1")]).code == 503
    assert service.context.request_ids == {0: "r0", 1: "r1"}


# kservev2


def an_input(data, shape=None, datatype: str = "INT64", name: str = "a") -> dict:
    return {"name": name, "shape": [len(data)] if shape is None else shape, "datatype": datatype, "data": data}


def test_kservev2_answers_named_outputs_in_order():
    texts = answers(
        a_service("kservev2", lambda data, context: [[1.5, 2], ["x"]]),
        a_request({"id": "mine", "inputs": [an_input([1, 2]), an_input([3], name="b")]}),
    )

    assert texts[0] == json.dumps(
        {
            "id": "mine",
            "model_name": "archived",
            "model_version": "2.1",
            "outputs": [
                {"name": "a", "datatype": "FP64", "data": [1.5, 2.0], "shape": [2]},
                {"name": "b", "datatype": "BYTES", "data": ["x"], "shape": [1]},
            ],
        },
        indent=2,
    )


def test_kservev2_gives_the_handler_inputs_nested_by_shape():
    seen = []
    service = a_service("kservev2", lambda data, context: seen.extend(data) or [[1], [1]])

    answers(
        service,
        a_request(
            {"inputs": [an_input([1, 2, 3, 4], [2, 2]), an_input(["x", "y"], [2], "BYTES", "b")]}, content_type=""
        ),
    )

    assert seen == [
        {"name": "a", "shape": [2, 2], "datatype": "INT64", "data": [[1, 2], [3, 4]]},
        {"name": "b", "shape": [2], "datatype": "BYTES", "data": "x"},
    ]


def test_kservev2_never_reports_the_id_of_an_earlier_request():
    fails = [True]

    def handle(data, context):
        if fails.pop():
            raise ValueError
        return [[1]]

    service = a_service("kservev2", handle)

    assert service.predict([a_request({"id": "old", "inputs": [an_input([1])]})]).code == 503
    fails.append(False)
    texts = answers(service, a_request({"id": "  ", "inputs": [an_input([1])]}, "r9"))

    assert json.loads(texts[0])["id"] == "r9"
    assert not hasattr(service.context, "input_names")


def test_kservev2_answers_each_request_of_a_batch():
    service = a_service("kservev2", lambda data, context: [tensor["data"] for tensor in data])
    batch = [a_request({"inputs": [an_input([index])]}, f"r{index}") for index in range(2)]

    parsed = [json.loads(text) for text in answers(service, *batch)]

    assert [(answer["id"], answer["outputs"][0]["data"]) for answer in parsed] == [("r0", [0]), ("r1", [1])]


def test_kservev2_names_outputs_that_have_no_input():
    texts = answers(a_service("kservev2", lambda data, context: [[1], [2]]), a_request({"inputs": [an_input([1])]}))

    assert [output["name"] for output in json.loads(texts[0])["outputs"]] == ["a", "output-1"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": [an_input([1, 2, 3], [2, 2])]},
        {"inputs": [an_input([1], datatype="FP8")]},
        {"inputs": [{"name": "a", "data": [1], "shape": [1]}]},
        {"inputs": [an_input([1], datatype="BYTES", shape=[1]) | {"data": []}]},
    ],
)
def test_kservev2_fails_a_batch_that_it_cannot_read(body):
    assert a_service("kservev2", ones).predict([a_request(body)]).message == "Prediction failed"


# tensors as JSON, compared with numpy

VALUES = [
    [1, 2],
    [1, 2.5],
    [True, 2],
    [True, False],
    [True, 1.5],
    ["a", "b"],
    ["a", 1],
    ["a", 1.5],
    ["a", True],
    ["a", None],
    [2**63],
    [2**63, -1],
    [2**64],
    [2**64, 1.5],
    [-(2**64), 1],
    [],
    [[]],
    [[], []],
    [[1, 2], [3, 4]],
    [[1], [2, 3]],
    [1, [2]],
    [None, [1]],
    ["x", ["y"]],
    {"a": 1},
    [{"a": 1}],
    5,
    2.5,
    "x",
    None,
    [float("inf")],
    [(1, 2), (3, 4)],
    [[1.5, 2], [True, 3]],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_outputs_have_the_type_that_numpy_finds(value):
    numpy = pytest.importorskip("numpy")
    try:
        array = numpy.array(value).flatten()
    except ValueError:
        with pytest.raises(ValueError, match="different shape"):
            flat_output(value)
        return
    names = {"bool": "BOOL", "int64": "INT64", "uint64": "UINT64", "float64": "FP64", "object": "BYTES"}

    assert repr(flat_output(value)) == repr((names.get(str(array.dtype), "BYTES"), array.tolist()))


def test_arrays_and_tensors_keep_their_own_type():
    numpy = pytest.importorskip("numpy")

    assert flat_output(numpy.ones((2, 1), "float32")) == ("FP32", [1.0, 1.0])
    assert flat_output([numpy.float32(0.5), numpy.float32(1)]) == ("FP32", [0.5, 1.0])
    assert flat_output([numpy.arange(2, dtype="int8")] * 2) == ("INT8", [0, 1, 0, 1])
    assert flat_output(numpy.array(["a", "bc"])) == ("BYTES", ["a", "bc"])
    with pytest.raises(KeyError):
        flat_output([b"x"])


def test_torch_tensors_keep_their_own_type():
    torch = pytest.importorskip("torch")

    assert flat_output(torch.ones(2, 2, dtype=torch.float16)) == ("FP16", [1.0] * 4)
    assert flat_output(torch.arange(2)) == ("INT64", [0, 1])


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ([1, 2, 3, 4], [2, 2]),
        ([[1, 2], [3, 4]], [4]),
        ([1, 2.5], [2, 1]),
        ([], [0]),
        ([], [0, 3]),
        ([], [2, 0, 3]),
        (5, [1]),
        (5, []),
        ([1, 2, 3, 4], [-1, 2]),
        ([1, 2, 3], [-1, 2]),
        ([1, 2, 3, 4], [-1, -1]),
        ([1, 2, 3], [2, 2]),
        (["a", "b"], [1, 2]),
        (list(range(24)), [2, 3, 4]),
    ],
    ids=repr,
)
def test_inputs_are_nested_as_numpy_reshapes_them(data, shape):
    numpy = pytest.importorskip("numpy")
    try:
        expected = numpy.array(data).reshape(tuple(shape)).tolist()
    except ValueError:
        with pytest.raises(ValueError, match="cannot reshape"):
            shaped(data, shape)
        return

    assert repr(shaped(data, shape)) == repr(expected)


# envelopes of users


def test_an_envelope_of_a_user_works():
    class Doubled(BaseEnvelope):
        def parse_input(self, data):
            return [row["body"] for row in data]

        def format_output(self, data):
            return [f"{self.context.model_name} {value * 2}" for value in data]

    service = Service("m", "/m", None, Doubled(echo).handle, None, 1, True, configured_metrics_cache("m"), {})

    assert answers(service, a_request(4)) == ["m 8"]


def test_an_envelope_passes_empty_data_and_empty_results():
    class Failing(BaseEnvelope):
        def parse_input(self, data):
            raise AssertionError

        format_output = parse_input

    assert Failing(echo).handle([], None) == []
    assert Failing(echo).handle(None, None) is None
