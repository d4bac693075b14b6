"""The handler over stand-ins of vLLM's classes, in the places and with the parameters of three of its releases."""

import asyncio
import importlib
import json
import logging
import os

import pytest

pytest.importorskip("torch")

from ts.async_service import AsyncService  # noqa: E402
from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402

ENGINE = """
    from types import SimpleNamespace

    class AsyncEngineArgs:
        def __init__(self, model):
            self.model = model
            self.served_model_name = None
            self.max_model_len = None
            self.enable_lora = False

    class AsyncLLMEngine:
        renderer = "renderer"
        model_config = SimpleNamespace(max_model_len=7)

        @classmethod
        def from_engine_args(cls, args):
            engine = cls()
            engine.args = args
            return engine
"""

PROTOCOL = """
    class Message:
        def __init__(self, **fields):
            self.__dict__.update(fields)
        def model_dump(self):
            return dict(self.__dict__)

    class Request(Message):
        stream = False
        @classmethod
        def model_validate(cls, fields):
            if "prompt" not in fields and "messages" not in fields:
                raise ValueError("Field required")
            return cls(**fields)

    class CompletionRequest(Request): pass
    class ChatCompletionRequest(Request): pass
    class ErrorResponse(Message): pass

    async def answers(kind, request):
        if getattr(request, "model", "m") == "absent":
            return ErrorResponse(object="error", message="no such model", code=404)
        if not request.stream:
            return Message(object=kind, text=str(getattr(request, "prompt", None)))
        async def chunks():
            for word in ("a", "b"):
                yield f"data: {word}\\n\\n"
            yield "data: [DONE]\\n\\n"
        return chunks()
"""

SERVICES = """
    class OpenAIServingCompletion:
        def __init__(self, {common}):
            self.given = dict(locals())
        async def create_completion(self, request, raw_request):
            assert raw_request.headers == {{}} and not await raw_request.is_disconnected()
            return await answers("text_completion", request)

    class OpenAIServingChat:
        def __init__(self, {chat}):
            self.given = dict(locals())
        async def create_chat_completion(self, request, raw_request):
            return await answers("chat.completion", request)
"""

LIST_OF_MODELS = """
        async def show_available_models(self):
            return Message(object="list")
"""

# Release 0.6.0: the chat service has the list of models.
OLD = {
    "vllm/__init__.py": ENGINE + "        async def get_model_config(self):\n            return self.model_config\n",
    "vllm/entrypoints/openai/protocol.py": PROTOCOL,
    "vllm/entrypoints/openai/serving_engine.py": """
        class LoRAModulePath:
            def __init__(self, name, path):
                self.name, self.path = name, path
    """,
    "vllm/entrypoints/openai/serving_completion.py": "    from .protocol import *\n"
    + SERVICES.format(
        common="async_engine_client, model_config, served_model_names, *, lora_modules, prompt_adapters, "
        "request_logger, return_tokens_as_token_ids=False",
        chat="",
    ),
    "vllm/entrypoints/openai/serving_chat.py": "    from .protocol import *\n"
    + SERVICES.format(
        common="",
        chat="async_engine_client, model_config, served_model_names, response_role, *, lora_modules, "
        "prompt_adapters, request_logger, chat_template, enable_auto_tools=False",
    )
    + LIST_OF_MODELS,
}

