import glob
import logging
import os
import sys

import pytest

torch = pytest.importorskip("torch")

from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402
from ts.torch_handler import base_handler  # noqa: E402
from ts.torch_handler.base_handler import BaseHandler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MODEL_FILE = """
import torch
class Doubler(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([1.0]))
    def forward(self, values):
        return values * self.scale
"""


class Doubler(torch.nn.Module):
    def __init__(self, scale: float = 2.0):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([scale]))

    def forward(self, values):
        return values * self.scale


class NumbersHandler(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([row["body"] for row in data])


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch, caplog):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    caplog.set_level(logging.INFO)
    yield
    for name in set(sys.modules) - before:
        if "pytest-" in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def initialised(folder, handler=None, config=None, **model):
    handler = handler or NumbersHandler()
    manifest = {"model": {"modelName": "doubler", **model}}
    service = Service("m", str(folder), manifest, handler.handle, None, 1, True, configured_metrics_cache("m"), config)
    sys.path.insert(0, str(folder))
    handler.initialize(service.context)
    return handler, service


def with_torchscript(folder, config=None, handler=None):
    torch.jit.script(Doubler()).save(str(folder / "model.pt"))
    return initialised(folder, handler, config, serializedFile="model.pt")


def answers(service, *bodies: bytes, **headers: str) -> list:
    batch = [
        {"requestId": f"r{i}", "headers": list(headers.items()), "parameters": [("body", "application/json", body)]}
        for i, body in enumerate(bodies)
    ]
    result = service.predict(batch)
    assert result.code == 200, result
    return [b"".join(entry.body.split()).decode() for entry in result.entries]


def test_a_new_handler_has_its_attributes():
    handler = BaseHandler()

    expected = dict.fromkeys(["model", "mapping", "device", "context", "model_pt_path", "manifest", "map_location"])
    assert {name: getattr(handler, name) for name in expected} == expected
    assert (handler.initialized, handler.explain, handler.target, handler.profiler_args) == (False, False, 0, {})
    assert not hasattr(handler, "model_yaml_config")


def test_a_pt_file_is_loaded_as_torchscript(tmp_path):
    handler, service = with_torchscript(tmp_path)

    assert handler.initialized
    assert (handler.map_location, handler.device, handler.get_device()) == ("cpu", *[torch.device("cpu")] * 2)
    assert not handler.model.training
    assert answers(service, b"[1, 2]", b"[3, 4.5]") == ["[2.0,4.0]", "[6.0,9.0]"]


def test_a_model_file_is_built_with_its_state(tmp_path):
    (tmp_path / "net_a.py").write_text(MODEL_FILE)
    torch.save(Doubler(3.0).state_dict(), tmp_path / "state.pt")

    handler, service = initialised(tmp_path, modelFile="net_a.py", serializedFile="state.pt")

    assert not handler.model.training
    assert answers(service, b"[1]") == ["[3.0]"]


def test_a_model_file_alone_is_built_as_it_is(tmp_path):
    (tmp_path / "net_b.py").write_text(MODEL_FILE)

    handler, service = initialised(tmp_path, modelFile="net_b.py")

    assert handler.model_pt_path is None
    assert answers(service, b"[1]") == ["[1.0]"]


def test_a_model_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="^Missing the model.py file$"):
        initialised(tmp_path, modelFile="absent.py")


def test_a_model_file_with_two_classes_is_refused(tmp_path):
    (tmp_path / "net_c.py").write_text(MODEL_FILE + "class Second: pass\n")

    with pytest.raises(ValueError, match=r"^Expected only one class as model definition. \[<class 'net_c.Doubler'>"):
        initialised(tmp_path, modelFile="net_c.py")


