"""Serves a language model with vLLM behind OpenAI's API. Needs the package vllm and yaml `asyncCommunication: true`."""

import asyncio
import logging
import os
import pathlib
import time

from vllm import AsyncEngineArgs, AsyncLLMEngine

from ts.handler_utils.timer import add_handler_time
from ts.handler_utils.utils import send_intermediate_predict_response
from ts.torch_handler.base_handler import BaseHandler
from ts.torch_handler.language_model_request import json_request
from ts.torch_handler.vllm_services import DetachedRequest, VLLMServices
from ts.utils.util import PredictionException

logger = logging.getLogger(__name__)

END_OF_STREAM = "data: [DONE]\n\n"


class VLLMHandler(BaseHandler):
    """Answers `v1/completions`, `v1/chat/completions` and `v1/models` behind the model's prediction path.

    The yaml has `handler: {model_path, vllm_engine_config, adapters, chat_template}`: the model is a folder of the
    archive or a name on the hub, the engine's options are those of vLLM's AsyncEngineArgs, adapters are
    {name: path}. Batch size 1: vLLM batches by itself.
    """

    def __init__(self):
        super().__init__()
        self.vllm_engine = None
        self.model_name = None
        self.model_dir = None
        self.lora_ids = {}
        self.adapters = None
        self.chat_completion_service = None
        self.completion_service = None
        self.raw_request = None
        self.services = None

    def initialize(self, ctx):
        """Starts the engine; AssertionError when the yaml names no model."""
        self.model_dir = ctx.system_properties.get("model_dir")
        settings = ctx.model_yaml_config.get("handler", {})
        engine_config = self._get_vllm_engine_config(settings)
        # A forked process could not use the GPU.
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
        self.vllm_engine = AsyncLLMEngine.from_engine_args(engine_config)
        self.adapters = settings.get("adapters", {})
        self.services = VLLMServices()
        template = self._chat_template(settings.get("chat_template"))
        start = self.services.start(self.vllm_engine, engine_config, self.adapters, template)
        asyncio.get_event_loop().run_until_complete(start)
        self.completion_service = self.services.completion
        self.chat_completion_service = self.services.chat
        self.raw_request = DetachedRequest()
        self.initialized = True

    async def handle(self, data, context):
        """Runs the three steps; each may be overridden by a coroutine function."""
        started = time.perf_counter()
        output = await self.postprocess(await self.inference(await self.preprocess(data, context), context))
        add_handler_time(context, started)
        return output

    async def preprocess(self, requests, context):
        """The parsed JSON of the request; none is read where only the models are asked for."""
        return [{} if context.get_request_header(0, "url_path") == "v1/models" else json_request(requests)]

    async def inference(self, input_batch, context):
        """The service's answer; a stream goes out chunk by chunk, its last is given back.

        PredictionException 404 for another path, 400 for a request that is not as OpenAI's API has it. What vLLM itself
        refuses is answered with its error and status.
        """
        url_path = context.get_request_header(0, "url_path")
        if url_path == "v1/models":
            models = await self.services.models.show_available_models()
            return [models.model_dump()]
        if url_path == "v1/completions":
            request_class, create = self.services.CompletionRequest, self.completion_service.create_completion
        elif url_path == "v1/chat/completions":
            request_class, create = (
                self.services.ChatCompletionRequest,
                self.chat_completion_service.create_chat_completion,
            )
        else:
            raise PredictionException(f"Unknown API endpoint: {url_path}", 404)

        try:
            request = request_class.model_validate(input_batch[0])
        except ValueError as error:
            raise PredictionException(str(error), 400) from error
        answer = await create(request, self.raw_request)
        if isinstance(answer, self.services.ErrorResponse):
            context.set_response_status(_status_of(answer))
            return [answer.model_dump()]
        if not request.stream:
            return [answer.model_dump()]
        chunk = ""
        async for chunk in answer:
            if chunk != END_OF_STREAM:
                send_intermediate_predict_response([chunk], context.request_ids, "Result", 200, context)
        return [chunk]

    async def postprocess(self, inference_outputs):
        """As it is."""
        return inference_outputs

    def _get_vllm_engine_config(self, handler_config: dict):
        """vLLM's engine options: the yaml's, those that this vLLM doesn't have left out with a warning."""
        options = dict(handler_config.get("vllm_engine_config") or {})
        model = options.pop("model", None) or self._model_source(handler_config)
        logger.debug("EngineArgs model: %s", model)
        engine_config = AsyncEngineArgs(model=model)
        for name, value in options.items():
            if hasattr(engine_config, name):
                setattr(engine_config, name, value)
            else:
                logger.warning("vLLM has no engine option %s", name)
        return engine_config

    def _model_source(self, handler_config: dict) -> str:
        path = handler_config.get("model_path")
        if not path:
            raise AssertionError("please define model in vllm_engine_config or model_path in handler")
        inside = pathlib.Path(self.model_dir, path)
        return inside.as_posix() if inside.exists() else path

    def _chat_template(self, template):
        """The template's text; it may be named by a file of the archive."""
        path = os.path.join(self.model_dir, template or "")
        # Not pathlib's: a whole template is too long a name for that one.
        if not os.path.isfile(path):
            return template
        with open(path, encoding="utf-8") as file:
            return file.read()


def _status_of(answer) -> int:
    code = getattr(getattr(answer, "error", answer), "code", None)
    return code if isinstance(code, int) and 400 <= code <= 599 else 400
