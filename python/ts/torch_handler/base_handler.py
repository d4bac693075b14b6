"""The handler that most others derive from: loads a model in one of PyTorch's forms and runs three steps on a batch."""

import abc
import importlib
import importlib.util
import logging
import os
import pickle
import re
import time

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from ts.handler_utils.timer import add_handler_time, timed
from ts.torch_handler.exported_model import load_exported_model
from ts.utils.util import check_valid_pt2_backend, list_classes_from_module, load_label_mapping

logger = logging.getLogger(__name__)

TORCH_VERSION = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:3])
PROFILER_AVAILABLE = True
PT2_AVAILABLE = TORCH_VERSION >= (2, 0)
PT230_AVAILABLE = TORCH_VERSION > (2, 2, 2)
PROFILER_FOLDER = os.path.join(os.sep, "tmp", "pytorch_profiler")


def _imports(name: str) -> bool:
    """Imports the module for what it registers; whether that went well."""
    try:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            return False
        importlib.import_module(name)
    except Exception:  # whatever an optional package trips over, models can do without it
        logger.debug("%s can't be imported", name, exc_info=True)
        return False
    return True


def _announce_tensor_cores() -> None:
    if torch.cuda.is_available() and torch.version.cuda and torch.cuda.get_device_capability() >= (8, 0):
        torch.set_float32_matmul_precision("high")
        logger.info("Enabled tensor cores")


def _announced(is_available: bool, yes: str, no: str) -> bool:
    logger.log(logging.INFO if is_available else logging.WARNING, yes if is_available else no)
    return is_available


_announce_tensor_cores()
XLA_AVAILABLE = _imports("torch_xla.core.xla_model")
# OpenVINO and TensorRT register their compile backends when they are imported; ONNX Runtime can wait for a model.
_announced(_imports("openvino.torch"), "OpenVINO backend enabled for torch.compile", "OpenVINO is not enabled")
IPEX_AVAILABLE = os.environ.get("TS_IPEX_ENABLE") == "true" and _imports("intel_extension_for_pytorch")
if os.environ.get("TS_IPEX_ENABLE") == "true" and not IPEX_AVAILABLE:
    logger.warning("IPEX is enabled but intel-extension-for-pytorch is not installed. Proceeding without IPEX.")
ONNX_AVAILABLE = _announced(
    importlib.util.find_spec("onnxruntime") is not None, "ONNX enabled", "proceeding without onnxruntime"
)
_announced(_imports("torch_tensorrt"), "Torch TensorRT enabled", "Torch TensorRT not enabled")


