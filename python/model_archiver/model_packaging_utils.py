"""The steps of making an archive, as users' scripts call them one by one."""

import logging
import os
import tarfile
import tempfile
import zipfile

from . import export_steps
from .archive_writing import add_to_folder, add_to_tar, add_to_zip, write_folder, write_tgz, write_zip
from .artifacts import BUILT_IN_HANDLERS, flat_artifacts, folder_files, is_wanted_folder
from .manifest_components.manifest import Manifest
from .manifest_components.model import Model
from .model_archiver_config import ModelArchiverConfig
from .model_archiver_error import ModelArchiverError

archiving_options = {"tgz": ".tar.gz", "no-archive": "", "zip-store": ".mar", "default": ".mar"}
model_handlers = BUILT_IN_HANDLERS

MODEL_SERVER_VERSION = "1.0"
MODEL_ARCHIVE_VERSION = "1.0"
MANIFEST_FILE_NAME = "MANIFEST.json"
MAR_INF = "MAR-INF"


class ModelExportUtils:
    """Checks, names, gathers and writes; each step stands alone."""

    @staticmethod
    def get_archive_export_path(export_file_path, model_name, archive_format):
        """Where the archive of that name and format lies."""
        return os.path.join(export_file_path, f"{model_name}{archiving_options.get(archive_format)}")

    @staticmethod
    def check_mar_already_exists(model_name, export_file_path, overwrite, archive_format="default"):
        """Gives the export folder. Raises ModelArchiverError for an archive that may not be written over."""
        folder = os.getcwd() if export_file_path is None else export_file_path
        file = ModelExportUtils.get_archive_export_path(folder, model_name, archive_format)
        export_steps.check_may_be_written(file, overwrite, "model", ModelArchiverError)
        return folder

    @staticmethod
    def find_unique(files, suffix):
        """The one name that ends so, or None. Raises ModelArchiverError for several."""
        found = [name for name in files if name.endswith(suffix)]
        if len(found) > 1:
            raise ModelArchiverError(
                f"model-archiver expects only one {suffix} file in the folder."
                f" Found {len(found)} files {found} in model-path."
            )
        return found[0] if found else None

    @staticmethod
    def generate_model(modelcfg: ModelArchiverConfig) -> Model:
        """The manifest's `model` entry."""
        return Model(
            model_name=modelcfg.model_name,
            serialized_file=modelcfg.serialized_file,
            model_file=modelcfg.model_file,
            handler=modelcfg.handler,
            model_version=modelcfg.version,
            requirements_file=modelcfg.requirements_file,
            config_file=modelcfg.config_file,
        )

    @staticmethod
    def generate_manifest_json(config: ModelArchiverConfig) -> str:
        """The manifest's text."""
        return str(Manifest(runtime=config.runtime, model=ModelExportUtils.generate_model(config)))

    @staticmethod
    def clean_temp_files(temp_files):
        for file in temp_files:
            os.remove(file)

    @staticmethod
    def make_dir(d):
        os.makedirs(d, exist_ok=True)

    @staticmethod
    def copy_artifacts(model_name, runtime, **kwargs):
        """Copies what the keywords name into a folder of its own called after the model, and gives its path.

        The folder's parent is made for it; whoever calls removes it.
        """
        entries = flat_artifacts(runtime, kwargs)
        folder = os.path.join(tempfile.mkdtemp(prefix="model-archiver-"), model_name)
        os.mkdir(folder)
        for name, file in entries.items():
            add_to_folder(folder, file, name)
        return folder

    @staticmethod
    def archive(export_file, model_name, model_path, manifest, archive_format="default"):
        """Writes the archive of a folder's files and the manifest's text."""
        ModelExportUtils.archive_files(export_file, model_name, folder_files(model_path), manifest, archive_format)

    @staticmethod
    def archive_files(export_file, model_name, files, manifest, archive_format="default"):
        """Writes the archive of `files` (name in the archive to path) and the manifest's text, as one step: an archive
        that can't be finished leaves nothing."""
        path = ModelExportUtils.get_archive_export_path(export_file, model_name, archive_format)
        described = (f"{MAR_INF}/{MANIFEST_FILE_NAME}", manifest)
        with export_steps.failure_told(export_file, model_name, "model"):
            if archive_format == "tgz":
                write_tgz(path, files, described, model_name)
            elif archive_format == "no-archive":
                write_folder(path, files, described)
            else:
                is_stored = archive_format == "zip-store"
                write_zip(path, files, described, zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED)

    @staticmethod
    def archive_dir(path, dst, archive_format, model_name):
        """Adds a folder's files to `dst`: an open tar or zip file, or the path of a folder, as the format says."""
        for name, file in sorted(folder_files(path).items()):
            if isinstance(dst, tarfile.TarFile):
                add_to_tar(dst, file, f"{model_name}/{name}")
            elif isinstance(dst, zipfile.ZipFile):
                add_to_zip(dst, file, name)
            else:
                add_to_folder(dst, file, name)

    @staticmethod
    def directory_filter(directory, unwanted_dirs):
        """Whether a folder of this name goes into an archive."""
        return directory not in unwanted_dirs and is_wanted_folder(directory)

    @staticmethod
    def file_filter(current_file, files_to_exclude):
        """Whether a file of this name is one that users mean to pack."""
        return export_steps.is_wanted_file(current_file, files_to_exclude | {MANIFEST_FILE_NAME}, ".mar")

    @staticmethod
    def check_model_name_regex_or_exit(model_name):
        """Raises ModelArchiverError for a name that can't be a file's everywhere."""
        export_steps.check_name(model_name, "model", ModelArchiverError)

    @staticmethod
    def validate_inputs(model_name, export_path):
        """Checks the name, and the export folder, which is made if it isn't there. Raises ModelArchiverError."""
        ModelExportUtils.check_model_name_regex_or_exit(model_name)
        folder = os.path.abspath(export_path)
        if not os.path.exists(folder):
            logging.warning("Export directory (%s) does not exist. Creating...", export_path)
            os.makedirs(folder)
        export_steps.check_export_folder(export_path, ModelArchiverError)
