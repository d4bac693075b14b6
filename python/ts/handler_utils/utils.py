"""Streaming of intermediate results, and classes by their dotted name."""

import importlib
import os

from ts.protocol.predict_response import create_predict_response

__all__ = ["create_predict_response", "import_class", "send_intermediate_predict_response"]


def import_class(class_name: str, module_prefix=None):
    """The class `pkg.mod.Name`, or `Name` out of `module_prefix`, or `mod.Name` below it. Raises ImportError."""
    if not class_name:
        raise ImportError("class name is not defined")
    module_name, _, name = class_name.rpartition(".")
    path = ".".join(part for part in (module_prefix, module_name) if part)
    if not path:
        raise ImportError("module name is not defined.")

    found = getattr(importlib.import_module(path), name, None)
    if found is None:
        raise ImportError(f"class:{name} not found in module:{module_name}.")
    return found


def send_intermediate_predict_response(ret, req_id_map, message, code, context):
    """Sends one part of every answer of the batch: `ret` has one element per index of `req_id_map`.

    The final part is what the handler returns. Does nothing on a torchrun rank other than 0. An element that can't be
    written, and a code other than 200, end the stream: all requests of the batch are answered with that error.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return
    context.cl_socket.sendall(create_predict_response(ret, req_id_map, message, code, context, True))