def setup_ort_session(model_pt_path, map_location):
    """An ONNX Runtime session of OMP_NUM_THREADS threads, else one per processor; on CUDA if `map_location` says so."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Several workers of one model have shared the processors out.
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(wanted) if wanted.isdigit() and int(wanted) > 0 else os.cpu_count() or 1
    providers = ["CPUExecutionProvider"]
    if map_location == "cuda":
        providers.insert(0, "CUDAExecutionProvider")
    return onnxruntime.InferenceSession(model_pt_path, providers=providers, sess_options=options)


class BaseHandler(abc.ABC):  # noqa: B024 - subclasses of users declare abstract methods of their own
    """Loads TorchScript, a module with its state, ONNX, an exported program or compiled code; then, per batch:
    `preprocess` (input to tensor), `inference` (the model), `postprocess` (tensor to a list with one item per request).
    """

    def __init__(self):
        self.model = None
        self.mapping = None
        self.device = None
        self.initialized = False
        self.context = None
        self.model_pt_path = None
        self.manifest = None
        self.map_location = None
        self.explain = False
        self.target = 0
        self.profiler_args = {}

    def initialize(self, context):
        """Loads the model of `context.manifest` onto its device, compiles it if the yaml says so, reads the labels.

        Raises RuntimeError when there is nothing it can load.
        """
        if context is not None and hasattr(context, "model_yaml_config"):
            self.model_yaml_config = context.model_yaml_config
        properties = context.system_properties
        model_dir = properties.get("model_dir")
        self._choose_device(properties.get("gpu_id"))

        self.manifest = context.manifest
        description = self.manifest["model"]
        self.model_pt_path = None
        if "serializedFile" in description:
            self.model_pt_path = os.path.join(model_dir, description["serializedFile"])
        self.model = self._load_model(model_dir, description.get("modelFile"), properties.get("gpu_id"))

        options = self._compile_options()
        if PT2_AVAILABLE and options is not None:
            self._compile(options)
        elif IPEX_AVAILABLE:
            self._optimize_with_ipex()

        logger.debug("Model file %s loaded successfully", self.model_pt_path)
        self.mapping = load_label_mapping(os.path.join(model_dir, "index_to_name.json"))
        self.initialized = True

    def _choose_device(self, gpu_id) -> None:
        if gpu_id is not None and torch.cuda.is_available():
            self.map_location = "cuda"
            self.device = torch.device(f"cuda:{gpu_id}")
        elif gpu_id is not None and os.environ.get("TS_IPEX_GPU_ENABLE") == "true" and torch.xpu.is_available():
            self.map_location = "xpu"
            self.device = torch.device(f"xpu:{gpu_id}")
            torch.xpu.set_device(self.device)
        elif gpu_id is not None and torch.backends.mps.is_available():
            self.map_location = "mps"
            self.device = torch.device("mps")
        elif XLA_AVAILABLE:
            self.device = importlib.import_module("torch_xla.core.xla_model").xla_device()
        else:
            self.map_location = "cpu"
            self.device = torch.device("cpu")

    def _load_model(self, model_dir, model_file, gpu_id):
        path = self.model_pt_path or ""
        if model_file:
            model = self._load_pickled_model(model_dir, model_file, self.model_pt_path)
            model.to(self.device)
            model.eval()
            return model
        if path.endswith(".pt"):
            model = self._load_torchscript_model(path)
            model.eval()
            return model
        if path.endswith(".onnx") and ONNX_AVAILABLE:
            session = setup_ort_session(path, self.map_location)
            logger.info("Succesfully setup ort session")
            return session
        if path.endswith(".so") and self._use_torch_export_aot_compile() and PT230_AVAILABLE:
            if torch.cuda.is_available() and gpu_id is not None:
                # The loader of compiled libraries takes no device number.
                torch.cuda.set_device(self.device)
            model = self._load_torch_export_aot_compile(path)
            logger.warning("torch._export is an experimental feature! Succesfully loaded torch exported model.")
            return model
        if path.endswith(".pt2"):
            return self._load_exported_model(path)
        raise RuntimeError("No model weights could be loaded")

    def _load_exported_model(self, model_pt2_path):
        """The callable of a package of `torch.export` or of AOTInductor, on this handler's device."""
        return load_exported_model(model_pt2_path, self.device)

    def _load_torch_export_aot_compile(self, model_so_path):
        """The callable of a library made by `torch._export.aot_compile`."""
        return torch._export.aot_load(model_so_path, self.map_location)

    def _load_torchscript_model(self, model_pt_path):
        """The TorchScript module of the file, on this handler's device."""
        return torch.jit.load(model_pt_path, map_location=self.device)

    def _load_pickled_model(self, model_dir, model_file, model_pt_path):
        """An instance of the one class that `model_file` defines, with the state of `model_pt_path` if that is given.

        Raises RuntimeError without the file, ValueError unless it defines exactly one class.
        """
        if not os.path.isfile(os.path.join(model_dir, model_file)):
            raise RuntimeError("Missing the model.py file")
        classes = list_classes_from_module(importlib.import_module(model_file.partition(".")[0]))
        if len(classes) != 1:
            raise ValueError(f"Expected only one class as model definition. {classes}")

        model = classes[0]()
        if model_pt_path:
            on_xla = XLA_AVAILABLE and self.map_location is None
            model.load_state_dict(_load_state(model_pt_path, None if on_xla else self.device))
        return model

    def _use_torch_export_aot_compile(self) -> bool:
        """Whether the yaml says `pt2: {export: {aot_compile: true}}`."""
        pt2 = self._yaml().get("pt2")
        export = pt2.get("export") if isinstance(pt2, dict) else None
        return isinstance(export, dict) and bool(export.get("aot_compile"))

    def _yaml(self) -> dict:
        return getattr(self, "model_yaml_config", None) or {}

    def _compile_options(self):
        """What `torch.compile` is to be called with, or None where the model stays as it is."""
        config = self._yaml()
        if "pt2" not in config:
            return None
        pt2 = config["pt2"]
        if isinstance(pt2, dict) and "compile" in pt2:
            options = dict(pt2["compile"] or {})
            if not options.pop("enable", False):
                return None
        elif isinstance(pt2, dict) and "export" in pt2:
            return None
        elif isinstance(pt2, (str, dict)):
            options = {"backend": pt2} if isinstance(pt2, str) else dict(pt2)
            logger.warning(
                "Giving torch.compile its options directly under pt2 is deprecated: "
                "put them under pt2.compile, together with enable: true."
            )
        else:
            raise ValueError("pt2 should be str or dict")
        if "backend" in options and not check_valid_pt2_backend(options["backend"]):
            return None
        return options

    def _compile(self, options: dict) -> None:
        described = ", ".join(f"{key} {value}" for key, value in options.items())
        try:
            self.model = torch.compile(self.model, **options)
            logger.info("Compiled model with %s", described)
        except Exception as error:  # a model that doesn't compile is served as it is
            logger.warning("Compiling model model with %s has failed \n Proceeding without compilation", described)
            logger.warning(error)

    def _optimize_with_ipex(self) -> None:
        ipex = importlib.import_module("intel_extension_for_pytorch")
        self.model = ipex.optimize(self.model.to(memory_format=torch.channels_last).to(self.device))
        logger.info("Compiled model with ipex")

    @timed
    def preprocess(self, data):
        """The batch as one tensor on the device."""
        return torch.as_tensor(data, device=self.device)

    @timed
    def inference(self, data, *args, **kwargs):
        """What the model gives for the tensor, without recording gradients."""
        with torch.inference_mode():
            return self.model(data.to(self.device), *args, **kwargs)

    @timed
    def postprocess(self, data):
        """The tensor as nested lists, the outermost with one item per request."""
        return data.tolist()

    def handle(self, data, context):
        """The entry point: describes the model, explains a prediction or predicts, as the request's headers ask."""
        started = time.perf_counter()
        self.context = context
        if os.environ.get("ENABLE_TORCH_PROFILER"):
            if self.manifest is None:
                self.manifest = context.manifest
            output, _ = self._infer_with_profiler(data=data)
        elif self._is_describe():
            output = [self.describe_handle()]
        else:
            preprocessed = self.preprocess(data)
            if self._is_explain():
                output = self.explain_handle(preprocessed, data)
            else:
                output = self.postprocess(self.inference(preprocessed))
        add_handler_time(context, started)
        return output

    def _infer_with_profiler(self, data):
        """Predicts or explains under the profiler of PyTorch; gives the output and the profile."""
        self._complete_profiler_args()
        with profile(**self.profiler_args) as recorded:
            with record_function("preprocess"):
                preprocessed = self.preprocess(data)
            if self._is_explain():
                with record_function("explain"):
                    output = self.explain_handle(preprocessed, data)
            else:
                with record_function("inference"):
                    output = self.inference(preprocessed)
                with record_function("postprocess"):
                    output = self.postprocess(output)
        logger.info(recorded.key_averages().table(sort_by="cpu_time_total", row_limit=10))
        return output, recorded

    def _complete_profiler_args(self) -> None:
        if not self.profiler_args:
            activities = [ProfilerActivity.CPU]
            if torch.cuda.is_available():
                activities.append(ProfilerActivity.CUDA)
            self.profiler_args = {"activities": activities, "record_shapes": True}
        if "on_trace_ready" not in self.profiler_args:
            folder = os.environ.get("ENABLE_TORCH_PROFILER_DIR") or PROFILER_FOLDER
            folder = os.path.join(folder, self.manifest.get("model", {}).get("modelName", ""))
            self.profiler_args["on_trace_ready"] = torch.profiler.tensorboard_trace_handler(folder)
            logger.info("Saving chrome trace to : %s", folder)

    def explain_handle(self, data_preprocess, raw_data):
        """The insights (`get_insights` of the subclass) for the target that request 0 names, 0 without one."""
        logger.info("Calculating Explanations")
        inputs, target = None, 0
        row = raw_data[0]
        if isinstance(row, dict):
            logger.info("Getting data and target")
            inputs = row.get("data") or row.get("body")
            target = row.get("target") or 0
        return self.get_insights(data_preprocess, inputs, target)

    def _is_explain(self) -> bool:
        if not self._asks_for("explain"):
            return False
        self.explain = True
        return True

    def _is_describe(self) -> bool:
        return self._asks_for("describe")

    def _asks_for(self, header: str) -> bool:
        return bool(self.context) and self.context.get_request_header(0, header) == "True"

    def describe_handle(self):
        """What a describe request gets as customised metadata; None here."""
        return

    def get_device(self):
        """The device that the model is on."""
        return self.device


def _load_state(path, map_location):
    try:
        return torch.load(path, map_location=map_location)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            f"{error}\nThe file holds more than tensors. If you trust it, set TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1."
        ) from error
