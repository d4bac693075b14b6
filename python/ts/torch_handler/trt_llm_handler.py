"""Serves a TensorRT-LLM engine. Needs tensorrt_llm and transformers, and yaml `asyncCommunication: true`."""

import json
import logging
import time

try:
    from tensorrt_llm.llmapi import LLM, KvCacheConfig, SamplingParams
except ImportError:
    # Its name until version 0.14.
    from tensorrt_llm.hlapi import LLM, KvCacheConfig, SamplingParams
from transformers import AutoTokenizer

from ts.handler_utils.timer import add_handler_time
from ts.handler_utils.utils import send_intermediate_predict_response
from ts.torch_handler.base_handler import BaseHandler
from ts.torch_handler.language_model_request import json_request
from ts.utils.util import PredictionException

logger = logging.getLogger(__name__)


class TRTLLMHandler(BaseHandler):
    """A request is `{"prompt": text[, "streaming": true], …}`, the rest being sampling parameters; the answer is the
    text, or in a stream `{"text": token}` per chunk.

    The yaml has `handler: {engine_dir, tokenizer_dir[, kv_cache_config]}`. Batch size 1: the engine batches by itself.
    """

    def __init__(self):
        super().__init__()
        self.trt_llm_engine = None
        self.tokenizer = None
        self.model_dir = None

    def initialize(self, ctx):
        """Loads the tokenizer and the engine."""
        self.model_dir = ctx.system_properties.get("model_dir")
        settings = ctx.model_yaml_config["handler"]
        self.tokenizer = AutoTokenizer.from_pretrained(
            settings.get("tokenizer_dir"),
            legacy=False,
            padding_side="left",
            truncation_side="left",
            trust_remote_code=True,
            use_fast=True,
        )
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token_id = self.tokenizer.eos_token_id
        self.trt_llm_engine = LLM(
            model=settings.get("engine_dir"),
            tokenizer=self.tokenizer,
            kv_cache_config=KvCacheConfig(**settings.get("kv_cache_config", {})),
        )
        self.initialized = True

    async def handle(self, data, context):
        """Runs the three steps; each may be overridden by a coroutine function."""
        started = time.perf_counter()
        output = await self.postprocess(await self.inference(await self.preprocess(data), context))
        add_handler_time(context, started)
        return output

    async def preprocess(self, requests):
        """The parsed JSON of the request."""
        return json_request(requests)

    async def inference(self, data, context):
        """The text; of a stream, which goes out token by token, the empty end."""
        options = dict(data)
        prompt = options.pop("prompt", None)
        if prompt is None:
            raise PredictionException("The request has no prompt", 400)
        streaming = options.pop("streaming", False)
        ends = {"end_id": self.tokenizer.eos_token_id, "pad_id": self.tokenizer.pad_token_id}
        sampling_params = SamplingParams(**{**ends, **options})
        outputs = self.trt_llm_engine.generate_async(prompt, streaming=streaming, sampling_params=sampling_params)
        async for output in outputs:
            best = output.outputs[0]
            if not streaming:
                return [best.text]
            chunk = json.dumps({"text": self.tokenizer.decode([best.token_ids[-1]])})
            send_intermediate_predict_response([chunk], context.request_ids, "Result", 200, context)
        return [""]

    async def postprocess(self, outputs):
        """As it is."""
        return outputs
