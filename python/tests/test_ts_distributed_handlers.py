"""The bases of distributed handlers. Remote calls are PyTorch's own, DeepSpeed and PiPPy are stand-ins."""

import importlib
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from ts.context import Context  # noqa: E402
from ts.torch_handler.distributed.base_deepspeed_handler import BaseDeepSpeedHandler  # noqa: E402
from ts.torch_handler.distributed.base_pippy_handler import BasePippyHandler  # noqa: E402

PYTHON_ROOT = Path(__file__).resolve().parents[1]
DEEPSPEED = """
    def init_inference(model, config=None, **options):
        return {"model": model, "config": config, **options}
"""
PIPPY = """
    calls = []

    def split_into_equal_size(stages):
        return f"{stages} stages"

    def all_compile(model, **options):
        calls.append(options)
        return "driver", "stages"
"""
PIPPY_HF = """
    class PiPPyHFTracer: pass

    def inject_pipeline_forward(model, driver):
        model.forward = driver
"""


def a_context(folder, config) -> Context:
    return Context("m", str(folder), {"model": {}}, 1, None, "0.12.0", model_yaml_config=config)


# DeepSpeed


@pytest.mark.parametrize(("rank", "device"), [("3", 3), (None, 0)])
def test_a_deepspeed_handler_is_on_the_device_of_its_rank(monkeypatch, rank, device):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    handler = BaseDeepSpeedHandler()

    handler.initialize(a_context("/m", {}))

    assert handler.device == device


@pytest.fixture
def get_ds_engine(packages):
    packages({"deepspeed/__init__.py": DEEPSPEED})
    return importlib.import_module("ts.handler_utils.distributed.deepspeed").get_ds_engine


def test_the_engine_gets_its_configuration_and_the_list_of_weights(get_ds_engine, tmp_path, capsys):
    weights = tmp_path / "weights"
    (weights / "deeper").mkdir(parents=True)
    for name in ("b.bin", "a.pt", "deeper/c.bin", "readme.txt"):
        (weights / name).touch()
    (tmp_path / "ds.json").write_text("{}")
    config = {
        "handler": {"model_path": str(weights)},
        "deepspeed": {"config": "ds.json", "checkpoint": "checkpoints.json"},
    }

    engine = get_ds_engine("model", a_context(tmp_path, config))

    checkpoint = str(tmp_path / "checkpoints.json")
    expected = {"model": "model", "config": str(tmp_path / "ds.json"), "base_dir": str(weights)}
    assert engine == {**expected, "checkpoint": checkpoint}
    assert json.loads(Path(checkpoint).read_text()) == {
        "type": "ds_model",
        "checkpoints": [str(weights / name) for name in ("a.pt", "b.bin", "deeper/c.bin")],
        "version": 1.0,
    }
    assert capsys.readouterr().out == f"Creating deepspeed checkpoint file {checkpoint}\n"


