import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sconce_worker.weights_only import refused_globals

PYTHON_HOME = Path(__file__).resolve().parents[1]


@pytest.fixture
def checked(tmp_path):
    """Writes an archive's files and gives what the check finds in it, by the real process."""

    def run(handler, files, model_file=None, serialized_file=None):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        order = {
            "directory": str(tmp_path),
            "handler": handler,
            "python_path": [str(tmp_path), str(PYTHON_HOME)],
            "model_file": model_file,
            "serialized_file": serialized_file,
            "top_names": sorted(name.split("/")[0] + ("/" if "/" in name else "") for name in files),
        }
        reading, writing = os.pipe()
        code = f"import os; os.dup2({writing}, 3); from runpy import run_module; "
        code += "run_module('sconce_worker.check_handler', run_name='__main__', alter_sys=True)"
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=str(PYTHON_HOME),
            env={**os.environ, "PYTHONPATH": str(PYTHON_HOME)},
            input=json.dumps(order),
            pass_fds=[writing],
            capture_output=True,
            text=True,
        )
        os.close(writing)
        with os.fdopen(reading) as file:
            told = file.read()
        assert told, ran.stderr
        return json.loads(told)

    return run


def test_a_handler_is_imported_and_constructed_but_not_initialised(checked):
    report = checked(
        "h.py",
        {
            "h.py": """
                import helper
                class Handler:
                    def initialize(self, context):
                        raise RuntimeError("no weights here")
                    def handle(self, data, context):
                        return data
            """,
            "helper.py": "print('said on import')",
        },
    )

    assert report["handler"] == {"failure": None, "base": None}
    assert report["python"] == sys.version.split()[0]


def test_a_failure_is_told_by_the_archives_own_lines_and_the_last_one(checked):
    report = checked("h", {"h.py": "from pkg.deep import x\n", "pkg/__init__.py": "", "pkg/deep.py": "x = {}['k']\n"})

    assert report["handler"]["failure"] == {
        "lines": [
            '  File "h.py", line 1, in <module>',
            "    from pkg.deep import x",
            '  File "pkg/deep.py", line 1, in <module>',
            "    x = {}['k']",
            "KeyError: 'k'",
        ],
        "missingModule": None,
    }


def test_a_missing_module_is_named(checked):
    report = checked("h", {"h.py": "import no_such_module.part\n"})

    assert report["handler"]["failure"]["missingModule"] == "no_such_module"


@pytest.mark.parametrize(
    ("own", "loads_itself", "loads_pickled_itself"),
    [
        ("", False, False),
        ("def initialize(self, context): ...", True, False),
        ("def _load_pickled_model(self, a, b, c): ...", False, True),
    ],
)
def test_what_a_handler_leaves_to_base_handler_is_told(checked, own, loads_itself, loads_pickled_itself):
    pytest.importorskip("torch")
    source = f"from ts.torch_handler.base_handler import BaseHandler\nclass H(BaseHandler):\n    x = 1\n    {own}\n"

    report = checked("h", {"h.py": source})

    assert report["handler"]["base"] == {"loadsItself": loads_itself, "loadsPickledItself": loads_pickled_itself}


def test_the_classes_of_a_model_file_are_told_imported_ones_left_out(checked):
    files = {
        "h.py": "def handle(data, context): return data\n",
        "net.py": "from collections import OrderedDict\nclass Block: ...\nclass Net: ...\n",
        "broken.py": "1 / 0\n",
    }

    assert checked("h", files, "net.py")["modelFile"] == {"classes": ["Block", "Net"], "failure": None}
    failure = "ZeroDivisionError: division by zero"
    assert checked("h", files, "broken.py")["modelFile"] == {"classes": [], "failure": failure}


def test_names_that_take_the_place_of_other_modules_are_told(checked):
    report = checked(
        "h",
        {
            "h.py": "def handle(data, context): return data\n",
            "json.py": "",
            "pytest/__init__.py": "",
            "logging/notes.txt": "",
            "helper.py": "",
        },
    )

    assert report["shadows"] == [
        {"name": "json.py", "of": "the standard library"},
        {"name": "pytest/", "of": "an installed package"},
    ]


def test_weights_that_torch_load_takes_are_not_refused_and_others_are_named(tmp_path):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    kept = {"half": net.half().state_dict(), "step": torch.tensor(3), "kinds": [torch.float16, torch.Size([1])]}
    for name, value in {"state.pt": net.state_dict(), "kept.pt": kept, "whole.pt": net}.items():
        torch.save(value, tmp_path / name)
    torch.save(net, tmp_path / "new.pt", pickle_protocol=4)
    torch.jit.script(net).save(str(tmp_path / "script.pt"))

    assert refused_globals(str(tmp_path / "state.pt")) == []
    assert refused_globals(str(tmp_path / "kept.pt")) == []
    assert refused_globals(str(tmp_path / "script.pt")) == []
    for name in ("whole.pt", "new.pt"):
        assert "torch.nn.modules.container.Sequential" in refused_globals(str(tmp_path / name))
        with pytest.raises(Exception, match="Weights only load failed"):
            torch.load(tmp_path / name)


def test_a_file_that_is_no_zip_or_a_broken_one_is_not_judged(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\x80\x02}q\x00.")

    assert refused_globals(str(tmp_path / "a.bin")) == []
    assert refused_globals(str(tmp_path / "nothing.pt")) == []
