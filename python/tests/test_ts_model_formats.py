"""The forms of a model that BaseHandler loads, made by PyTorch itself: exported, compiled ahead of time and at load."""

import inspect
import json
import logging
import sys
import zipfile

import pytest

torch = pytest.importorskip("torch")

from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402
from ts.torch_handler import base_handler  # noqa: E402
from ts.torch_handler.base_handler import BaseHandler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, values):
        return torch.relu(self.drop(self.layer(values)))


BATCH = {0: torch.export.Dim("batch", min=1, max=64)}
REQUESTS = [[1.0, 2.0, 3.0], [-4.0, 0.5, 6.0], [0.0, 0.0, 0.25]]


class NumbersHandler(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([row["body"] for row in data])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return Layers().eval()


@pytest.fixture(scope="module")
def exported(model):
    return torch.export.export(model, (torch.zeros(2, 3),), dynamic_shapes=(BATCH,))


@pytest.fixture(scope="module")
def compiled_package(exported, tmp_path_factory):
    path = tmp_path_factory.mktemp("compiled") / "model.pt2"
    return torch._inductor.aoti_compile_and_package(exported, package_path=str(path))


@pytest.fixture(scope="module")
def compiled_library(model, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("library") / "model.so")
    options = {"aot_inductor.output_path": path}
    return torch._export.aot_compile(model, (torch.zeros(2, 3),), dynamic_shapes=(BATCH,), options=options)


def initialised(folder, config=None, **files):
    handler = NumbersHandler()
    manifest = {"model": {"modelName": "layers", **files}}
    metrics = configured_metrics_cache("m")
    service = Service("m", str(folder), manifest, handler.handle, None, 3, True, metrics, config or {})
    handler.initialize(service.context)
    return handler, service


def answers(service) -> list:
    batch = [
        {"requestId": str(index), "headers": [], "parameters": [("body", "application/json", json.dumps(row).encode())]}
        for index, row in enumerate(REQUESTS)
    ]
    result = service.predict(batch)
    assert result.code == 200, result
    return [json.loads(entry.body) for entry in result.entries]


def expected(model) -> list:
    with torch.inference_mode():
        return [pytest.approx(row, abs=1e-6) for row in model(torch.tensor(REQUESTS)).tolist()]


def test_an_exported_program_is_served(exported, model, tmp_path):
    torch.export.save(exported, tmp_path / "model.pt2")

    _, service = initialised(tmp_path, serializedFile="model.pt2")

    assert answers(service) == expected(model)


def test_an_exported_program_is_moved_to_the_handlers_device(exported, tmp_path):
    torch.export.save(exported, tmp_path / "model.pt2")
    handler = NumbersHandler()
    handler.device = torch.device("meta")

    moved = handler._load_exported_model(str(tmp_path / "model.pt2"))

    assert {parameter.device.type for parameter in moved.parameters()} == {"meta"}


def test_a_package_of_compiled_code_is_served(compiled_package, model, tmp_path):
    (tmp_path / "model.pt2").symlink_to(compiled_package)

    handler, service = initialised(tmp_path, serializedFile="model.pt2")

    assert type(handler.model).__name__ == "AOTICompiledModel"
    assert answers(service) == expected(model)


def test_code_that_was_compiled_for_another_device_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as package:
        package.writestr("model/data/aotinductor/model/x.wrapper_metadata.json", '{"AOTI_DEVICE_KEY": "cuda"}')

    with pytest.raises(RuntimeError, match="model.pt2 was compiled for cuda, and the model is to run on cpu"):
        initialised(tmp_path, serializedFile="model.pt2")


def test_a_file_that_only_has_the_name_of_a_package_is_refused(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"weights")

    with pytest.raises(RuntimeError, match="model.pt2 is no package of torch.export"):
        initialised(tmp_path, serializedFile="model.pt2")


def test_a_compiled_library_is_served(compiled_library, model, tmp_path, caplog):
    (tmp_path / "model.so").symlink_to(compiled_library)

    _, service = initialised(tmp_path, {"pt2": {"export": {"aot_compile": True}}}, serializedFile="model.so")

    assert answers(service) == expected(model)
    assert any("Succesfully loaded torch exported model" in message for message in caplog.messages)


@pytest.mark.parametrize(
    "pt2",
    [
        "inductor",
        {"backend": "inductor", "mode": "reduce-overhead"},
        {"compile": {"enable": True, "backend": "inductor", "dynamic": True}},
    ],
    ids=["name", "options", "compile"],
)
def test_a_model_that_inductor_compiles_answers_the_same(model, tmp_path, monkeypatch, caplog, pt2):
    caplog.set_level(logging.INFO)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "layers_net", raising=False)
    (tmp_path / "layers_net.py").write_text("import torch\n" + inspect.getsource(Layers))
    torch.save(model.state_dict(), tmp_path / "state.pt")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()

    handler, service = initialised(tmp_path, {"pt2": pt2}, modelFile="layers_net.py", serializedFile="state.pt")

    assert answers(service) == expected(model)
    assert isinstance(handler.model, torch._dynamo.OptimizedModule)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert any(message.startswith("Compiled model with backend inductor") for message in caplog.messages)


