"""Lays the files of a model into the folder that a handler's unit test loads it from."""

import os
import shutil
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urlparse


def download_model(model_url: str, model_dir: Path) -> None:
    """Puts the file at the URL into the folder as `model.pt`; a second call finds it in the user's cache."""
    cached = _cache_folder() / Path(urlparse(model_url).path).name
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            part = Path(folder, cached.name)
            with urllib.request.urlopen(model_url) as source, open(part, "wb") as target:
                shutil.copyfileobj(source, target)
            # Only a whole download gets the name that the next call trusts.
            part.replace(cached)
    shutil.copy(cached, Path(model_dir, "model.pt"))


def copy_files(src_dir: Path, dst_dir: Path, files: dict) -> None:
    """Copies files, given as {name in `src_dir`: name in `dst_dir`}."""
    for source, target in files.items():
        shutil.copyfile(Path(src_dir, source), Path(dst_dir, target))


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sconce", "test-models")
