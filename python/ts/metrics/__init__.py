"""Custom metrics: a line on stdout per update. Submodules are imported when they are first asked for."""

import importlib

_SUBMODULES = ("dimension", "metric", "metric_encoder", "metrics_store", "system_metrics", "unit")


def __getattr__(name: str):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