# Release 0.33: a class for the models, a renderer, the error's code inside of it.
NEW_SERVICES = SERVICES.format(
    common="engine_client, models, *, online_renderer, request_logger, enable_log_deltas=True",
    chat="engine_client, models, response_role, *, online_renderer, request_logger, chat_template, "
    "chat_template_content_format, **more",
)
NEW = {
    "vllm/__init__.py": ENGINE,
    "vllm/entrypoints/openai/chat_completion/protocol.py": PROTOCOL,
    "vllm/entrypoints/openai/completion/protocol.py": "    from ..chat_completion.protocol import *\n",
    "vllm/entrypoints/serve/engine/protocol.py": (
        "    from vllm.entrypoints.openai.chat_completion.protocol import ErrorResponse\n"
    ),
    "vllm/entrypoints/openai/chat_completion/serving.py": "    from .protocol import *\n" + NEW_SERVICES,
    "vllm/entrypoints/openai/completion/serving.py": "    from ..chat_completion.protocol import *\n" + NEW_SERVICES,
    "vllm/entrypoints/openai/models/protocol.py": """
        class BaseModelPath:
            def __init__(self, name, model_path):
                self.name, self.model_path = name, model_path
        class LoRAModulePath:
            def __init__(self, name, path):
                self.name, self.path = name, path
    """,
    "vllm/entrypoints/openai/models/serving.py": """
    from ..chat_completion.protocol import *
    class OpenAIServingModels:
        def __init__(self, engine_client, base_model_paths, *, lora_modules=None):
            self.given = dict(locals())
            self.has_adapters = False
        async def init_static_loras(self):
            self.has_adapters = True
    """
    + LIST_OF_MODELS,
    "vllm/renderers/online_renderer.py": """
    class OnlineRenderer:
        def __init__(self, model_config, renderer, *, request_logger, chat_template, chat_template_content_format):
            self.given = dict(locals())
    """,
}

# Release 0.18: the renderer is a service.
MIDDLE_SERVICES = SERVICES.format(
    common="engine_client, models, *, openai_serving_render, request_logger",
    chat="engine_client, models, response_role, *, openai_serving_render, request_logger, chat_template, "
    "chat_template_content_format",
)
MIDDLE = {
    **{place: source for place, source in NEW.items() if "online_renderer" not in place},
    "vllm/__init__.py": ENGINE + "        io_processor = 'io'\n",
    "vllm/entrypoints/openai/chat_completion/serving.py": "    from .protocol import *\n" + MIDDLE_SERVICES,
    "vllm/entrypoints/openai/completion/serving.py": "    from ..chat_completion.protocol import *\n" + MIDDLE_SERVICES,
    "vllm/entrypoints/openai/models/serving.py": NEW["vllm/entrypoints/openai/models/serving.py"].replace(
        "self.has_adapters = False", "self.registry, self.has_adapters = 'registry', False"
    ),
    "vllm/entrypoints/serve/render/serving.py": """
    class OpenAIServingRender:
        def __init__(
            self, model_config, renderer, io_processor, model_registry, *,
            request_logger, chat_template, chat_template_content_format,
        ):
            assert (io_processor, model_registry) == ("io", "registry")
            self.given = dict(locals())
    """,
}


class Model:
    """The handler on an event loop of its own, as a worker runs it."""

    def __init__(self, folder, settings):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.handler = importlib.import_module("ts.torch_handler.vllm_handler").VLLMHandler()
        config = {"handler": settings, "asyncCommunication": True}
        metrics = configured_metrics_cache("m")
        service = Service("m", str(folder), None, self.handler.handle, None, 1, True, metrics, config)
        self.handler.initialize(service.context)
        self.service = AsyncService(service)
        self.parts = []

    def answer(self, url_path, body, content_type="application/json"):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        batch = [{"requestId": "r", "headers": [("url_path", url_path)], "parameters": [("body", content_type, raw)]}]
        return self.loop.run_until_complete(self.service.predict(batch, self.parts.append))


@pytest.fixture(params=[OLD, MIDDLE, NEW], ids=["0.6", "0.18", "0.33"])
def a_model(request, tmp_path, packages, monkeypatch):
    monkeypatch.delenv("VLLM_WORKER_MULTIPROC_METHOD", raising=False)
    packages(request.param)
    models = []

    def build(**settings):
        models.append(Model(tmp_path, {"model_path": "organisation/model", **settings}))
        return models[-1]

    yield build
    asyncio.set_event_loop(None)
    for model in models:
        model.loop.close()
    os.environ.pop("VLLM_WORKER_MULTIPROC_METHOD", None)


@pytest.mark.parametrize(
    ("url_path", "body", "kind"),
    [
        ("v1/completions", {"prompt": "hello"}, "text_completion"),
        ("v1/chat/completions", {"messages": []}, "chat.completion"),
        ("v1/models", b"", "list"),
    ],
)
def test_each_path_is_answered_by_its_service(a_model, url_path, body, kind):
    model = a_model()

    result = model.answer(url_path, body)

    assert result.code == 200
    assert json.loads(result.entries[0].body)["object"] == kind
    assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"


