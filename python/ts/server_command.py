"""Where the `torchserve` command is."""

import os
import shutil
from pathlib import Path

_BESIDE_THIS_PACKAGE = Path(__file__).resolve().parents[2] / "bin" / "torchserve"


def torchserve_command() -> str:
    """Path of the command that belongs to this package, else of the one on PATH. FileNotFoundError without either.

    The command on PATH may be another server's: one that was installed beside the handlers' libraries.
    """
    if os.access(_BESIDE_THIS_PACKAGE, os.X_OK):
        return str(_BESIDE_THIS_PACKAGE)
    found = shutil.which("torchserve")
    if found is None:
        raise FileNotFoundError(f"No torchserve command: neither {_BESIDE_THIS_PACKAGE} nor on PATH")
    return found
