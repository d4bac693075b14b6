"""What `torch.load` does where a handler says nothing of `weights_only`, and word of handlers that turn it off.

From torch 2.6 on True is the default by itself; before, it becomes so here. torch's own way out of it holds for both:
the environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD.
"""

import functools
import importlib.machinery
import inspect
import logging
import os
import sys

_TRUE = ("1", "y", "yes", "true")
_WRAPPED = "_sconce_wrapped"


def watch() -> None:
    """Sees to torch.load, now or when torch is imported. To be called before any code of a model runs."""
    torch = sys.modules.get("torch")
    if torch is not None:
        wrap(torch)
    elif not any(isinstance(finder, _TorchFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _TorchFinder())


def wrap(torch) -> None:
    """Puts the watching `load` in the place of torch's own; a torch that has none, or is wrapped, stays as it is."""
    original = getattr(torch, "load", None)
    if original is None or getattr(original, _WRAPPED, False) or not _has_weights_only(original):
        return
    is_safe_by_itself = _version(torch) >= (2, 6)
    told = set()

    @functools.wraps(original)
    def load(*args, **kwargs):
        pickle_module = kwargs.get("pickle_module", args[2] if len(args) > 2 else None)
        is_forced_off = os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0").lower() in _TRUE
        asked = kwargs.get("weights_only")
        if asked is None and pickle_module is None and not is_forced_off and not is_safe_by_itself:
            kwargs["weights_only"] = True
        elif is_forced_off or asked is False or (asked is None and pickle_module is not None):
            _tell(told, sys._getframe(1))
        return original(*args, **kwargs)

    setattr(load, _WRAPPED, True)
    torch.load = load


class _TorchFinder:
    """Lets the other finders find torch, and wraps it when it is there."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            wrap(module)

        spec.loader.exec_module = exec_module
        return spec


def _tell(told: set, caller) -> None:
    place = (caller.f_code.co_filename, caller.f_lineno)
    if place in told:
        return
    told.add(place)
    logging.warning(
        "torch.load without weights_only (%s, line %d): code in the file that it loads would run",
        os.path.basename(place[0]),
        place[1],
    )


def _has_weights_only(load) -> bool:
    try:
        return "weights_only" in inspect.signature(load).parameters
    except (TypeError, ValueError):
        return False


def _version(torch) -> tuple:
    try:
        major, minor = str(torch.__version__).split(".")[:2]
        return int(major), int(minor)
    except (AttributeError, ValueError):
        return (0, 0)
