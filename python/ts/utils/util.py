"""Labels, classes, configuration and the exception by which a handler chooses its client's error."""

import enum
import functools
import inspect
import itertools
import json
import logging
import os
import re
import warnings

logger = logging.getLogger(__name__)

CLEANUP_REGEX = re.compile(r"<.*?>|&([a-z0-9]+|#[0-9]{1,6}|#x[0-9a-f]{1,6});")


class PT2Backend(str, enum.Enum):
    """The names of `torch.compile` backends that a model's yaml may ask for."""

    EAGER = "eager"
    AOT_EAGER = "aot_eager"
    INDUCTOR = "inductor"
    NVFUSER = "nvfuser"
    AOT_NVFUSER = "aot_nvfuser"
    AOT_CUDAGRAPHS = "aot_cudagraphs"
    OFI = "ofi"
    FX2TRT = "fx2trt"
    ONNXRT = "onnxrt"
    IPEX = "ipex"
    TORCHXLA_TRACE_ONCE = "torchxla_trace_once"
    OPENVINO = "openvino"
    TENSORRT = "tensorrt"
    HPU_BACKEND = "hpu_backend"


_PT2_BACKENDS = frozenset(backend.value for backend in PT2Backend)


def check_valid_pt2_backend(backend: str) -> bool:
    """Whether `backend` is one of PT2Backend; warns when it is not."""
    if backend in _PT2_BACKENDS:
        return True
    logger.warning("%s is not a supported backend", backend)
    return False


class PredictionException(Exception):
    """Raised by a handler to answer the whole batch with its own message and HTTP status."""

    def __init__(self, message, error_code=500):
        super().__init__(message)
        self.message = message
        self.error_code = error_code

    def __str__(self):
        return f"{self.message} : {self.error_code}"


def list_classes_from_module(module, parent_class=None) -> list:
    """The classes that `module` itself defines (imported ones are left out), by name; only subclasses if asked."""
    own = [cls for _, cls in inspect.getmembers(module, inspect.isclass) if cls.__module__ == module.__name__]
    return own if parent_class is None else [cls for cls in own if issubclass(cls, parent_class)]


def load_label_mapping(mapping_file_path):
    """Reads `index_to_name.json` into {class index: label}; None with a warning when there is no such file."""
    if not os.path.isfile(mapping_file_path):
        logger.warning("%r is missing. Inference output will not include class name.", mapping_file_path)
        return None
    with open(mapping_file_path, encoding="utf-8") as file:
        mapping = json.load(file)
    if not isinstance(mapping, dict):
        raise Exception('index->name JSON mapping should be in "class": "label" format.')

    names = mapping.get("object_type_names")
    if isinstance(names, list):
        return {str(index): name for index, name in enumerate(names)}
    return {key: _label_of(value) for key, value in mapping.items()}


def _label_of(value) -> str:
    label = value[-1] if isinstance(value, list) else value
    if not isinstance(label, str):
        raise Exception("labels in index->name mapping must be either str or List[str]")
    return label


def map_class_to_label(probs, mapping=None, lbl_classes=None) -> list:
    """One {label: probability} per row; classes count from 0 unless `lbl_classes` names them.

    Without a mapping the label is the class index as text. Two classes of one label leave the later probability; a
    class that the mapping lacks raises KeyError.
    """
    if not isinstance(probs, list):
        raise Exception("Convert classes to list before doing mapping")
    if mapping is not None and not isinstance(mapping, dict):
        raise Exception("Mapping must be a dict")

    rows_of_classes = itertools.repeat(range(len(probs[0])), len(probs)) if lbl_classes is None else lbl_classes
    labelled = []
    for classes, row in zip(rows_of_classes, probs):
        labelled.append({str(cls) if mapping is None else mapping[str(cls)]: prob for cls, prob in zip(classes, row)})
    return labelled


def get_yaml_config(yaml_file_path):
    """The parsed yaml file; an empty file gives {}. Needs PyYAML."""
    import yaml

    with open(yaml_file_path, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    return {} if config is None else config


def deprecated(version, replacement="", klass=PendingDeprecationWarning):
    """Decorator: each call of the function warns that it goes away in `version` and names its `replacement`."""

    def decorate(func):
        @functools.wraps(func)
        def warn_and_call(*args, **kwargs):
            hint = f"; use {replacement}" if replacement else ""
            warnings.warn(f"{func.__name__} is deprecated as of version {version}{hint}", klass, stacklevel=2)
            return func(*args, **kwargs)

        return warn_and_call

    return decorate
