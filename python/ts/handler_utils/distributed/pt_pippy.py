"""PiPPy's pipelines as a model's yaml describes them. `get_pipeline_driver` needs torchpippy below 0.2."""

import inspect
import logging
import os

import torch

logger = logging.getLogger(__name__)


def device_of(local_rank: int):
    """The CUDA device that process `local_rank` of a host uses, by number; `cpu` where there is none."""
    count = torch.cuda.device_count()
    return local_rank % count if count else "cpu"


def initialize_rpc_workers(local_rank, world_size, ctx) -> None:
    """Makes this process `worker{local_rank}` of the group's remote calls and waits for the others.

    The yaml has `pippy: {rpc_timeout, num_worker_threads}`, the time-out in seconds; KeyError without.
    """
    from torch.distributed import rpc

    settings = ctx.model_yaml_config["pippy"]
    options = rpc.TensorPipeRpcBackendOptions(
        num_worker_threads=settings["num_worker_threads"], rpc_timeout=settings["rpc_timeout"]
    )
    own = device_of(local_rank)
    if own != "cpu":
        for rank in range(world_size):
            options.set_device_map(f"worker{rank}", {own: device_of(rank)})
    logger.info("rank = %d pid/device = %d/%s", local_rank, os.getpid(), own)
    rpc.init_rpc(f"worker{local_rank}", rank=local_rank, world_size=world_size, rpc_backend_options=options)


def get_pipeline_driver(model, world_size, ctx):
    """The model cut into `world_size` stages that lie with the group's processes: call it as the model.

    The yaml has `pippy: {input_names, model_type[, chunks]}` and `handler: {model_path[, index_filename]}`;
    AssertionError when a key or the index file is missing. For `model_type: HF` it is the model itself that is given
    back, its `forward` now being the pipeline's.
    """
    yaml = ctx.model_yaml_config
    for key in ("pippy", "handler"):
        _require(key in yaml, f"Missing '{key}' key in YAML config")
    settings, handler = yaml["pippy"], yaml["handler"]
    for section, key in ((settings, "input_names"), (settings, "model_type"), (handler, "model_path")):
        _require(key in section, f"Missing '{key}' key in YAML config")
    index_path = None
    if handler.get("index_filename") is not None:
        index_path = os.path.join(handler["model_path"], handler["index_filename"])
        _require(os.path.exists(index_path), f"Index file '{index_path}' not found")

    is_hugging_face = settings["model_type"] == "HF"
    pippy = _pippy()
    model.eval()
    logger.info("Initializing the model pipeline")
    driver, _ = pippy.all_compile(
        model,
        num_ranks=world_size,
        num_chunks=settings.get("chunks", 1),
        schedule="FillDrain",
        split_policy=pippy.split_into_equal_size(world_size),
        tracer=_hugging_face().PiPPyHFTracer() if is_hugging_face else None,
        concrete_args=_fixed_arguments(model, settings["input_names"], is_hugging_face),
        index_filename=index_path,
        checkpoint_prefix=None,
    )
    if not is_hugging_face:
        return driver
    _hugging_face().inject_pipeline_forward(model, driver)
    return model


# The spelling of a page of TorchServe's documentation.
get_pipline_driver = get_pipeline_driver


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _pippy():
    import pippy

    if not hasattr(pippy, "all_compile"):
        raise RuntimeError("The installed PiPPy can't compile a whole model: install torchpippy below version 0.2")
    return pippy


def _hugging_face():
    import pippy.hf

    return pippy.hf


def _fixed_arguments(model, input_names, is_hugging_face: bool) -> dict:
    """What the tracer takes for the parameters of `forward` that no request gives: their defaults."""
    parameters = inspect.signature(model.forward).parameters.values()
    fixed = {parameter.name: parameter.default for parameter in parameters if parameter.name not in input_names}
    if is_hugging_face and "bloom" in str(model.__class__):
        fixed.setdefault("deprecated_arguments", {})
    return fixed