# The device, where only what PyTorch says of itself is made up


@pytest.mark.parametrize(
    ("available", "gpu_id", "env", "device", "location"),
    [
        ("cuda", 1, {}, "cuda:1", "cuda"),
        ("cuda", None, {}, "cpu", "cpu"),
        ("xpu", 1, {"TS_IPEX_GPU_ENABLE": "true"}, "xpu:1", "xpu"),
        ("xpu", 1, {"TS_IPEX_GPU_ENABLE": "false"}, "cpu", "cpu"),
        ("mps", 0, {}, "mps", "mps"),
        ("mps", None, {}, "cpu", "cpu"),
        ("", 0, {}, "cpu", "cpu"),
    ],
)
def test_the_device_is_the_one_that_torch_has(monkeypatch, available, gpu_id, env, device, location):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available == "cuda")
    monkeypatch.setattr(torch.xpu, "is_available", lambda: available == "xpu")
    monkeypatch.setattr(torch.xpu, "set_device", lambda device: None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: available == "mps")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    handler = BaseHandler()

    handler._choose_device(gpu_id)

    assert (handler.device, handler.map_location) == (torch.device(device), location)


def test_the_device_of_torch_xla_leaves_no_place_for_weights(monkeypatch, packages):
    packages({"torch_xla/core/xla_model.py": "def xla_device():\n    return 'xla:0'\n"})
    monkeypatch.setattr(base_handler, "XLA_AVAILABLE", True)
    handler = BaseHandler()

    handler._choose_device(None)

    assert (handler.device, handler.map_location) == ("xla:0", None)


@pytest.mark.parametrize(
    ("location", "providers"),
    [("cuda", ["CUDAExecutionProvider", "CPUExecutionProvider"]), ("cpu", ["CPUExecutionProvider"])],
)
def test_an_onnx_session_asks_for_the_providers_of_its_device(monkeypatch, location, providers):
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda path, providers, sess_options: (path, providers))

    assert base_handler.setup_ort_session("model.onnx", location) == ("model.onnx", providers)


def test_a_model_is_optimized_with_ipex_where_nothing_else_compiles_it(model, tmp_path, monkeypatch, caplog, packages):
    caplog.set_level(logging.INFO)
    packages(
        {"intel_extension_for_pytorch.py": "def optimize(model):\n    model.is_optimized = True\n    return model\n"}
    )
    monkeypatch.setattr(base_handler, "IPEX_AVAILABLE", True)
    torch.jit.trace(model, torch.zeros(2, 3)).save(str(tmp_path / "model.pt"))

    handler, service = initialised(tmp_path, serializedFile="model.pt")

    assert handler.model.is_optimized
    assert "Compiled model with ipex" in caplog.messages
    assert answers(service) == expected(model)