def test_a_state_that_holds_more_than_tensors_names_the_way_out(tmp_path):
    (tmp_path / "net_d.py").write_text(MODEL_FILE)
    torch.save(Doubler(), tmp_path / "state.pt")

    with pytest.raises(Exception, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        initialised(tmp_path, modelFile="net_d.py", serializedFile="state.pt")


@pytest.mark.parametrize("model", [{}, {"serializedFile": "model.pth"}, {"serializedFile": "model.so"}])
def test_a_model_in_another_form_is_refused(tmp_path, model):
    with pytest.raises(RuntimeError, match="^No model weights could be loaded$"):
        initialised(tmp_path, **model)


def test_an_archive_without_manifest_is_refused():
    handler = BaseHandler()
    service = Service("m", "/m", None, handler.handle, None, 1)

    with pytest.raises(TypeError):
        handler.initialize(service.context)


def test_an_onnx_file_becomes_a_session(tmp_path, caplog, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper = onnx.helper
    floats = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", floats[:1], floats[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")

    class OnnxHandler(NumbersHandler):
        def inference(self, data):
            return torch.as_tensor(self.model.run(None, {"x": data[0].numpy()})[0]).unsqueeze(0)

    handler, service = initialised(tmp_path, OnnxHandler(), serializedFile="model.onnx")

    assert handler.model.get_providers() == ["CPUExecutionProvider"]
    assert handler.model.get_session_options().intra_op_num_threads == os.cpu_count()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    session = base_handler.setup_ort_session(str(tmp_path / "model.onnx"), "cpu")
    assert session.get_session_options().intra_op_num_threads == 3
    assert "Succesfully setup ort session" in caplog.messages
    assert answers(service, b"[1.5, 2]") == ["[3.0,4.0]"]


def test_a_compiled_library_is_loaded_when_the_yaml_says_so(tmp_path, caplog):
    loaded = []

    class LibraryHandler(NumbersHandler):
        def _load_torch_export_aot_compile(self, model_so_path):
            loaded.append(model_so_path)
            return Doubler()

    config = {"pt2": {"export": {"aot_compile": True}}}
    _, service = initialised(tmp_path, LibraryHandler(), config, serializedFile="model.so")

    assert loaded == [str(tmp_path / "model.so")]
    assert any("Succesfully loaded torch exported model" in message for message in caplog.messages)
    assert answers(service, b"[1]") == ["[2.0]"]


# torch.compile


@pytest.mark.parametrize(
    ("pt2", "described", "is_deprecated"),
    [
        ("eager", "backend eager", True),
        ({"backend": "eager", "dynamic": True}, "backend eager, dynamic True", True),
        ({"compile": {"enable": True, "backend": "eager"}}, "backend eager", False),
    ],
)
def test_a_model_is_compiled_as_the_yaml_says(tmp_path, monkeypatch, caplog, pt2, described, is_deprecated):
    (tmp_path / "net_e.py").write_text(MODEL_FILE)
    config = {"pt2": pt2}
    before = repr(config)

    handler, service = initialised(tmp_path, config=config, modelFile="net_e.py")

    assert isinstance(handler.model, torch._dynamo.OptimizedModule)
    assert f"Compiled model with {described}" in caplog.messages
    assert any("deprecated" in message for message in caplog.messages) == is_deprecated
    assert repr(config) == before
    assert answers(service, b"[1]") == ["[1.0]"]


@pytest.mark.parametrize(
    "pt2", [{"compile": {"enable": False, "backend": "eager"}}, {"compile": {}}, {"compile": None}, {"export": {}}]
)
def test_a_model_is_not_compiled_unless_the_yaml_says_so(tmp_path, pt2):
    handler, _ = with_torchscript(tmp_path, {"pt2": pt2})

    assert isinstance(handler.model, torch.jit.ScriptModule)


def test_an_unknown_backend_leaves_the_model_as_it_is(tmp_path, caplog):
    handler, _ = with_torchscript(tmp_path, {"pt2": {"compile": {"enable": True, "backend": "absent"}}})

    assert isinstance(handler.model, torch.jit.ScriptModule)
    assert "absent is not a supported backend" in caplog.messages


def test_a_model_that_does_not_compile_is_served_as_it_is(tmp_path, caplog):
    options = {"enable": True, "backend": "eager", "absent_option": 1}
    _, service = with_torchscript(tmp_path, {"pt2": {"compile": options}})

    assert (
        "Compiling model model with backend eager, absent_option 1 has failed \n Proceeding without compilation"
        in caplog.messages
    )
    assert answers(service, b"[1]") == ["[2.0]"]


@pytest.mark.parametrize("pt2", [None, 3, ["eager"]])
def test_pt2_of_another_type_is_refused(tmp_path, pt2):
    with pytest.raises(ValueError, match="^pt2 should be str or dict$"):
        with_torchscript(tmp_path, {"pt2": pt2})


# Predictions


def test_labels_are_read_from_the_archive(tmp_path, caplog):
    with_torchscript(tmp_path)
    assert any("is missing. Inference output will not include class name." in text for text in caplog.messages)

    (tmp_path / "index_to_name.json").write_text('{"0": "zero"}')
    handler, _ = with_torchscript(tmp_path)
    assert handler.mapping == {"0": "zero"}


def test_a_prediction_prints_the_time_of_the_handler_and_of_the_call(tmp_path, caplog):
    _, service = with_torchscript(tmp_path)
    caplog.clear()

    answers(service, b"[1]", b"[2]")

    names = [message.partition(".")[0] for message in caplog.messages]
    assert names == ["[METRICS]HandlerTime", "[METRICS]PredictionTime"]
    assert all(message.endswith(",r0,r1") for message in caplog.messages)


def test_profiled_steps_print_their_times(tmp_path, caplog):
    _, service = with_torchscript(tmp_path, {"handler": {"profile": True}})
    caplog.clear()

    answers(service, b"[1]")

    names = [message.partition(".")[0].removeprefix("[METRICS]") for message in caplog.messages]
    steps = ["ts_handler_preprocess", "ts_handler_inference", "ts_handler_postprocess"]
    assert names == [*steps, "HandlerTime", "PredictionTime"]


def test_a_describe_request_gets_the_description(tmp_path):
    class Described(NumbersHandler):
        def describe_handle(self):
            return {"about": "it"}

    _, service = with_torchscript(tmp_path, handler=Described())
    assert answers(service, b"", describe="True") == ['{"about":"it"}']

    _, service = with_torchscript(tmp_path)
    assert answers(service, b"", describe="True") == ["null"]


def test_an_explain_request_gets_the_insights(tmp_path, caplog):
    class Explained(NumbersHandler):
        def preprocess(self, data):
            return "preprocessed"

        def get_insights(self, tensor_data, raw, target):
            return [[tensor_data, raw, target]]

    handler, service = with_torchscript(tmp_path, handler=Explained())
    batch = {
        "requestId": "r",
        "headers": [("explain", "True")],
        "parameters": [("data", "text/plain", b"text"), ("target", "application/json", b"3")],
    }

    result = service.predict([batch])

    assert b"".join(result.entries[0].body.split()) == b'["preprocessed","text",3]'
    assert handler.explain
    assert "Calculating Explanations" in caplog.messages


def test_an_explain_request_to_a_handler_without_insights_fails(tmp_path):
    _, service = with_torchscript(tmp_path)
    request = {"requestId": "r", "headers": [("explain", "True")], "parameters": [("body", "application/json", b"[1]")]}

    assert service.predict([request]).message == "Prediction failed"


def test_the_profiler_writes_a_trace_per_model(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("ENABLE_TORCH_PROFILER", "1")
    monkeypatch.setenv("ENABLE_TORCH_PROFILER_DIR", str(tmp_path / "traces"))
    _, service = with_torchscript(tmp_path)

    assert answers(service, b"[1]") == ["[2.0]"]

    folder = str(tmp_path / "traces" / "doubler")
    assert f"Saving chrome trace to : {folder}" in caplog.messages
    assert len(glob.glob(os.path.join(folder, "*.json"))) == 1
    assert any("inference" in message and "preprocess" in message for message in caplog.messages)
    assert os.path.join(os.sep, "tmp", "pytorch_profiler") == base_handler.PROFILER_FOLDER


def test_the_features_of_this_torch_are_named():
    assert base_handler.PT2_AVAILABLE
    assert base_handler.PT230_AVAILABLE
    assert base_handler.PROFILER_AVAILABLE
    assert not base_handler.XLA_AVAILABLE
    assert not base_handler.IPEX_AVAILABLE
