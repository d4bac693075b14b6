"""Finds a model's handler, builds its Service and runs its initialisation."""

import importlib
import inspect
import json
import logging
import os
import sys
import uuid
from typing import Any, Callable, Optional

from ts.service import Service
from ts.utils.util import get_yaml_config, list_classes_from_module

logger = logging.getLogger(__name__)

BUILT_IN_HANDLERS = "ts.torch_handler"
ENVELOPES = "ts.torch_handler.request_envelope"


class ModelLoaderFactory:
    """Gives the loader of this handler API."""

    @staticmethod
    def get_model_loader() -> "TsModelLoader":
        return TsModelLoader()


class ModelLoader:
    """What a loader can do."""

    def load(
        self,
        model_name: str,
        model_dir: str,
        handler: Optional[str] = None,
        gpu_id: Optional[int] = None,
        batch_size: Optional[int] = None,
        envelope: Optional[str] = None,
        limit_max_image_pixels: Optional[bool] = True,
    ) -> Service:
        """Loads the model that lies unpacked in `model_dir`."""
        raise NotImplementedError(f"{type(self).__name__} loads nothing")


class TsModelLoader(ModelLoader):
    """Loads the handler named by an archive's manifest, or one of the built-in handlers."""

    def load(
        self,
        model_name: str,
        model_dir: str,
        handler: Optional[str] = None,
        gpu_id: Optional[int] = None,
        batch_size: Optional[int] = None,
        envelope: Optional[str] = None,
        limit_max_image_pixels: Optional[bool] = True,
        metrics_cache=None,
        model_yaml_config: Optional[dict] = None,
        manifest: Optional[dict] = None,
    ) -> Service:
        """Imports the handler, initialises it and gives its Service; whatever fails escapes as it was raised.

        `model_yaml_config` is the model's yaml as the gateway parsed it: used where PyYAML is missing. `manifest`
        spares reading `MAR-INF/MANIFEST.json`. Without `metrics_cache` one is made from the file that the environment
        variable TS_METRICS_CONFIG names. `model_dir` joins the module search path.
        """
        if not handler:
            raise ValueError("no handler: neither the manifest nor default_service_handler names one")
        if model_dir not in sys.path:
            sys.path.insert(0, model_dir)
        if manifest is None:
            manifest = _read_manifest(model_dir)
        if metrics_cache is None:
            from ts.metrics.configured_cache import configured_metrics_cache

            metrics_cache = configured_metrics_cache(model_name, os.environ.get("TS_METRICS_CONFIG"))
        metrics_cache.set_request_ids(str(uuid.uuid4()))

        module, function_name = import_handler(handler)
        entry_point, initialize = resolve_entry_point(module, function_name)
        service = Service(
            model_name,
            model_dir,
            manifest,
            _enveloped(entry_point, envelope) if envelope else entry_point,
            gpu_id,
            batch_size,
            limit_max_image_pixels,
            metrics_cache,
            _model_config(model_dir, manifest, model_yaml_config),
        )
        initialize(service.context)
        return service


def _read_manifest(model_dir: str) -> Optional[dict]:
    path = os.path.join(model_dir, "MAR-INF", "MANIFEST.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _model_config(model_dir: str, manifest: Optional[dict], parsed: Optional[dict]) -> dict:
    file_name = ((manifest or {}).get("model") or {}).get("configFile")
    if not file_name:
        return parsed or {}
    try:
        importlib.import_module("yaml")
    except ImportError:
        if parsed is None:
            raise
        return parsed
    return get_yaml_config(os.path.join(model_dir, file_name))


def import_handler(handler: str) -> tuple:
    """Imports `name`, `name.py`, `dir/name`, `pkg.mod`, each with or without `:function`; gives (module, function).

    A module on the search path wins over a built-in handler of the same name. The built-in one is tried only when it is
    the handler's own module that is missing, so that a dependency the handler lacks is reported as what it is.
    """
    path, _, function_name = handler.partition(":")
    module_name = path[:-3] if path.endswith(".py") else path
    module_name = module_name.rsplit("/", 1)[-1]
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name), function_name or None
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
    return importlib.import_module(f".{module_name}", BUILT_IN_HANDLERS), function_name or None


def resolve_entry_point(module: Any, function_name: Optional[str]) -> tuple:
    """Gives (entry point, initialise) of a handler module: its function, or its one class."""
    named = getattr(module, function_name or "handle", None)
    if inspect.isclass(named):
        return _class_entry_point(named)
    if named is not None:
        return named, lambda context: named(None, context)
    return _class_entry_point(_handler_class(module, function_name))


def _handler_class(module: Any, missing_function: Optional[str]) -> type:
    classes = list_classes_from_module(module)
    if len(classes) > 1:
        complete = [cls for cls in classes if hasattr(cls, "handle") and hasattr(cls, "initialize")]
        classes = complete if len(complete) == 1 else classes
    if len(classes) == 1:
        return classes[0]
    message = f"Expected only one class in custom service code or a function entry point {classes}"
    if missing_function:
        message += f"; {module.__name__} has no function {missing_function!r}"
    raise ValueError(message)


def _class_entry_point(handler_class: type) -> tuple:
    instance = handler_class()
    if not hasattr(instance, "handle"):
        raise ValueError(f"Expect handle method in class {handler_class}")
    return instance.handle, instance.initialize


def _enveloped(entry_point: Callable, envelope: str) -> Callable:
    module = importlib.import_module(f".{envelope}", ENVELOPES)
    return list_classes_from_module(module)[0](entry_point).handle
