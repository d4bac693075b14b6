"""The handler over a stand-in of TensorRT-LLM's classes, with a tokenizer of the transformers package."""

import asyncio
import importlib
import json

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from ts.async_service import AsyncService  # noqa: E402
from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402

TENSORRT_LLM = """
    from types import SimpleNamespace

    class KvCacheConfig:
        def __init__(self, **options):
            self.options = options

    class SamplingParams:
        def __init__(self, **options):
            self.options = options

    class LLM:
        def __init__(self, model, tokenizer, kv_cache_config):
            self.model, self.tokenizer, self.kv_cache_config = model, tokenizer, kv_cache_config
            self.asked = []

        async def generate_async(self, prompt, streaming, sampling_params):
            self.asked.append((prompt, streaming, sampling_params.options))
            for end in (1, 2) if streaming else (2,):
                yield SimpleNamespace(outputs=[SimpleNamespace(text=f"about {prompt}", token_ids=[7, 8][:end])])
"""


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory):
    """A tokenizer whose words are "<0>" to "<9>", the third of them its end, and without one for padding."""
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({f"<{n}>": n for n in range(10)}, unk_token="<0>"))
    folder = tmp_path_factory.mktemp("tokenizer")
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<2>").save_pretrained(folder)
    return str(folder)


@pytest.fixture(params=["hlapi", "llmapi"])
def a_model(request, packages, tmp_path, tokenizer_dir):
    packages({f"tensorrt_llm/{request.param}.py": TENSORRT_LLM})
    handler = importlib.import_module("ts.torch_handler.trt_llm_handler").TRTLLMHandler()
    cache = {"free_gpu_memory_fraction": 0.1}
    settings = {"engine_dir": "engine", "tokenizer_dir": tokenizer_dir, "kv_cache_config": cache}
    metrics = configured_metrics_cache("m")
    service = Service("m", str(tmp_path), None, handler.handle, None, 1, True, metrics, {"handler": settings})
    handler.initialize(service.context)
    return handler, service


def answer(service, body: bytes, content_type="application/json"):
    parts = []
    batch = [{"requestId": "r", "headers": [], "parameters": [("body", content_type, body)]}]
    result = asyncio.run(AsyncService(service).predict(batch, parts.append))
    return result, [part.body for entries in parts for part in entries]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_a_prompt_is_answered_with_text(a_model, content_type):
    handler, service = a_model

    result, parts = answer(service, b'{"prompt": "tea", "max_new_tokens": 5, "pad_id": 9}', content_type)

    assert (result.entries[0].body, parts) == (b"about tea", [])
    assert handler.trt_llm_engine.asked == [("tea", False, {"end_id": 2, "pad_id": 9, "max_new_tokens": 5})]


def test_a_stream_goes_out_token_by_token_and_ends_empty(a_model):
    _, service = a_model

    result, parts = answer(service, b'{"prompt": "tea", "streaming": true}')

    assert [json.loads(part) for part in parts] == [{"text": "<7>"}, {"text": "<8>"}]
    assert result.entries[0].body == b""


def test_a_request_without_a_prompt_is_refused(a_model):
    _, service = a_model

    result, _ = answer(service, b'{"text": "tea"}')

    assert (result.code, result.message) == (400, "The request has no prompt")


def test_engine_and_tokenizer_are_those_of_the_yaml(a_model, tokenizer_dir):
    handler, _ = a_model

    engine = handler.trt_llm_engine
    assert (engine.model, engine.tokenizer.name_or_path) == ("engine", tokenizer_dir)
    assert (engine.tokenizer.pad_token_id, engine.tokenizer.padding_side) == (2, "left")
    assert engine.kv_cache_config.options == {"free_gpu_memory_fraction": 0.1}
    assert handler.initialized
