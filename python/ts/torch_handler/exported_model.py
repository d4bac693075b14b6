"""Loads what `torch.export.save` and `torch._inductor.aoti_compile_and_package` write: files that end in `.pt2`."""

import json
import zipfile

import torch

_COMPILED = "/data/aotinductor/"
_DEVICE_KEY = "AOTI_DEVICE_KEY"


def load_exported_model(path: str, device: torch.device):
    """The callable of a `.pt2` file on the device: compiled code where the file holds some, else the exported graph.

    RuntimeError when it is no such file, or was compiled for another kind of device.
    """
    if not zipfile.is_zipfile(path):
        raise RuntimeError(f"{path} is no package of torch.export")
    with zipfile.ZipFile(path) as package:
        compiled = [name for name in package.namelist() if _COMPILED in f"/{name}"]
        metadata = [json.loads(package.read(name)) for name in compiled if name.endswith("metadata.json")]
    if not compiled:
        return _graph_module(path, device)
    kinds = {entry[_DEVICE_KEY] for entry in metadata if _DEVICE_KEY in entry}
    if kinds and device.type not in kinds:
        raise RuntimeError(f"{path} was compiled for {', '.join(sorted(kinds))}, and the model is to run on {device}")
    return _compiled_model(path, device)


def _compiled_model(path: str, device: torch.device):
    index = -1 if device.index is None else device.index
    return torch._inductor.aoti_load_package(path, device_index=index)


def _graph_module(path: str, device: torch.device):
    program = torch.export.load(path)
    if any(tensor.device.type != device.type for tensor in program.state_dict.values()):
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    # No eval(): what training does otherwise is no part of an exported graph, and such modules refuse it.
    return program.module()