def test_what_the_yaml_does_not_name_stays_out_of_the_engine(get_ds_engine, tmp_path):
    engine = get_ds_engine("model", a_context(tmp_path, {"handler": {"model_path": "weights"}, "deepspeed": {}}))

    assert (engine["config"], engine["checkpoint"]) == (None, None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "m has no deepspeed config in model config yaml file"),
        ({"deepspeed": {"config": "absent.json"}}, "m has no deepspeed config file /m/absent.json"),
    ],
)
def test_an_engine_without_its_configuration_is_refused(get_ds_engine, settings, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        get_ds_engine("model", a_context("/m", {"handler": {"model_path": "weights"}, **settings}))


# PiPPy


def test_a_pippy_handler_needs_a_group(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)

    with pytest.raises(KeyError):
        BasePippyHandler().initialize(a_context("/m", {}))


RANK = """
    import logging, os, sys
    import torch
    from torch.distributed import rpc
    from ts.context import Context
    from ts.torch_handler.distributed.base_pippy_handler import BasePippyHandler

    config = {"pippy": {"rpc_timeout": 60, "num_worker_threads": 4}}
    handler = BasePippyHandler()
    handler.initialize(Context("m", "/m", {"model": {}}, 1, None, "0.12.0", model_yaml_config=config))
    other = 1 - handler.local_rank
    total = rpc.rpc_sync(f"worker{other}", torch.add, args=(torch.ones(2), handler.local_rank))
    print(handler.local_rank, handler.world_size, handler.device, total.tolist())
    rpc.shutdown()
"""


def test_the_ranks_of_a_pippy_group_call_each_other(tmp_path):
    # The port is the first rank's choice, so that no other test's group meets this one.
    rendezvous = ["--standalone", "--nproc-per-node", "2", "--redirects", "3", "--log-dir", str(tmp_path)]
    script = tmp_path / "rank.py"
    script.write_text(textwrap.dedent(RANK))

    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *rendezvous, str(script)],
        env={
            "PYTHONPATH": str(PYTHON_ROOT),
            "PATH": "/usr/bin:/bin",
            "CUDA_VISIBLE_DEVICES": "",
            "GLOO_SOCKET_IFNAME": "lo",
            "TP_SOCKET_IFNAME": "lo",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    printed = sorted(path.read_text() for path in tmp_path.rglob("stdout.log"))
    assert printed == ["0 2 cpu [1.0, 1.0]\n", "1 2 cpu [2.0, 2.0]\n"]


class Model(torch.nn.Module):
    def forward(self, words, mask=None, depth=3):
        return words


def pippy_config(tmp_path, **pippy) -> dict:
    return {"handler": {"model_path": str(tmp_path)}, "pippy": {"input_names": ["words"], "model_type": "own", **pippy}}


@pytest.fixture
def pt_pippy(packages):
    packages({"pippy/__init__.py": PIPPY, "pippy/hf/__init__.py": PIPPY_HF})
    return importlib.import_module("ts.handler_utils.distributed.pt_pippy")


def compile_options() -> dict:
    (options,) = importlib.import_module("pippy").calls
    return options


def test_a_model_is_cut_into_a_stage_per_rank(pt_pippy, tmp_path):
    model = Model()

    driver = pt_pippy.get_pipeline_driver(model, 2, a_context(tmp_path, pippy_config(tmp_path)))

    assert driver == "driver"
    assert not model.training
    assert compile_options() == {
        "num_ranks": 2,
        "num_chunks": 1,
        "schedule": "FillDrain",
        "split_policy": "2 stages",
        "tracer": None,
        "concrete_args": {"mask": None, "depth": 3},
        "index_filename": None,
        "checkpoint_prefix": None,
    }


def test_a_hugging_face_model_is_traced_and_gets_the_pipeline_as_its_forward(pt_pippy, tmp_path):
    model = Model()
    (tmp_path / "index.json").touch()
    config = pippy_config(tmp_path, model_type="HF", chunks=4)
    config["handler"]["index_filename"] = "index.json"

    piped = pt_pippy.get_pipeline_driver(model, 2, a_context(tmp_path, config))

    assert piped is model
    assert model.forward == "driver"
    options = compile_options()
    assert (options["num_chunks"], options["index_filename"]) == (4, str(tmp_path / "index.json"))
    assert type(options["tracer"]).__name__ == "PiPPyHFTracer"


@pytest.mark.parametrize("missing", ["pippy", "handler", "input_names", "model_type", "model_path"])
def test_a_key_that_the_yaml_lacks_is_named(pt_pippy, tmp_path, missing):
    config = pippy_config(tmp_path)
    for section in (config, config["handler"], config["pippy"]):
        section.pop(missing, None)

    with pytest.raises(AssertionError, match=f"^Missing '{missing}' key in YAML config$"):
        pt_pippy.get_pipeline_driver(Model(), 2, a_context(tmp_path, config))


def test_an_index_file_that_is_missing_is_named(pt_pippy, tmp_path):
    config = pippy_config(tmp_path)
    config["handler"]["index_filename"] = "absent.json"

    with pytest.raises(AssertionError, match=r"^Index file '.*/absent.json' not found$"):
        pt_pippy.get_pipeline_driver(Model(), 2, a_context(tmp_path, config))


def test_a_pippy_that_cannot_compile_a_whole_model_is_named(packages, tmp_path):
    packages({"pippy/__init__.py": "def split_into_equal_size(stages): pass\n"})
    pt_pippy = importlib.import_module("ts.handler_utils.distributed.pt_pippy")

    with pytest.raises(RuntimeError, match="install torchpippy below version 0.2"):
        pt_pippy.get_pipeline_driver(Model(), 2, a_context(tmp_path, pippy_config(tmp_path)))


def test_the_misspelt_name_is_the_same_function():
    pt_pippy = importlib.import_module("ts.handler_utils.distributed.pt_pippy")

    assert pt_pippy.get_pipline_driver is pt_pippy.get_pipeline_driver
