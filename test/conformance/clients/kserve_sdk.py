"""KServe's SDK: its REST and gRPC clients, both protocols. Arguments: HTTP base URL, gRPC address."""

import asyncio
import importlib.util
import sys
import types

import numpy as np
from checking import check, run, same

# The SDK's own package file imports its model server; only its clients are asked here.
package = types.ModuleType("kserve")
package.__path__ = list(importlib.util.find_spec("kserve").submodule_search_locations)
sys.modules["kserve"] = package
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig  # noqa: E402
from kserve.protocol.infer_type import InferInput, InferRequest  # noqa: E402

HTTP, GRPC = sys.argv[1:3]


def rest(protocol):
    return InferenceRESTClient(RESTConfig(protocol=protocol, retries=0, timeout=30))


def request(model):
    tensor = InferInput("x", [1, 3], "FP32")
    tensor.set_data_from_numpy(np.array([[1.5, -2.0, 0.5]], dtype=np.float32), binary_data=False)
    return InferRequest(model, [tensor], request_id="mine")


@check("v1: a prediction")
def _():
    came = asyncio.run(rest("v1").infer(HTTP, {"instances": [[1, 2]]}, model_name="instances"))
    same(came, {"predictions": [[2, 4]]})


@check("v1: an explanation")
def _():
    same(
        asyncio.run(rest("v1").explain(HTTP, "instances", {"instances": [[1, 2]]})),
        {"explanations": [[1, 2]]},
    )


@check("v1: a model is ready")
def _():
    same(asyncio.run(rest("v1").is_model_ready(HTTP, "instances")), True)


@check("v2: the server is live and ready")
def _():
    async def ask():
        client = rest("v2")
        return [await client.is_server_live(HTTP), await client.is_server_ready(HTTP)]

    same(asyncio.run(ask()), [True, True])


@check("v2: models are ready")
def _():
    same(asyncio.run(rest("v2").is_model_ready(HTTP, "double")), True)
    same(asyncio.run(rest("v2").is_model_ready(HTTP, "open")), True)


for model, output, expected in (
    ("double", "y", [3.0, -4.0, 1.0]),
    ("open", "out-x", [1.5, -2.0, 0.5]),
):

    @check(f"v2: {model} infers")
    def _(model=model, output=output, expected=expected):
        came = asyncio.run(rest("v2").infer(HTTP, request(model), model_name=model))
        same(
            (
                came.id,
                came.outputs[0].name,
                came.outputs[0].as_numpy().ravel().tolist(),
            ),
            ("mine", output, expected),
        )

    @check(f"gRPC: {model} infers")
    def _(model=model, output=output, expected=expected):
        async def ask():
            async with InferenceGRPCClient(GRPC) as client:
                return await client.infer(request(model))

        came = asyncio.run(ask())
        same(
            (
                came.id,
                came.outputs[0].name,
                came.outputs[0].as_numpy().ravel().tolist(),
            ),
            ("mine", output, expected),
        )


@check("gRPC: the server is live and ready, and so is a model")
def _():
    async def ask():
        async with InferenceGRPCClient(GRPC) as client:
            return [
                await client.is_server_live(),
                await client.is_server_ready(),
                await client.is_model_ready("double"),
            ]

    same(asyncio.run(ask()), [True, True, True])


run()
