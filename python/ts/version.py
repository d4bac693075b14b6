"""The version of the handler API that this package speaks."""

from pathlib import Path

__version__ = Path(__file__).with_name("version.txt").read_text(encoding="utf-8").strip()
