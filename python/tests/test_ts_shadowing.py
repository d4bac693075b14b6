"""Handlers get this package, whatever other package called `ts` lies about."""

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest
from conftest import address_of

from ts import launcher

PACKAGE = Path(__file__).resolve().parents[1] / "ts"
HANDLER = """
import json, subprocess, sys
import ts, ts.context, ts.metrics.dimension, ts.protocol.otf_message_handler
from ts.utils import util

def handle(data, context):
    if data is None:
        return None
    modules = (ts, ts.context, ts.metrics.dimension, ts.protocol.otf_message_handler, util)
    files = [module.__file__ for module in modules]
    child = subprocess.run([sys.executable, "-c", "import ts; print(ts.__file__)"], capture_output=True, text=True)
    return [json.dumps({"files": files, "child": child.stdout.strip(), "path": sys.path})]
"""
# As an installed TorchServe would lie there: each module exists, and none can be imported without harm.
OTHER = [f"{name}.py" for name in ("__init__", "context", "model_loader", "service", "version")]
OTHER += ["metrics/__init__.py", "metrics/dimension.py", "protocol/__init__.py", "utils/__init__.py", "utils/util.py"]


def lay_out_another(folder: Path) -> None:
    for name in OTHER:
        path = folder / "ts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise ImportError('the other ts was imported')\n")


@pytest.mark.parametrize("place", ["installed", "on the path of the server", "in the archive"])
def test_another_package_does_not_shadow_this_one(server_folder, monkeypatch, capsys, place):
    python = server_folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", server_folder / "venv"], check=True, timeout=60)
    (site_packages,) = (server_folder / "venv").glob("lib/python*/site-packages")
    inherited = server_folder / "inherited"
    inherited.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(inherited))
    archive_folder = server_folder / "archive"
    archive_folder.mkdir()
    (archive_folder / "which.py").write_text(HANDLER)
    lay_out_another({"installed": site_packages, "in the archive": archive_folder}.get(place, inherited))
    with zipfile.ZipFile(server_folder / "store" / "which.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", '{"model": {"modelName": "which", "handler": "which.py"}}')
        for file in archive_folder.rglob("*.py"):
            archive.write(file, file.relative_to(archive_folder))
    settings = server_folder / "config.properties"
    # The handler starts a process of its own, which the sandbox would keep from it.
    granted = 'sconce_grants={"which": {"exec": true}}\n'
    settings.write_text(settings.read_text().replace(f"python={sys.executable}", f"python={python}") + granted)

    launcher.start(str(server_folder / "store"), str(settings), disable_token=True, models="which.mar")
    inference = address_of("Inference", capsys.readouterr().out)
    with urllib.request.urlopen(f"{inference}/predictions/which", data=b"{}", timeout=60) as response:
        answer = json.load(response)

    assert [os.path.commonpath([PACKAGE, file]) for file in answer["files"]] == [str(PACKAGE)] * 5
    if place == "installed":
        # A process of the handler's own has the worker's PYTHONPATH, which comes before what is installed.
        assert answer["child"] == str(PACKAGE / "__init__.py")
        assert str(site_packages) in answer["path"]
