"""The command line of `torch-model-archiver`."""

import argparse
import os

from .manifest_components.manifest import RuntimeType
from .model_archiver_config import ModelArchiverConfig


class ArgParser:
    """Reads `sys.argv`."""

    @staticmethod
    def export_model_args_parser() -> ModelArchiverConfig:
        """The archive that the command line asks for; prints usage and exits 2 when it asks wrongly."""
        return ModelArchiverConfig.from_args(_parser().parse_args())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torch-model-archiver",
        description="Packs a model, its handler and what they need into one archive that a server can load.",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = parser.add_argument
    add("--model-name", required=True, help="name of the model; the archive is called after it")
    add(
        "--serialized-file",
        help="weights: a state_dict (.pt, .pth) for a model with --model-file, a TorchScript file, or .onnx",
    )
    add(
        "--model-file",
        help="Python file with the architecture of an eager model;\nit must define exactly one class",
    )
    add(
        "--handler",
        required=True,
        help="a Python file, with `:function` behind it if wanted, or the name of a built-in handler",
    )
    add("--extra-files", help="further files, folders and wildcards, with commas between;\nof a folder its contents")
    add(
        "--runtime",
        default=RuntimeType.PYTHON.value,
        choices=[runtime.value for runtime in RuntimeType],
        help="what runs the handler; python unless given",
    )
    add("--export-path", default=os.getcwd(), help="folder of the archive; the working directory unless given")
    add(
        "--archive-format",
        default="default",
        choices=["tgz", "no-archive", "zip-store", "default"],
        help="default: MODEL_NAME.mar, compressed\n"
        "zip-store: MODEL_NAME.mar, not compressed\n"
        "tgz: MODEL_NAME.tar.gz\n"
        "no-archive: the folder MODEL_NAME",
    )
    add("-f", "--force", action="store_true", help="write over an archive that is there")
    add("-v", "--version", required=True, help="version of the model")
    add("-r", "--requirements-file", help="requirements.txt of the handler")
    add("-c", "--config-file", help="YAML with the model's settings: batchSize, maxWorkers, ...")
    return parser
