"""What `torch-workflow-archiver` does."""

import logging
import sys

from .arg_parser import ArgParser
from .workflow_archiver_error import WorkflowArchiverError
from .workflow_packaging_utils import WorkflowExportUtils


def package_workflow(args, manifest: str) -> None:
    """Writes the archive that parsed arguments describe. Exits 1 for what may not be made, raises for what can't."""
    try:
        WorkflowExportUtils.validate_inputs(args.workflow_name, args.export_path)
        folder = WorkflowExportUtils.check_war_already_exists(args.workflow_name, args.export_path, args.force)
        files = WorkflowExportUtils.flat_files([args.spec_file, args.handler, args.extra_files])
        WorkflowExportUtils.archive_files(folder, args.workflow_name, files, manifest)
        logging.info("Successfully exported workflow %s to file %s", args.workflow_name, folder)
    except WorkflowArchiverError as error:
        logging.error(error)
        sys.exit(1)


def generate_workflow_archive() -> None:
    """Makes the archive that the command line asks for."""
    logging.basicConfig(format="%(levelname)s - %(message)s")
    args = ArgParser.workflow_archiver_args_parser().parse_args()
    package_workflow(args, WorkflowExportUtils.generate_manifest_json(args))


def main() -> int:
    """The command: 0, or 1 with what went wrong as the last lines of standard error. Wrong flags exit 2."""
    try:
        generate_workflow_archive()
    except (OSError, ValueError) as error:
        logging.error(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
