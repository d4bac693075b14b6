import re
import sys
import textwrap

import pytest

from sconce_worker import loading
from ts.failure_text import failure_text, one_line, request_lines, user_traceback
from ts.metrics.configured_cache import configured_metrics_cache
from ts.service import Service


@pytest.fixture
def handler(tmp_path, monkeypatch):
    """Writes handler.py, imports it as a worker does, and gives what the log is told of the first prediction."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_handler", raising=False)

    def fail(source: str, caplog, ids=("r0",)) -> list:
        (tmp_path / "my_handler.py").write_text(textwrap.dedent(source), encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        module = __import__("my_handler")
        cache = configured_metrics_cache("m")
        service = Service("m", str(tmp_path), None, module.handle, None, len(ids), True, cache, {})
        assert service.predict([{"requestId": id_, "headers": [], "parameters": []} for id_ in ids]).code == 503
        return caplog.messages[-1].split("\n")

    return fail


def test_the_traceback_begins_with_the_handlers_own_line(handler, caplog):
    lines = handler(
        """
        def handle(data, context):
            return inner(data)

        def inner(data):
            return data["nothing"]
        """,
        caplog,
    )

    assert lines[:2] == ["Invoking custom service failed.", "Traceback (most recent call last):"]
    assert [line.split(", ", 1)[1] for line in lines if "File " in line] == ["line 3, in handle", "line 6, in inner"]
    assert lines[-2:] == ["TypeError: list indices must be integers or slices, not str", "request_id=r0"]


def test_frames_of_libraries_stay(handler, caplog):
    lines = handler("import json\ndef handle(data, context):\n    return json.loads('{')\n", caplog)

    assert any("decoder.py" in line for line in lines)
    assert not any("service.py" in line for line in lines)


@pytest.mark.parametrize(
    ("step", "frames"),
    [
        ("return data.nothing", ["my_handler.py"]),
        ("return super().preprocess(data)", ["my_handler.py", "timer.py", "base_handler.py"]),
    ],
)
def test_a_step_that_base_handler_calls_comes_first(step, frames, tmp_path, caplog):
    pytest.importorskip("torch")
    source = f"""
from ts.torch_handler.base_handler import BaseHandler
class Handler(BaseHandler):
    def initialize(self, context):
        pass
    def preprocess(self, data):
        {step}
"""
    service = load(tmp_path, caplog, source)[0].service

    service.predict([{"requestId": "r0", "headers": [], "parameters": []}])

    lines = caplog.messages[-1].split("\n")
    assert [re.search(r"(\w+\.py)\"", line).group(1) for line in lines if "File " in line] == frames


def test_what_a_library_raises_under_base_handler_is_told_from_base_handler_on(tmp_path, caplog):
    torch = pytest.importorskip("torch")
    source = """
from ts.torch_handler.base_handler import BaseHandler
class Handler(BaseHandler):
    def initialize(self, context):
        self.device = "cpu"
    def preprocess(self, data):
        return self.given
