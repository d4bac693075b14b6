"""A virtual environment whose packages are for workers alone.

Packages may have code that runs whenever an interpreter starts (`.pth` files, sitecustomize.py), and may replace the
environment's interpreter. Where they are somebody else's than the operator's, the parent is the interpreter that made
the environment, started with -S; a worker enters the environment once it is enclosed.
"""

import os
import site
import sys


def folders(executable: str) -> list:
    """What workers will need to see: the environment of this interpreter, and the packages of the one that runs now and
    made it, which may be in an environment itself. Nothing of them is read."""
    prefixes = [_prefix(sys.executable), sys.base_prefix, sys.base_exec_prefix]
    user = site.getusersitepackages()
    return [_prefix(executable), *([user] if user else []), *site.getsitepackages(prefixes)]


def take_up(executable: str) -> list:
    """In the worker: makes it one of the environment. Gives the entries that this puts on the module search path."""
    before = set(sys.path)
    sys.executable = executable
    site.main()
    return [entry for entry in sys.path if entry not in before]


def _prefix(executable: str) -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(executable)))
