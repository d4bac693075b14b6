"""Serves a large language model with one command: `python -m ts.llm_launcher --model_id ORGANISATION/MODEL`.

Lays out an archive for the vLLM or the TensorRT-LLM handler in the model store, starts the server with it and stays
until the server ends or is interrupted.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ts.launcher import start, stop
from ts.version import __version__

TENSORRT_LLM_SOURCE = "https://github.com/NVIDIA/TensorRT-LLM.git"
TENSORRT_LLM_VERSION = "v0.12.0"


def create_tensorrt_llm_engine(model_store, model_name, dtype, snapshot_path, max_batch_size) -> None:
    """Converts the weights of a Llama model and builds its engine, each unless it is there already.

    Needs git, the package tensorrt_llm and a GPU; raises subprocess.CalledProcessError when a step fails.
    """
    folder = Path(model_store, model_name)
    checkpoint = folder / "tllm_checkpoint_1gpu_bf16"
    if not checkpoint.exists():
        script = _tensorrt_llm_source() / "examples" / "llama" / "convert_checkpoint.py"
        options = ["--model_dir", snapshot_path, "--output_dir", str(checkpoint), "--dtype", dtype]
        subprocess.run([sys.executable, str(script), *options], check=True)
    engine = folder / f"{model_name}-engine"
    if not engine.exists():
        options = ["--checkpoint_dir", str(checkpoint), "--output_dir", str(engine)]
        options += ["--gemm_plugin", dtype, "--gpt_attention_plugin", dtype, "--max_batch_size", str(max_batch_size)]
        subprocess.run(["trtllm-build", *options], check=True)


def _tensorrt_llm_source() -> Path:
    # In the user's own cache: what lies in a folder that everybody can write to must not be run.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    source = cache / "sconce" / f"TensorRT-LLM-{TENSORRT_LLM_VERSION}"
    if not source.exists():
        source.parent.mkdir(parents=True, exist_ok=True)
        clone = ["git", "clone", "--depth", "1", "--branch", TENSORRT_LLM_VERSION, TENSORRT_LLM_SOURCE, str(source)]
        subprocess.run(clone, check=True)
    return source


def get_model_config(args, model_snapshot_path=None) -> dict:
    """What the archive's model-config.yaml says; RuntimeError for an unknown engine."""
    config = {
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": 1,
        "maxBatchDelay": 100,
        "responseTimeout": 1200,
        "startupTimeout": args.startup_timeout,
        "deviceType": "gpu",
        "asyncCommunication": True,
    }
    if args.engine == "vllm":
        devices = _device_count()
        folder = getattr(args, "vllm_engine.download_dir")
        engine = {
            "max_num_seqs": getattr(args, "vllm_engine.max_num_seqs"),
            "max_model_len": getattr(args, "vllm_engine.max_model_len"),
            "download_dir": folder and str(Path(folder).resolve()),
            "tensor_parallel_size": devices,
        }
        config["parallelLevel"] = devices
        config["handler"] = {"model_path": args.model_id, "vllm_engine_config": engine}
        return config
    if args.engine == "trt_llm":
        share = getattr(args, "trt_llm_engine.kv_cache_free_gpu_memory_fraction")
        config["handler"] = {
            "tokenizer_dir": os.path.join(os.getcwd(), model_snapshot_path),
            "engine_dir": f"{args.model_name}-engine",
            "kv_cache_config": {"free_gpu_memory_fraction": share},
        }
        return config
    raise RuntimeError(f"Unsupported LLM engine {args.engine}: use vllm or trt_llm")


def _device_count() -> int:
    import torch

    return max(1, torch.cuda.device_count())


@contextlib.contextmanager
def create_mar_file(args, model_snapshot_path=None):
    """The model's folder in the store, laid out as an archive unless it is there. One for vLLM, which holds nothing of
    worth, goes again in the end.
    """
    folder = Path(args.model_store, args.model_name)
    is_made_here = not folder.exists()
    if is_made_here:
        _write_archive(folder, args, model_snapshot_path)
    try:
        yield folder.as_posix()
    finally:
        if is_made_here and args.engine == "vllm":
            shutil.rmtree(folder)


def _write_archive(folder: Path, args, model_snapshot_path) -> None:
    config = get_model_config(args, model_snapshot_path)
    manifest = {
        "createdOn": time.strftime("%d/%m/%Y %H:%M:%S"),
        "runtime": "python",
        "model": {
            "modelName": args.model_name,
            "handler": f"{args.engine}_handler",
            "modelVersion": "1.0",
            "configFile": "model-config.yaml",
        },
        "archiverVersion": __version__,
    }
    (folder / "MAR-INF").mkdir(parents=True)
    (folder / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    # JSON is YAML, and needs no package to be written.
    (folder / "model-config.yaml").write_text(json.dumps(config, indent=2), encoding="utf-8")


def main(args) -> None:
    """Serves the model that the parsed arguments name until the server ends or Ctrl-C stops it."""
    Path(args.model_store).mkdir(parents=True, exist_ok=True)
    snapshot = None
    if args.engine == "trt_llm":
        from ts.utils.hf_utils import download_model

        snapshot = download_model(args.model_id)
    with create_mar_file(args, snapshot):
        if args.engine == "trt_llm":
            batch_size = getattr(args, "trt_llm_engine.max_batch_size")
            create_tensorrt_llm_engine(args.model_store, args.model_name, args.dtype, snapshot, batch_size)
        try:
            lines = start(
                model_store=args.model_store,
                no_config_snapshots=True,
                models=args.model_name,
                disable_token=args.disable_token_auth,
            )
            while lines.get() is not None:
                pass
        except KeyboardInterrupt:
            pass
        finally:
            stop(wait=False)


def argument_parser() -> argparse.ArgumentParser:
    """The program's flags; those of an engine have its name in front, with a dot."""
    parser = argparse.ArgumentParser(description="Serves a large language model.")
    parser.add_argument("--model_name", default="model", help="name to serve it under")
    parser.add_argument("--model_store", default="model_store", help="folder for the archive; made when missing")
    parser.add_argument("--model_id", default="meta-llama/Meta-Llama-3.1-8B-Instruct", help="on the hub, or a folder")
    parser.add_argument("--disable_token_auth", action="store_true", help="ask for no tokens")
    parser.add_argument("--startup_timeout", type=int, default=1200, help="seconds that loading may take")
    parser.add_argument("--engine", default="vllm", help="vllm or trt_llm")
    parser.add_argument("--dtype", default="bfloat16", help="number format of a TensorRT-LLM engine")
    parser.add_argument("--vllm_engine.max_num_seqs", type=int, default=256, help="requests that run at once")
    parser.add_argument("--vllm_engine.max_model_len", type=int, help="tokens of context; the model's own by default")
    parser.add_argument("--vllm_engine.download_dir", help="folder that weights are kept in")
    parser.add_argument("--trt_llm_engine.max_batch_size", type=int, default=4, help="requests that run at once")
    parser.add_argument(
        "--trt_llm_engine.kv_cache_free_gpu_memory_fraction",
        type=float,
        default=0.1,
        help="share of the free GPU memory that the cache may take",
    )
    return parser


if __name__ == "__main__":
    main(argument_parser().parse_args())
