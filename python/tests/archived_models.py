"""A folder with a model in it, and `torch-model-archiver` run on it as a user does."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

COMMANDS = Path(__file__).resolve().parents[2] / "bin"
STARTER = COMMANDS / "torch-model-archiver"
FORMATS = {"default": "m.mar", "zip-store": "m.mar", "tgz": "m.tar.gz", "no-archive": "m"}


def lay_out(folder: Path) -> None:
    files = {
        "h.py": "def handle(data, context): return data\n",
        "net/arch.py": "class Net: pass\n",
        "weights.pt": "w" * 5000,
        "a.txt": "A",
        "b.txt": "B",
        "requirements.txt": "numpy\n",
        "conf/model-config.yaml": "batchSize: 2\n",
        "extra/one.txt": "1",
        "extra/sub/two.txt": "2",
        "extra/.hidden": "kept",
        "extra/.git/config": "left out",
        "extra/sub/__pycache__/x.pyc": "left out",
        "extra/__MACOSX/y": "left out",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def archiver(folder, *arguments, starter=STARTER, **environment):
    """Runs the command as a user does, with the interpreter of the tests."""
    return subprocess.run(
        [str(starter), *arguments],
        cwd=str(folder),
        env={**os.environ, "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
    )


def pack(folder, *arguments, **environment):
    ran = archiver(folder, "--model-name", "m", "--version", "1.0", *arguments, **environment)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    return folder / "m.mar"


def refuse(folder, *arguments):
    ran = archiver(folder, *arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "Traceback" not in ran.stderr
    return ran.stderr


def contents(archive: Path) -> dict:
    if archive.is_dir():
        return {str(p.relative_to(archive)): p.read_bytes() for p in archive.rglob("*") if p.is_file()}
    if archive.name.endswith(".tar.gz"):
        with tarfile.open(archive) as tar:
            return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    with zipfile.ZipFile(archive) as packed:
        assert len(packed.namelist()) == len(set(packed.namelist()))
        return {name: packed.read(name) for name in packed.namelist()}


def manifest(archive: Path) -> dict:
    return json.loads(contents(archive)["MAR-INF/MANIFEST.json"])
