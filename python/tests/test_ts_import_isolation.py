"""What a handler imports needs no third-party package until it uses one."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PYTHON_ROOT = Path(__file__).resolve().parents[1]

BLOCKED = """
import sys

BLOCKED = {"torch", "numpy", "yaml", "psutil", "PIL", "torchvision", "captum", "packaging", "requests", "transformers"}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
"""

STANDARD_LIBRARY_ONLY = [
    "ts",
    "ts.version",
    "ts.context",
    "ts.arg_parser",
    "ts.launcher",
    "ts.llm_launcher",
    "ts.model_server",
    "ts.server_command",
    "ts.model_service.model_service",
    "ts.service",
    "ts.async_service",
    "ts.model_loader",
    "ts.utils.util",
    "ts.utils.setup_model_venv",
    "ts.utils.timeit_decorator",
    "ts.handler_utils.utils",
    "ts.handler_utils.timer",
    "ts.handler_utils.micro_batching",
    "ts.handler_utils.text_utils",
    "ts.protocol.otf_message_handler",
    "ts.metrics",
    "ts.metrics.dimension",
    "ts.metrics.metric",
    "ts.metrics.metric_cache_abstract",
    "ts.metrics.metric_cache_errors",
    "ts.metrics.metric_cache_yaml_impl",
    "ts.metrics.caching_metric",
    "ts.metrics.metric_encoder",
    "ts.metrics.metric_type_enum",
    "ts.metrics.metrics_store",
    "ts.metrics.process_memory_metric",
    "ts.metrics.system_metrics",
    "ts.metrics.metric_collector",
    "ts.metrics.unit",
    "ts.torch_handler.contractions",
    "ts.torch_handler.imagenet_statistics",
    "ts.torch_handler.language_model_request",
    "ts.torch_handler.vllm_services",
    "ts.torch_handler.request_envelope.base",
    "ts.torch_handler.request_envelope.body",
    "ts.torch_handler.request_envelope.json",
    "ts.torch_handler.request_envelope.kserve",
    "ts.torch_handler.request_envelope.kservev2",
    "ts.torch_handler.unit_tests.test_utils.mock_context",
    "ts.torch_handler.unit_tests.test_utils.model_dir",
]


def run_isolated(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + textwrap.dedent(code)],
        cwd=PYTHON_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_these_modules_import_with_the_standard_library_alone():
    answer = run_isolated(f"""
        import importlib
        for name in {STANDARD_LIBRARY_ONLY!r}:
            importlib.import_module(name)
        print("done")
    """)

    assert (answer.stdout, answer.stderr) == ("done\n", "")


def test_a_handler_is_loaded_and_predicts_with_the_standard_library_alone(tmp_path):
    (tmp_path / "plain.py").write_text("def handle(data, context):\n    return data and [1.5 for _ in data]\n")

    answer = run_isolated(f"""
        import logging
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
        from ts.model_loader import ModelLoaderFactory
        service = ModelLoaderFactory.get_model_loader().load(
            "m", {str(tmp_path)!r}, "plain.py", None, 1, None, True,
            model_yaml_config={{"a": 1}}, manifest={{"model": {{"configFile": "model.yaml"}}}},
        )
        result = service.predict([{{"requestId": "r", "headers": [], "parameters": []}}], None)
        print(result.code, result.entries[0].body, service.context.model_yaml_config)
    """)

    assert answer.stderr == ""
    metric, outcome = answer.stdout.splitlines()
    assert metric.startswith("[METRICS]PredictionTime.Milliseconds:")
    assert outcome == "200 b'1.5' {'a': 1}"


def test_the_worker_has_few_modules_before_it_loads_a_handler():
    answer = run_isolated("""
        import ts.model_loader
        own = {name for name in sys.modules if getattr(sys.modules[name], "__file__", None)}
        print(sorted(own & {"service", "worker", "utils", "handler", "model", "context", "base", "json_text"}))
    """)

    assert answer.stdout == "[]\n"


@pytest.mark.parametrize("name", ["ts", "ts.version"])
def test_the_version_is_that_of_the_handler_api(name):
    module = __import__(name, fromlist=["__version__"])

    assert module.__version__ == "0.12.0"
