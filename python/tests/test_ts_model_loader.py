import json
import sys
import textwrap
import uuid

import pytest

from ts.model_loader import ModelLoaderFactory


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Writes files into a model's folder; what is imported from there is forgotten after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(**files: str):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return tmp_path

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def load(folder, handler, **options):
    arguments = {"gpu_id": None, "batch_size": 2, "envelope": None, "limit_max_image_pixels": True}
    return ModelLoaderFactory.get_model_loader().load("m", str(folder), handler, **{**arguments, **options})


def answer(service, body: bytes = b"") -> str:
    request = {"requestId": "r", "headers": [], "parameters": [("body", "application/json", body)]}
    result = service.predict([request])
    assert result.code == 200, result
    return result.entries[0].body.decode()


CLASS_HANDLER = """
    class Handler:
        def __init__(self):
            self.calls = []
        def initialize(self, context):
            self.calls.append(context.model_name)
        def handle(self, data, context):
            return ["class " + ",".join(self.calls) for _ in data]
"""
FUNCTIONS = """
    calls = []
    def handle(data, context):
        calls.append(data)
        return ["handle %d" % len(calls)] if data else "ignored"
    def other(data, context):
        return data and ["other"]
"""


@pytest.mark.parametrize("handler", ["form_a", "form_a.py", "some/dir/form_a.py", "some/dir/form_a"])
def test_a_module_is_named_with_or_without_suffix_and_folder(archive, handler):
    assert answer(load(archive(form_a=CLASS_HANDLER), handler)) == "class m"


@pytest.mark.parametrize("handler", ["form_b:other", "form_b.py:other", "dir/form_b.py:other"])
def test_a_function_is_named_after_a_colon(archive, handler):
    assert answer(load(archive(form_b=FUNCTIONS), handler)) == "other"


def test_a_module_function_is_called_once_with_none_at_load(archive):
    service = load(archive(form_c=FUNCTIONS), "form_c")

    assert sys.modules["form_c"].calls == [None]
    assert answer(service) == "handle 2"


def test_a_dotted_module_is_loaded_from_the_archive(archive):
    folder = archive(pkg_d____init="", pkg_d__mod=FUNCTIONS)
    (folder / "pkg_d" / "__init__.py").touch()

    assert answer(load(folder, "pkg_d.mod:other")) == "other"


def test_a_module_function_that_fails_on_none_fails_the_load(archive):
    with pytest.raises(TypeError):
        load(archive(form_e="def handle(data, context):\n    return [len(data)]\n"), "form_e")


def test_a_function_called_handle_wins_over_a_class(archive):
    assert answer(load(archive(form_f=CLASS_HANDLER + FUNCTIONS), "form_f")) == "handle 2"


def test_imported_classes_are_not_counted(archive):
    folder = archive(
        form_g="from decimal import Decimal\nfrom collections import OrderedDict\n" + textwrap.dedent(CLASS_HANDLER)
    )

    assert answer(load(folder, "form_g")) == "class m"


def test_a_function_that_is_missing_leaves_the_class(archive):
    assert answer(load(archive(form_h=CLASS_HANDLER), "form_h:absent")) == "class m"


def test_a_class_named_after_the_colon_is_the_handler(archive):
    source = textwrap.dedent(CLASS_HANDLER) + "class Second(Handler):\n    pass\n"

    assert answer(load(archive(form_i=source), "form_i:Second")) == "class m"


def test_a_helper_class_beside_the_one_handler_class_is_allowed(archive):
    source = textwrap.dedent(CLASS_HANDLER) + "class Helper:\n    pass\n"

    assert answer(load(archive(form_j=source), "form_j")) == "class m"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("class A:\n    pass\nclass B:\n    pass\n", r"\[<class 'form_k.A'>, <class 'form_k.B'>\]"),
        (textwrap.dedent(CLASS_HANDLER) + "class B(Handler):\n    pass\n", "form_k.B"),
        ("value = 1\n", r"\[\]"),
    ],
)
def test_a_module_without_one_handler_class_is_refused(archive, source, names):
    text = "Expected only one class in custom service code or a function entry point .*" + names
    with pytest.raises(ValueError, match=text):
        load(archive(form_k=source), "form_k")


def test_a_missing_function_is_named_when_there_is_no_class_to_take(archive):
    with pytest.raises(ValueError, match=r"Expected only one class .*no function 'absent'"):
        load(archive(form_l="value = 1\n"), "form_l:absent")


def test_a_class_without_handle_is_refused(archive):
    with pytest.raises(ValueError, match="Expect handle method in class <class 'form_m.A'>"):
        load(archive(form_m="class A:\n    pass\n"), "form_m")


def test_a_class_without_initialize_fails_the_load(archive):
    with pytest.raises(AttributeError, match="initialize"):
        load(archive(form_n="class A:\n    def handle(self, data, context):\n        pass\n"), "form_n")


def test_the_entry_point_is_taken_before_initialize(archive):
    source = """
        class A:
            def __init__(self):
                self.handle = lambda data, context: ["constructor"]
            def initialize(self, context):
                self.handle = None
    """
    assert answer(load(archive(form_o=source), "form_o")) == "constructor"


@pytest.mark.parametrize("handler", [None, ""])
def test_a_model_without_handler_says_so(archive, handler):
    with pytest.raises(ValueError, match="no handler"):
        load(archive(), handler)


@pytest.mark.parametrize("handler", ["absent_p", "absent_p.py", "dir/absent_p.py:fn"])
def test_a_missing_module_is_reported_as_missing_built_in(archive, handler):
    with pytest.raises(ModuleNotFoundError, match="^No module named 'ts.torch_handler.absent_p'$"):
        load(archive(), handler)