def test_json_that_was_not_called_json_is_read_as_well(a_model):
    result = a_model().answer("v1/completions", {"prompt": "hello"}, content_type="")

    assert json.loads(result.entries[0].body)["text"] == "hello"


def test_a_stream_goes_out_in_parts_and_ends_with_its_last_chunk(a_model):
    model = a_model()

    result = model.answer("v1/completions", {"prompt": "hello", "stream": True})

    assert [part.body for entries in model.parts for part in entries] == [b"data: a\n\n", b"data: b\n\n"]
    assert result.entries[0].body == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("url_path", "body", "code", "text"),
    [
        ("v1/embeddings", {"prompt": "hello"}, 404, "Unknown API endpoint: v1/embeddings"),
        ("v1/completions", {"text": "hello"}, 400, "Field required"),
        ("v1/completions", b"no JSON", 400, "The body is no JSON"),
        ("v1/completions", b"[1]", 400, "The body is no JSON object"),
    ],
)
def test_what_is_no_request_of_the_api_is_refused(a_model, url_path, body, code, text):
    result = a_model().answer(url_path, body)

    assert result.code == code
    assert result.message.startswith(text)


def test_what_vllm_refuses_has_its_status(a_model):
    result = a_model().answer("v1/completions", {"prompt": "hello", "model": "absent"})

    assert (result.entries[0].status, json.loads(result.entries[0].body)["message"]) == (404, "no such model")


def test_the_engine_gets_the_options_of_the_yaml(a_model, caplog, tmp_path):
    options = {"max_model_len": 5, "served_model_name": ["first", "second"], "absent_option": 1}

    model = a_model(vllm_engine_config=options, adapters={"poet": "/adapters/poet"}, chat_template="{{ messages }}")

    arguments = model.handler.vllm_engine.args
    assert (arguments.model, arguments.max_model_len) == ("organisation/model", 5)
    assert "vLLM has no engine option absent_option" in caplog.messages
    chat = model.handler.chat_completion_service.given
    assert (chat["chat_template"], chat["response_role"]) == ("{{ messages }}", "assistant")
    if "models" in chat:
        assert [path.name for path in chat["models"].given["base_model_paths"]] == ["first", "second"]
        assert [(lora.name, lora.path) for lora in chat["models"].given["lora_modules"]] == [("poet", "/adapters/poet")]
        assert chat["models"].has_adapters
        renderer = chat.get("online_renderer") or chat["openai_serving_render"]
        assert (renderer.given["renderer"], renderer.given["chat_template"]) == ("renderer", "{{ messages }}")
    else:
        assert chat["served_model_names"] == ["first", "second"]
        assert [(lora.name, lora.path) for lora in chat["lora_modules"]] == [("poet", "/adapters/poet")]
        assert chat["model_config"].max_model_len == 7


def test_a_model_and_a_template_of_the_archive_are_found_there(a_model, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "chat.jinja").write_text("{{ template }}")

    model = a_model(model_path="weights", chat_template="chat.jinja")

    assert model.handler.vllm_engine.args.model == str(tmp_path / "weights")
    assert model.handler.chat_completion_service.given["chat_template"] == "{{ template }}"


def test_a_yaml_without_a_model_is_refused(a_model):
    with pytest.raises(AssertionError, match="please define model in vllm_engine_config or model_path in handler"):
        a_model(model_path="")


def test_a_vllm_that_wants_something_unknown_is_named(a_model, packages):
    packages(
        {
            **NEW,
            "vllm/renderers/online_renderer.py": """
                class OnlineRenderer:
                    def __init__(self, model_config, something_new, *args, **kwargs): pass
            """,
        }
    )

    with pytest.raises(RuntimeError, match="wants something_new for OnlineRenderer"):
        a_model()


def test_a_prediction_prints_the_time_of_the_handler(a_model, caplog):
    caplog.set_level(logging.INFO)

    a_model().answer("v1/completions", {"prompt": "hello"})

    assert any(message.startswith("[METRICS]HandlerTime.") for message in caplog.messages)
