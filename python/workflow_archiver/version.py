"""The archiver version that manifests carry: TorchServe's, whose archives these are."""

from pathlib import Path

__version__ = (Path(__file__).resolve().parent / "version.txt").read_text(encoding="ascii").strip()
