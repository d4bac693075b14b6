"""Imports a model's handler as a worker would, without initialising it, and tells what came of it: for `sconce pack`.

An order comes as JSON on stdin; the findings leave as JSON on descriptor 3. Whatever the handler prints goes elsewhere.
No model is loaded and nothing is unpickled.
"""

import importlib
import importlib.machinery
import inspect
import json
import os
import sys
import traceback
from typing import NamedTuple, Optional

from sconce_worker import linux
from sconce_worker.worker_setup import NEEDED_BY_MODELS, enter_model, interpreter_path
from ts.model_loader import import_handler, resolve_entry_point
from ts.utils.util import list_classes_from_module

_REPORT_FD = 3
_MAX_LINES = 40


class CheckOrder(NamedTuple):
    """What is to be looked at."""

    # The model's files; the working directory.
    directory: str
    handler: str
    # In front of the interpreter's own search path, in a worker's order.
    python_path: list
    model_file: Optional[str]
    serialized_file: Optional[str]
    # Names at the top of the archive; folders with a slash behind.
    top_names: list


def check(order: CheckOrder, search_path: list) -> dict:
    """The findings. Only what isn't an Exception escapes (SystemExit, KeyboardInterrupt)."""
    for name in NEEDED_BY_MODELS:
        importlib.import_module(name)
    enter_model(order.directory, order.python_path, search_path)
    report = {
        "python": sys.version.split()[0],
        "shadows": _shadows(order.top_names, search_path),
        "handler": _checked_handler(order),
    }
    report["modelFile"] = _checked_model_file(order.model_file) if order.model_file else None
    # Only now, so that the handler finds no module here that a worker would not have.
    from sconce_worker import weights_only

    report["pickleRefuses"] = weights_only.refused_globals(order.serialized_file) if order.serialized_file else []
    return report


def _checked_handler(order: CheckOrder) -> dict:
    try:
        module, function_name = import_handler(order.handler)
        entry_point, _ = resolve_entry_point(module, function_name)
    except Exception as error:
        return {"failure": _failure(error, order.directory), "base": None}
    return {"failure": None, "base": _base_methods(getattr(entry_point, "__self__", None))}


def _base_methods(instance) -> Optional[dict]:
    """Which steps of loading a handler leaves to BaseHandler; None for one that doesn't derive from it."""
    module = sys.modules.get("ts.torch_handler.base_handler")
    if module is None or not isinstance(instance, module.BaseHandler):
        return None
    base, own = module.BaseHandler, type(instance)
    return {
        "loadsItself": own.initialize is not base.initialize or own._load_model is not base._load_model,
        "loadsPickledItself": own._load_pickled_model is not base._load_pickled_model,
    }


def _checked_model_file(model_file: str) -> dict:
    try:
        module = importlib.import_module(model_file.partition(".")[0])
    except Exception as error:
        return {"classes": [], "failure": traceback.format_exception_only(type(error), error)[-1].strip()}
    return {"classes": [cls.__name__ for cls in list_classes_from_module(module)], "failure": None}


def _failure(error: Exception, directory: str) -> dict:
    """The error as the user would look for it: the frames of the archive's own files, by their names there."""
    root = os.path.realpath(directory)
    own = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = os.path.realpath(frame.filename)
        # The import system's own frames are called `<frozen ...>`.
        if path.startswith(root + os.sep) and not frame.filename.startswith("<"):
            own.append((os.path.relpath(path, root), frame.lineno, frame.name, frame.line or ""))
    lines = []
    for name, number, function, code in own:
        lines += [f'  File "{name}", line {number}, in {function}', f"    {code}"]
    last = "".join(traceback.format_exception_only(type(error), error)).rstrip()
    last = last.replace(root + os.sep, "").replace(directory + os.sep, "").split("\n")
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return {"lines": (lines + last)[-_MAX_LINES:], "missingModule": missing}


def _shadows(top_names: list, search_path: list) -> list:
    """Names at the top of the archive under which others look for a module of the interpreter."""
    found = []
    standard = getattr(sys, "stdlib_module_names", frozenset())
    for name in top_names:
        module = name[:-3] if name.endswith(".py") else name[:-1] if name.endswith("/") else ""
        # A folder without __init__.py gives way to any module of its name.
        is_weak = name.endswith("/") and not os.path.isfile(os.path.join(module, "__init__.py"))
        if is_weak or not module.isidentifier():
            continue
        spec = importlib.machinery.PathFinder.find_spec(module, search_path)
        if module in standard or module in sys.builtin_module_names or _is_standard(spec):
            found.append({"name": name, "of": "the standard library"})
        elif spec is not None and spec.loader is not None:
            found.append({"name": name, "of": "an installed package"})
    return found


def _is_standard(spec) -> bool:
    # Before Python 3.10 there is no list of names.
    origin = getattr(spec, "origin", None) or ""
    return origin.startswith(os.path.dirname(inspect.getfile(os)) + os.sep) and "-packages" not in origin


def main() -> int:
    linux.die_with_parent()
    order = CheckOrder(**json.load(sys.stdin))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    report = check(order, interpreter_path())
    with os.fdopen(_REPORT_FD, "w", encoding="utf-8") as file:
        json.dump(report, file)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Threads that the handler has started don't keep it.
    os._exit(code)