@pytest.mark.parametrize("statement", ["import absent_dependency", "from json import absent_dependency"])
def test_a_dependency_that_is_missing_is_the_error_reported(archive, statement):
    with pytest.raises(ImportError, match="absent_dependency") as caught:
        load(archive(form_q=f"{statement}\n"), "form_q")

    assert "ts.torch_handler" not in str(caught.value)


def test_a_syntax_error_escapes(archive):
    with pytest.raises(SyntaxError):
        load(archive(form_r="def handle(:\n"), "form_r")


def test_a_file_of_the_archive_beats_the_built_in_handler(archive):
    assert answer(load(archive(image_classifier=CLASS_HANDLER), "image_classifier")) == "class m"


@pytest.mark.parametrize("name", ["service", "model", "utils", "handler", "worker", "context", "base", "version"])
def test_common_file_names_load_the_file_of_the_archive(archive, name):
    assert answer(load(archive(**{name: CLASS_HANDLER}), f"{name}.py")) == "class m"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_built_in_handler_takes_a_class_after_the_colon(archive, tmp_path):
    torch = pytest.importorskip("torch")
    torch.jit.script(torch.nn.Identity()).save(str(tmp_path / "model.pt"))

    service = load(tmp_path, "tensor_handler:TensorHandler")

    assert json.loads(answer(service, b"[1, 2]")) == [1, 2]


def test_while_it_initialises_a_handler_has_metrics_but_no_requests(archive, caplog):
    source = """
        import logging
        class A:
            def initialize(self, context):
                assert context.request_ids is None and context.get_request_id() is None
                context.metrics.add_counter("loaded", 1, idx=0)
            def handle(self, data, context):
                return data
    """
    caplog.set_level("INFO")
    load(archive(form_s=source), "form_s")

    prefix, _, request_id = caplog.messages[0].rpartition(",")
    assert prefix.startswith("[METRICS]loaded.Count:1|#ModelName:m,Level:Model|#type:COUNTER|#hostname:")
    assert str(uuid.UUID(request_id)) == request_id


def test_the_context_holds_what_the_server_gave(archive):
    service = load(archive(form_t=FUNCTIONS), "form_t", gpu_id=1, limit_max_image_pixels=False)

    assert service.context.system_properties["gpu_id"] == 1
    assert service.context.system_properties["batch_size"] == 2
    assert service.context.system_properties["limit_max_image_pixels"] is False
    assert service.context.manifest is None
    assert service.context.model_yaml_config == {}


def test_the_manifest_and_its_yaml_are_read_from_the_archive(archive):
    pytest.importorskip("yaml")
    folder = archive(form_u=FUNCTIONS)
    manifest = {"model": {"modelName": "m", "configFile": "config.yaml"}}
    (folder / "MAR-INF").mkdir()
    (folder / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
    (folder / "config.yaml").write_text("minWorkers: 1\nflag: yes\nsmall: 1e3\nsixty: 12:30\n")

    service = load(folder, "form_u")

    assert service.context.manifest == manifest
    assert service.context.model_yaml_config == {"minWorkers": 1, "flag": True, "small": "1e3", "sixty": 750}


def test_an_empty_yaml_is_an_empty_config(archive):
    pytest.importorskip("yaml")
    folder = archive(form_v=FUNCTIONS)
    (folder / "config.yaml").write_text("# nothing\n")

    service = load(folder, "form_v", manifest={"model": {"configFile": "config.yaml"}})

    assert service.context.model_yaml_config == {}


def test_a_yaml_that_the_manifest_names_has_to_be_there(archive):
    pytest.importorskip("yaml")
    with pytest.raises(FileNotFoundError):
        load(archive(form_w=FUNCTIONS), "form_w", manifest={"model": {"configFile": "config.yaml"}})


def test_a_parsed_config_counts_where_the_manifest_names_no_file(archive):
    service = load(archive(form_x=FUNCTIONS), "form_x", model_yaml_config={"a": 1}, manifest={"model": {}})

    assert service.context.model_yaml_config == {"a": 1}


def test_an_envelope_wraps_predictions_but_not_the_call_at_load(archive):
    source = "def handle(data, context):\n    assert data is None or data == [[1, 2]]\n    return data\n"

    service = load(archive(form_y=source), "form_y", envelope="body")

    assert json.loads(answer(service, b"[1, 2]")) == [1, 2]


def test_an_unknown_envelope_fails_the_load(archive):
    with pytest.raises(ModuleNotFoundError, match="No module named 'ts.torch_handler.request_envelope.absent'"):
        load(archive(form_z=FUNCTIONS), "form_z", envelope="absent")


def test_an_error_of_initialize_escapes_as_it_is(archive):
    source = "class A:\n    def initialize(self, context):\n        raise MemoryError('x')\n    handle = None\n"
    with pytest.raises(MemoryError):
        load(archive(form_0=source), "form_0")


def test_metrics_come_from_the_yaml_that_the_environment_names(archive, monkeypatch):
    pytest.importorskip("yaml")
    folder = archive(form_1=FUNCTIONS)
    (folder / "metrics.yaml").write_text(
        "model_metrics:\n  counter:\n    - {name: Mine, unit: count, dimensions: [ModelName, Level]}\n"
    )
    monkeypatch.setenv("TS_METRICS_CONFIG", str(folder / "metrics.yaml"))

    assert load(folder, "form_1").context.metrics.cache_keys() == ["counter:Mine"]


def test_without_a_metrics_file_there_are_two_metrics(archive):
    metrics = load(archive(form_2=FUNCTIONS), "form_2").context.metrics

    assert metrics.cache_keys() == ["gauge:HandlerTime", "gauge:PredictionTime"]
    assert metrics.model_name == "m"
