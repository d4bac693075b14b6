import json

import pytest

torch = pytest.importorskip("torch")

from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402
from ts.torch_handler.tensor_handler import TensorHandler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Plain(torch.nn.Module):
    """Counts its calls in its first output, so that a test sees what ran together."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        assert values.dim() == 2
        return torch.cat([values, torch.full([values.shape[0], 1], values.shape[0])], 1)


class Pair(torch.nn.Module):
    def forward(self, values: torch.Tensor):
        return values.sum(1), values * 2


class Named(torch.nn.Module):
    def forward(self, values: torch.Tensor):
        return {"sum": values.sum(1), "twice": values * 2}


def a_service(folder, module=None) -> Service:
    torch.jit.script(module or Plain()).save(str(folder / "weights.pt"))
    handler = TensorHandler()
    service = Service("m", str(folder), None, handler.handle, None, 8, True, configured_metrics_cache("m"), {})
    handler.initialize(service.context)
    return service


def predict(service, *bodies, content_type: str = "application/json") -> list:
    batch = [
        {"requestId": f"r{i}", "headers": [], "parameters": [("body", content_type, json.dumps(body).encode())]}
        for i, body in enumerate(bodies)
    ]
    result = service.predict(batch)
    assert result.code == 200, result
    return result.entries


def answers(service, *bodies, **options) -> list:
    return [json.loads(entry.body) for entry in predict(service, *bodies, **options)]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_a_sample_is_answered_whatever_its_content_type(tmp_path, content_type):
    assert answers(a_service(tmp_path), [1.5, 2.5], content_type=content_type) == [[1.5, 2.5, 1.0]]


def test_integers_stay_integers(tmp_path):
    entries = predict(a_service(tmp_path), [1, 2])

    assert b"".join(entries[0].body.split()) == b"[1,2,1]"
    assert entries[0].headers == {"content-type": "application/json"}


def test_a_sample_may_be_called_inputs_and_several_are_instances(tmp_path):
    service = a_service(tmp_path)

    assert answers(service, {"inputs": [1.0]}) == [[1.0, 1.0]]
    assert answers(service, {"instances": [[1.0], [2.0]]}) == [[[1.0, 2.0], [2.0, 2.0]]]


def test_samples_of_one_shape_run_together(tmp_path):
    service = a_service(tmp_path)

    assert answers(service, [1.0], {"instances": [[2.0], [3.0]]}, {"inputs": [4.0]}) == [
        [1.0, 4.0],
        [[2.0, 4.0], [3.0, 4.0]],
        [4.0, 4.0],
    ]


def test_samples_of_different_shape_or_type_run_alone(tmp_path):
    service = a_service(tmp_path)

    assert answers(service, [1.0], [1.0, 2.0]) == [[1.0, 1.0], [1.0, 2.0, 1.0]]
    assert answers(service, [1.0], [1]) == [[1.0, 1.0], [1, 1]]


def test_several_outputs_are_answered_together(tmp_path):
    assert answers(a_service(tmp_path, Pair()), [1.0, 2.0], [3.0, 4.0]) == [[3.0, [2.0, 4.0]], [7.0, [6.0, 8.0]]]


def test_named_outputs_are_answered_by_name(tmp_path):
    service = a_service(tmp_path, Named())

    assert answers(service, {"instances": [[1.0]]}, [2.0]) == [
        [{"sum": 1.0, "twice": [2.0]}],
        {"sum": 2.0, "twice": [4.0]},
    ]


@pytest.mark.parametrize(
    "body", ["text", {"other": [1]}, {"instances": 3}, [[1], [2, 3]], [None], ["a"], None, [2**70]]
)
def test_a_body_without_tensor_is_refused_and_the_rest_of_its_batch_is_served(tmp_path, body):
    first, second = predict(a_service(tmp_path), body, [1.0])

    assert (first.status, second.status) == (400, 200)
    answer = json.loads(first.body)
    assert (answer["code"], answer["type"]) == (400, "BadRequestException")
    assert answer["message"].startswith("The body holds no tensor: ")
    assert json.loads(second.body) == [1.0, 1.0]


def test_a_body_that_is_not_json_is_refused(tmp_path):
    request = {"requestId": "r", "headers": [], "parameters": [("body", "", b"\xff\x00")]}

    assert a_service(tmp_path).predict([request]).entries[0].status == 400
    assert a_service(tmp_path).predict([{**request, "parameters": []}]).entries[0].status == 400


def test_a_sample_that_the_model_fails_on_leaves_the_others(tmp_path):
    first, second = predict(a_service(tmp_path), [[1.0]], [1.0])

    assert (first.status, json.loads(first.body)["message"]) == (503, "Prediction failed")
    assert json.loads(second.body) == [1.0, 1.0]


def test_a_batch_that_the_model_fails_on_fails(tmp_path):
    service = a_service(tmp_path)
    request = {"requestId": "r", "headers": [], "parameters": [("body", "application/json", b"[[1.0]]")]}

    assert service.predict([request]).message == "Prediction failed"


def test_no_instances_are_no_answers(tmp_path):
    class Sum(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values

    assert answers(a_service(tmp_path, Sum()), {"instances": []}) == [[]]


def test_the_folder_has_to_say_which_model_it_holds(tmp_path):
    (tmp_path / "a.pt").touch()
    (tmp_path / "b.pt").touch()
    handler = TensorHandler()
    context = Service("m", str(tmp_path), None, handler.handle, None, 1).context

    with pytest.raises(RuntimeError, match="holds 2 .pt files"):
        handler.initialize(context)
