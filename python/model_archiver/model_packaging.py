"""What `torch-model-archiver` does."""

import logging
import sys
from typing import Optional

from model_archiver.arg_parser import ArgParser
from model_archiver.artifacts import flat_artifacts
from model_archiver.model_archiver_config import ModelArchiverConfig
from model_archiver.model_archiver_error import ModelArchiverError
from model_archiver.model_packaging_utils import ModelExportUtils


def package_model(config: ModelArchiverConfig, manifest: str) -> None:
    """Writes the archive of `config` with that manifest. Raises as ModelArchiver.generate_model_archive does."""
    try:
        ModelExportUtils.validate_inputs(config.model_name, config.export_path)
        folder = ModelExportUtils.check_mar_already_exists(
            config.model_name, config.export_path, config.force, config.archive_format
        )
        files = flat_artifacts(
            config.runtime,
            {
                "model_file": config.model_file,
                "serialized_file": config.serialized_file,
                "handler": config.handler,
                "extra_files": config.extra_files,
                "requirements_file": config.requirements_file,
                "config_file": config.config_file,
            },
        )
        ModelExportUtils.archive_files(folder, config.model_name, files, manifest, config.archive_format)
        logging.info("Successfully exported model %s to file %s", config.model_name, folder)
    except ModelArchiverError as error:
        logging.error(error)
        raise


def generate_model_archive(config: Optional[ModelArchiverConfig] = None) -> None:
    """Makes the archive of `config`, or without one what the command line asks for; raises what goes wrong."""
    logging.basicConfig(format="%(levelname)s - %(message)s")
    if config is None:
        config = ArgParser.export_model_args_parser()
    package_model(config, ModelExportUtils.generate_manifest_json(config))


def main() -> int:
    """The command: 0, or 1 with what went wrong as the last lines of standard error. Wrong flags exit 2."""
    try:
        generate_model_archive()
    except ModelArchiverError:
        return 1
    except (OSError, ValueError) as error:
        logging.error(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
