"""Which files an archive holds: a name in the archive for each file on disk. Nothing is copied to find out."""

import glob
import logging
import os
import re
import sys
from typing import Optional

from .manifest_components.manifest import RuntimeType

# Of TorchServe's: never taken from a file.
BUILT_IN_HANDLERS = {
    "base_handler": "anything",
    "text_classifier": "text",
    "image_classifier": "vision",
    "object_detector": "vision",
    "image_segmenter": "vision",
    "dali_image_classifier": "vision",
    "vllm_handler": "text",
    "trt_llm_handler": "text",
}
# Modules beside them that TorchServe's archiver doesn't know, and what Sconce adds: a file of the name goes first.
OTHER_BUILT_IN_HANDLERS = ("densenet_handler", "vision_handler", "text_handler", "tensor_handler", "onnx")
_BUILT_IN_LIBRARIES = ("BaseHandler", "TorchScriptHandler")
_UNWANTED_FOLDERS = ("__MACOSX", "__pycache__")


def flat_artifacts(runtime: str, artifacts: dict) -> dict:
    """Maps names in the archive to files on disk, for what the flags of the archiver name.

    The keys of `artifacts` are kinds: `handler` and `extra_files` have rules of their own, any other is a path that
    goes to the root of the archive. Of two files with one name the later counts. Raises OSError for what isn't there,
    and ValueError for a name that would be a file and a folder.
    """
    entries: dict = {}
    for kind, path in artifacts.items():
        if not path:
            continue
        if kind == "extra_files":
            entries.update(extra_files(path))
            continue
        if kind == "handler":
            path = handler_file(path, runtime)
            if path is None:
                continue
        entries[os.path.basename(path)] = _readable(path)
    _refuse_files_that_are_folders(entries)
    return entries


def handler_file(handler: str, runtime: str) -> Optional[str]:
    """The file of a handler `path/name[.py][:function]`; None for one that the server has built in."""
    name, _, function = handler.partition(":")
    if runtime == RuntimeType.LSP.value:
        if handler in _BUILT_IN_LIBRARIES:
            return None
        if sys.platform.startswith("linux"):
            return name + ".so"
        return name + ".dylib" if sys.platform == "darwin" else handler
    if handler in BUILT_IN_HANDLERS:
        return None
    if re.search(r"\.(mjs|js|ts|mts)$", name):
        return name
    file = name if ".py" in name else name + ".py"
    is_known = name in OTHER_BUILT_IN_HANDLERS or (function and name in BUILT_IN_HANDLERS)
    return None if is_known and not os.path.exists(file) else file


def extra_files(wish: str) -> dict:
    """The files of a comma list of paths and wildcards. A folder's contents go to the root, what lies deeper stays so.

    Raises FileNotFoundError for a path that isn't there; a wildcard that matches nothing is warned of.
    """
    entries: dict = {}
    for item in (part.strip() for part in wish.split(",")):
        if not item:
            continue
        if os.path.exists(item):
            found = [item]
        elif any(mark in item for mark in "*?") or ("[" in item and "]" in item):
            found = sorted(glob.glob(item))
            if not found:
                logging.warning("Given wildcard pattern did not match any file: %s", item)
        else:
            raise FileNotFoundError(f"File does not exist: {item}")
        for path in found:
            if os.path.isdir(path):
                entries.update(folder_files(path))
            elif os.path.isfile(path):
                entries[os.path.basename(path)] = _readable(path)
            else:
                raise ValueError(f"Invalid extra file given {path}")
    return entries


def folder_files(folder: str) -> dict:
    """The files of a folder by their paths in it, with `/` between. Hidden folders and caches are left out.

    Links are followed. Raises ValueError for a link to a folder that it lies in, which would never end.
    """
    entries: dict = {}
    _walk(folder, "", (os.path.realpath(folder),), entries)
    return entries


def is_wanted_folder(name: str) -> bool:
    """Whether a folder of this name goes into an archive."""
    return name not in _UNWANTED_FOLDERS and not name.startswith(".")


def _walk(folder: str, prefix: str, above: tuple, entries: dict) -> None:
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            if not is_wanted_folder(name):
                continue
            real = os.path.realpath(path)
            if real in above:
                raise ValueError(f"{path} is a link to a folder that it lies in")
            _walk(path, f"{prefix}{name}/", (*above, real), entries)
        elif os.path.isfile(path):
            entries[prefix + name] = _readable(path)
        elif os.path.islink(path):
            raise FileNotFoundError(f"{path} is a link to nothing")


def _refuse_files_that_are_folders(entries: dict) -> None:
    folders = {name[:at] for name in entries for at in range(len(name)) if name[at] == "/"}
    for name in folders & entries.keys():
        raise ValueError(f"{name} would be a file and a folder in the archive")


def _readable(path: str) -> str:
    # Before anything is written: opening tells of what is missing, a folder, or not for us to read.
    with open(path, "rb"):
        return os.path.abspath(path)