"""
    service = load(tmp_path, caplog, source)[0].service
    handler = service.entry_point.__self__
    handler.given, handler.model = torch.zeros(1, 3), torch.nn.Linear(2, 1)

    service.predict([{"requestId": "r0", "headers": [], "parameters": []}])

    first = next(line for line in caplog.messages[-1].split("\n") if "File " in line)
    assert first.endswith("in handle")
    assert "base_handler.py" in first


def test_a_batch_of_eight_names_all_its_requests_in_one_line(handler, caplog):
    ids = [f"id-{index}" for index in range(8)]

    lines = handler("def handle(data, context):\n    raise ValueError('x')\n", caplog, ids)

    assert lines[-1] == " ".join(f"request_id={request_id}" for request_id in ids)


def test_a_longer_batch_names_eight_to_a_line():
    assert [line.count("request_id=") for line in request_lines(dict(enumerate("abcdefghijk")))] == [8, 3]


def test_while_nothing_is_predicted_there_are_no_ids():
    assert (request_lines(None), failure_text("a", "b")) == ([], "a\nb")


def test_a_chain_of_exceptions_is_told_in_order(handler, caplog):
    lines = handler(
        """
        def handle(data, context):
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise ValueError("no numbers") from error
        """,
        caplog,
    )

    assert "ZeroDivisionError: division by zero" in lines
    assert "The above exception was the direct cause of the following exception:" in lines
    assert lines[-2] == "ValueError: no numbers"


def test_an_exception_without_a_text_of_its_own_is_told_by_its_class(handler, caplog):
    lines = handler(
        """
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError("no text")

        def handle(data, context):
            raise Odd()
        """,
        caplog,
    )

    assert "Odd" in lines[-2]
    assert one_line(_Odd()).startswith(f"{__name__}._Odd: ")


class _Odd(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are of Python 3.11")
def test_the_members_of_a_group_are_told(handler, caplog):
    lines = handler(
        "def handle(data, context):\n    raise ExceptionGroup('both', [ValueError('a'), KeyError('b')])\n", caplog
    )

    assert any("ExceptionGroup: both (2 sub-exceptions)" in line for line in lines)
    assert any("ValueError: a" in line for line in lines)
    assert any("KeyError: 'b'" in line for line in lines)


@pytest.mark.parametrize(
    "source",
    [
        "def handle(data, context):\n    return handle(data, context)\n",
        "def handle(data, context):\n    return other(data)\ndef other(data):\n    return handle(data, None)\n",
    ],
)
def test_an_endless_recursion_gives_a_bounded_traceback(source, handler, caplog):
    lines = handler(source, caplog)

    assert len(lines) <= 203
    assert lines[-2].startswith("RecursionError: maximum recursion depth exceeded")


def test_a_long_text_of_many_lines_is_cut_in_both_directions():
    lines = user_traceback(ValueError("\n".join(["x" * 5000] * 500))).split("\n")

    assert (len(lines), max(map(len, lines))) == (201, 1002)
    assert lines[80] == "  … 300 lines left out …"


def test_text_that_is_no_utf8_and_text_of_several_lines_are_told(handler, caplog):
    lines = handler("def handle(data, context):\n    raise ValueError('a\\nb \\ud800 é')\n", caplog)

    assert lines[-3:] == ["ValueError: a", "b \ud800 é", "request_id=r0"]


# Loading


def load(tmp_path, caplog, source: str, **more):
    (tmp_path / "my_handler.py").write_text(source, encoding="utf-8")
    order = {
        "modelName": "m",
        "modelDir": str(tmp_path),
        "handler": "my_handler.py",
        "batchSize": 1,
        "limitMaxImagePixels": True,
        **more,
    }
    outcome = loading.load(order)
    return outcome, (caplog.messages or [""])[-1].split("\n")


@pytest.fixture(autouse=True)
def _forget_the_handler(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("my_handler", None)


def test_a_syntax_error_shows_file_line_and_caret_and_no_frame(tmp_path, caplog):
    outcome, lines = load(tmp_path, caplog, "def handle(data, context):\n    return data data\n")

    assert lines[0] == "Backend worker process died."
    files = [line for line in lines if "File " in line]
    assert files == [f'  File "{tmp_path / "my_handler.py"}", line 2']
    assert any(line.strip().startswith("^") for line in lines)
    assert lines[-1].startswith("SyntaxError: ")
    assert outcome.last_line.startswith("SyntaxError: invalid syntax")
    assert outcome.last_line.endswith("(my_handler.py, line 2)")


def test_an_import_that_fails_shows_the_line_of_the_handler(tmp_path, caplog):
    _, lines = load(tmp_path, caplog, "import json\nimport surely_not_there\n")

    assert [line for line in lines if "File " in line] == [
        f'  File "{tmp_path / "my_handler.py"}", line 2, in <module>'
    ]
    assert lines[-1] == "ModuleNotFoundError: No module named 'surely_not_there'"


def test_a_missing_handler_is_told_without_frames(tmp_path, caplog):
    _, lines = load(tmp_path, caplog, "", handler="elsewhere.py")

    assert lines == [
        "Backend worker process died.",
        "ModuleNotFoundError: No module named 'ts.torch_handler.elsewhere'",
    ]


@pytest.mark.parametrize(
    ("statement", "headline", "code"),
    [
        ("raise RuntimeError('no weights')", "Failed to load model m, exception no weights", 500),
        ("raise RuntimeError('CUDA error')", "Load model m cuda OOM, exception CUDA error", 507),
        ("raise MemoryError('too much')", "Load model m cpu OOM, exception too much", 507),
        ("raise KeyError('x')", "Backend worker process died.", 500),
    ],
)
def test_what_initialize_raises_is_told_from_its_own_line_on(statement, headline, code, tmp_path, caplog):
    outcome, lines = load(tmp_path, caplog, f"def handle(data, context):\n    {statement}\n")

    assert (lines[0], outcome.code, outcome.service, outcome.traceback) == (headline, code, None, "")
    assert [line for line in lines if "File " in line] == [f'  File "{tmp_path / "my_handler.py"}", line 2, in handle']


def test_the_gateway_hears_the_traceback_only_where_the_client_is_the_author(tmp_path, caplog):
    outcome, lines = load(tmp_path, caplog, "1 / 0\n", devTracebacks=True)

    assert outcome.traceback.split("\n") == lines[1:]


def test_a_model_that_loads_tells_tracebacks_only_where_the_client_is_the_author(tmp_path, caplog):
    source = "def handle(data, context):\n    return data\n"

    assert load(tmp_path, caplog, source)[0].service.tells_tracebacks is False
    assert load(tmp_path, caplog, source, devTracebacks=True)[0].service.tells_tracebacks is True
