"""tritonclient over HTTP and gRPC, with an ONNX model (`double`) and a Python handler (`open`).

Arguments: HTTP address, gRPC address.
"""

import sys

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from checking import check, refused, run, same

HTTP, GRPC = sys.argv[1:3]
VALUES = np.array([[1.5, -2, 0.1]], dtype=np.float32)
http = triton_http.InferenceServerClient(HTTP)
grpc = triton_grpc.InferenceServerClient(GRPC)


def tensor(library, values=VALUES, name="x", datatype="FP32", **how):
    made = library.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, **how)
    return made


def infers(client, library, model, output, expected, request_outputs=None, **how):
    result = client.infer(model, [tensor(library, **how)], request_id="mine", outputs=request_outputs)
    came = result.as_numpy(output)
    same((came.dtype, came.tolist()), (expected.dtype, expected.tolist()))


for protocol, client, library in (
    ("HTTP", http, triton_http),
    ("gRPC", grpc, triton_grpc),
):

    @check(f"{protocol}: the server is live and ready")
    def _(client=client):
        same((client.is_server_live(), client.is_server_ready()), (True, True))

    @check(f"{protocol}: the server tells its name and version")
    def _(client=client, protocol=protocol):
        told = client.get_server_metadata() if protocol == "HTTP" else client.get_server_metadata(as_json=True)
        same((told["name"], told["version"]), ("Torchserve", "0.12.0"))

    @check(f"{protocol}: models are ready, and only those that are there")
    def _(client=client):
        same(
            [
                client.is_model_ready("double"),
                client.is_model_ready("open"),
                client.is_model_ready("open", "1.0"),
            ],
            [True, True, True],
        )
        try:
            same(client.is_model_ready("nobody"), False)
        except (
            triton_grpc.InferenceServerException,
            triton_http.InferenceServerException,
        ) as error:
            same("Model not found: nobody" in str(error), True)

    @check(f"{protocol}: an ONNX model tells its tensors")
    def _(client=client, protocol=protocol):
        told = (
            client.get_model_metadata("double")
            if protocol == "HTTP"
            else client.get_model_metadata("double", as_json=True)
        )
        same([one["name"] for one in told["inputs"] + told["outputs"]], ["x", "y"])
        same([int(length) for length in told["inputs"][0]["shape"]], [-1, 3])
        same(told["inputs"][0]["datatype"], "FP32")

    @check(f"{protocol}: a Python handler tells its name and versions")
    def _(client=client, protocol=protocol):
        told = (
            client.get_model_metadata("open") if protocol == "HTTP" else client.get_model_metadata("open", as_json=True)
        )
        same((told["name"], told["versions"]), ("open", ["1.0"]))

    @check(f"{protocol}: an unknown model is refused by name")
    def _(client=client, library=library):
        refused(lambda: client.infer("nobody", [tensor(library)]), "Model not found: nobody")

    @check(f"{protocol}: a wrong shape is refused")
    def _(client=client, library=library):
        refused(
            lambda: client.infer("double", [tensor(library, np.zeros((1, 7), np.float32))]),
            "shape",
        )

    @check(f"{protocol}: a wrong datatype is refused")
    def _(client=client, library=library):
        refused(
            lambda: client.infer(
                "double",
                [tensor(library, np.zeros((1, 3), np.int32), datatype="INT32")],
            ),
            "expected datatype FP32",
        )

    @check(f"{protocol}: an unknown tensor is refused")
    def _(client=client, library=library):
        refused(lambda: client.infer("double", [tensor(library, name="z")]), '"z"')

    @check(f"{protocol}: an unknown output is refused")
    def _(client=client, library=library):
        refused(
            lambda: client.infer("double", [tensor(library)], outputs=[library.InferRequestedOutput("z")]),
            '"z"',
        )


for model, output, expected, computes in (
    ("double", "y", 2 * VALUES, "an ONNX model computes on"),
    ("open", "out-x", VALUES, "a Python handler gets"),
):
    for binary, form in ((False, "JSON, and answers in it"), (True, "bytes, and answers in them")):

        @check(f"HTTP: {computes} {form}")
        def _(model=model, output=output, expected=expected, binary=binary):
            wanted = [triton_http.InferRequestedOutput(output, binary_data=binary)]
            infers(http, triton_http, model, output, expected, wanted, binary_data=binary)

    @check(f"gRPC: {computes} raw bytes, and answers in them")
    def _(model=model, output=output, expected=expected):
        infers(grpc, triton_grpc, model, output, expected)


@check("HTTP: words go there and back")
def _():
    words = np.array(["grüß".encode(), b""], dtype=np.object_)
    result = http.infer("open", [tensor(triton_http, words, datatype="BYTES", binary_data=True)])
    came = [word if isinstance(word, bytes) else word.encode() for word in result.as_numpy("out-x")]
    same(came, words.tolist())


@check("gRPC: calls at once are each answered")
def _():
    import threading

    done, came = threading.Event(), []

    def take(result, error):
        came.append(error or result.as_numpy("y").tolist())
        if len(came) == 20:
            done.set()

    for _ in range(20):
        grpc.async_infer("double", [tensor(triton_grpc)], take)
    done.wait(30)
    same(came, [(2 * VALUES).tolist()] * 20)


run()
