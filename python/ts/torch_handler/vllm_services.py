"""The OpenAI services of the installed vLLM, whose places and parameters differ between its releases."""

import importlib
import inspect
from types import SimpleNamespace
from typing import Any, Callable

_SERVING = "vllm.entrypoints.openai"
_PLACES = {
    "ChatCompletionRequest": (f"{_SERVING}.chat_completion.protocol", f"{_SERVING}.protocol"),
    "CompletionRequest": (f"{_SERVING}.completion.protocol", f"{_SERVING}.protocol"),
    "ErrorResponse": ("vllm.entrypoints.serve.engine.protocol", f"{_SERVING}.engine.protocol", f"{_SERVING}.protocol"),
    "OpenAIServingChat": (f"{_SERVING}.chat_completion.serving", f"{_SERVING}.serving_chat"),
    "OpenAIServingCompletion": (f"{_SERVING}.completion.serving", f"{_SERVING}.serving_completion"),
    "OpenAIServingModels": (f"{_SERVING}.models.serving", f"{_SERVING}.serving_models"),
    "BaseModelPath": (f"{_SERVING}.models.protocol", f"{_SERVING}.serving_models", f"{_SERVING}.serving_engine"),
    "LoRAModulePath": (f"{_SERVING}.models.protocol", f"{_SERVING}.serving_models", f"{_SERVING}.serving_engine"),
    "OnlineRenderer": ("vllm.renderers.online_renderer",),
    "OpenAIServingRender": ("vllm.entrypoints.serve.render.serving",),
}


class VLLMServices:
    """`chat`, `completion` and `models` answer requests; the request classes and ErrorResponse are attributes too."""

    def __init__(self) -> None:
        self.ChatCompletionRequest = _required("ChatCompletionRequest")
        self.CompletionRequest = _required("CompletionRequest")
        self.ErrorResponse = _required("ErrorResponse")
        self.chat = None
        self.completion = None
        self.models = None

    async def start(self, engine, engine_config, adapters: dict, chat_template) -> None:
        """Builds the services over the engine, for the adapters {name: path}; RuntimeError where this vLLM wants more
        than is known here.
        """
        names = engine_config.served_model_name or [engine_config.model]
        names = [names] if isinstance(names, str) else list(names)
        lora_modules = [_required("LoRAModulePath")(name, path) for name, path in adapters.items()]
        known = {
            "model_config": await _model_config(engine),
            "served_model_names": names,
            "lora_modules": lora_modules,
            "prompt_adapters": None,
            "request_logger": None,
            "response_role": "assistant",
            "chat_template": chat_template,
            "chat_template_content_format": "auto",
        }
        known.update(dict.fromkeys(("engine", "engine_client", "async_engine_client"), engine))
        path_class = _found("BaseModelPath")
        if path_class is not None:
            known["base_model_paths"] = known["base_models"] = [path_class(name, engine_config.model) for name in names]
        models_class = _found("OpenAIServingModels")
        if models_class is not None:
            known["models"] = _called(models_class, known)
            if hasattr(known["models"], "init_static_loras"):
                await known["models"].init_static_loras()
            if hasattr(known["models"], "registry"):
                known["model_registry"] = known["models"].registry
        known.update({name: getattr(engine, name) for name in ("renderer", "io_processor") if hasattr(engine, name)})
        renderer_class = _found("OnlineRenderer") or _found("OpenAIServingRender")
        if renderer_class is not None:
            known["online_renderer"] = known["openai_serving_render"] = _called(renderer_class, known)

        self.completion = _called(_required("OpenAIServingCompletion"), known)
        self.chat = _called(_required("OpenAIServingChat"), known)
        # The list of models was the chat service's before it had a class of its own.
        self.models = known.get("models", self.chat)


class DetachedRequest:
    """What vLLM reads of the HTTP request, which a handler doesn't have: no headers, and a client that stays."""

    def __init__(self) -> None:
        self.headers: dict = {}
        self.state = SimpleNamespace()

    async def is_disconnected(self) -> bool:
        return False


def _found(name: str) -> Any:
    """The class, wherever this vLLM has it; None where it has none."""
    for place in _PLACES[name]:
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{place}.".startswith(f"{error.name}."):
                raise
            continue
        if hasattr(module, name):
            return getattr(module, name)
    return None


def _required(name: str) -> Any:
    found = _found(name)
    if found is None:
        raise ImportError(f"The installed vLLM has no {name} in any of {', '.join(_PLACES[name])}")
    return found


def _called(target: Callable, known: dict) -> Any:
    """The result of calling `target` with those of the known values that it has parameters for."""
    collects = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [item for item in inspect.signature(target).parameters.values() if item.kind not in collects]
    missing = [item.name for item in parameters if item.default is item.empty and item.name not in known]
    if missing:
        raise RuntimeError(f"The installed vLLM wants {', '.join(missing)} for {target.__name__}, which is not known")
    return target(**{item.name: known[item.name] for item in parameters if item.name in known})


async def _model_config(engine) -> Any:
    if hasattr(engine, "get_model_config"):
        return await engine.get_model_config()
    return engine.model_config
