"""What several tests need: stand-ins of packages that can't be installed everywhere."""

import importlib
import sys
import textwrap

import pytest


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
