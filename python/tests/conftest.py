"""What several tests need: stand-ins of packages, a model to pack, a server, control groups."""

import importlib
import os
import pathlib
import re
import sys
import textwrap

import pytest
from archived_models import lay_out

from ts import launcher


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Call it with {"package/module.py": source}: what it lays out can be imported until the test ends."""
    folder = tmp_path / "stand-ins"
    before = set(sys.modules)

    def lay_out(files: dict) -> None:
        roots = set()
        for name, source in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
            roots.add(name.split("/")[0].removesuffix(".py"))
            for parent in path.relative_to(folder).parents:
                (folder / parent / "__init__.py").touch()
        for name in [name for name in sys.modules if name.split(".")[0] in roots]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(str(folder))
        importlib.invalidate_caches()

    yield lay_out
    for name in set(sys.modules) - before:
        if name.startswith("ts.") or str(folder) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a model in it, and no date that the environment fixes."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    there = tmp_path / "work"
    lay_out(there)
    monkeypatch.chdir(there)
    return there


@pytest.fixture
def server_folder(tmp_path, monkeypatch):
    """A place for one server: its PID file, its logs and its settings.

    Take what it prints with capsys: capfd closes the file that the launcher's thread may be writing to.
    """
    for name in ("store", "tmp", "logs"):
        (tmp_path / name).mkdir()
    settings = {
        "inference_address": "http://127.0.0.1:0",
        "management_address": "http://127.0.0.1:0",
        "metrics_address": "http://127.0.0.1:0",
        "grpc_inference_port": "0",
        "grpc_management_port": "0",
        "disable_system_metrics": "true",
        "python": sys.executable,
    }
    lines = [f"{key}={value}\n" for key, value in settings.items()]
    (tmp_path / "config.properties").write_text("".join(lines))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("LOG_LOCATION", str(tmp_path / "logs"))
    monkeypatch.setenv("METRICS_LOCATION", str(tmp_path / "logs"))
    monkeypatch.delenv("TS_CONFIG_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    launcher.stop()


def address_of(kind: str, printed: str) -> str:
    """Where the server that printed this listens: kind is Inference, Management or Metrics."""
    return re.search(rf"{kind} API bind to: (\S+)", printed)[1]


def _bases():
    """Folders of this test in the hierarchies of cgroup v1, if it may make some."""
    own = {}
    try:
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            own.update(dict.fromkeys(names.split(","), path))
    except OSError:
        return None
    bases = {}
    for name in ("memory", "pids"):
        if name not in own:
            return None
        base = f"/sys/fs/cgroup/{name}{own[name].rstrip('/')}/sconce-test-{os.getpid()}"
        try:
            os.makedirs(base, exist_ok=True)
        except OSError:
            return None
        bases[name] = base
    return bases


@pytest.fixture
def bases():
    found = _bases()
    if found is None:
        pytest.skip("no control groups of v1 can be made here")
    yield found
    for base in found.values():
        os.rmdir(base)
