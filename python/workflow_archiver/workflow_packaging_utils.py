"""The steps of making a workflow archive, as users' scripts call them one by one."""

import os
import tempfile
import zipfile

from model_archiver import export_steps
from model_archiver.archive_writing import add_to_folder, add_to_zip, write_zip
from model_archiver.artifacts import folder_files
from model_archiver.model_packaging_utils import ModelExportUtils

from .manifest_components.manifest import Manifest
from .manifest_components.workflow import Workflow
from .workflow_archiver_error import WorkflowArchiverError

MANIFEST_FILE_NAME = "MANIFEST.json"
WAR_INF = "WAR-INF"


class WorkflowExportUtils:
    """Checks, names, gathers and writes; each step stands alone."""

    clean_temp_files = staticmethod(ModelExportUtils.clean_temp_files)
    make_dir = staticmethod(ModelExportUtils.make_dir)
    directory_filter = staticmethod(ModelExportUtils.directory_filter)

    @staticmethod
    def get_archive_export_path(export_file_path, workflow_name):
        """Where the archive of that name lies."""
        return os.path.join(export_file_path, f"{workflow_name}.war")

    @staticmethod
    def check_war_already_exists(workflow_name, export_file_path, overwrite):
        """Gives the export folder. Raises WorkflowArchiverError for an archive that may not be written over."""
        folder = os.getcwd() if export_file_path is None else export_file_path
        file = WorkflowExportUtils.get_archive_export_path(folder, workflow_name)
        export_steps.check_may_be_written(file, overwrite, "workflow", WorkflowArchiverError)
        return folder

    @staticmethod
    def generate_workflow(workflow_args) -> Workflow:
        """The manifest's `workflow` entry."""
        return Workflow(workflow_args.workflow_name, workflow_args.spec_file, workflow_args.handler)

    @staticmethod
    def generate_manifest_json(args) -> str:
        """The manifest's text."""
        return str(Manifest(WorkflowExportUtils.generate_workflow(args)))

    @staticmethod
    def flat_files(artifact_files) -> dict:
        """Maps names in the archive to paths; each item is a comma list of plain files, or nothing. Raises OSError."""
        files: dict = {}
        for path in (part.strip() for item in artifact_files if item for part in item.split(",")):
            with open(path, "rb"):
                files[os.path.basename(path)] = path
        return files

    @staticmethod
    def copy_artifacts(workflow_name, artifact_files):
        """Copies the files into a folder of its own called after the workflow, and gives its path."""
        files = WorkflowExportUtils.flat_files(artifact_files)
        folder = os.path.join(tempfile.mkdtemp(prefix="workflow-archiver-"), workflow_name)
        os.mkdir(folder)
        for name, path in files.items():
            add_to_folder(folder, path, name)
        return folder

    @staticmethod
    def archive(export_file, workflow_name, workflow_path, manifest):
        """Writes the archive of a folder's files and the manifest's text."""
        WorkflowExportUtils.archive_files(export_file, workflow_name, folder_files(workflow_path), manifest)

    @staticmethod
    def archive_files(export_file, workflow_name, files, manifest):
        """Writes the archive of `files` (name to path) as one step: one that can't be finished leaves nothing."""
        path = WorkflowExportUtils.get_archive_export_path(export_file, workflow_name)
        with export_steps.failure_told(export_file, workflow_name, "workflow"):
            write_zip(path, files, (f"{WAR_INF}/{MANIFEST_FILE_NAME}", manifest), zipfile.ZIP_DEFLATED)

    @staticmethod
    def archive_dir(path, dst):
        """Adds a folder's files to an open zip file."""
        for name, file in sorted(folder_files(path).items()):
            add_to_zip(dst, file, name)

    @staticmethod
    def file_filter(current_file, files_to_exclude):
        """Whether a file of this name is one that users mean to pack."""
        return export_steps.is_wanted_file(current_file, files_to_exclude | {MANIFEST_FILE_NAME}, ".war")

    @staticmethod
    def check_workflow_name_regex_or_exit(workflow_name):
        """Raises WorkflowArchiverError for a name that can't be a file's everywhere."""
        export_steps.check_name(workflow_name, "workflow", WorkflowArchiverError)

    @staticmethod
    def validate_inputs(workflow_name, export_path):
        """Checks the name and the export folder. Raises WorkflowArchiverError."""
        WorkflowExportUtils.check_workflow_name_regex_or_exit(workflow_name)
        export_steps.check_export_folder(export_path, WorkflowArchiverError)
