"""The command line of `torch-workflow-archiver`."""

import argparse
import os


class ArgParser:
    """Describes the flags."""

    @staticmethod
    def workflow_archiver_args_parser() -> argparse.ArgumentParser:
        """A parser that prints usage and exits 2 when the command line is wrong."""
        parser = argparse.ArgumentParser(
            prog="torch-workflow-archiver",
            description="Packs a workflow's specification and its functions into one archive that a server can load.",
            formatter_class=argparse.RawTextHelpFormatter,
        )
        add = parser.add_argument
        add("--workflow-name", required=True, help="name of the workflow; the archive is called WORKFLOW_NAME.war")
        add("--spec-file", required=True, help="YAML with the models and the graph")
        add("--handler", help="Python file with the functions of the graph, if it has any")
        add("--export-path", default=os.getcwd(), help="folder of the archive; the working directory unless given")
        add("-f", "--force", action="store_true", help="write over an archive that is there")
        add("--extra-files", help="further files, with commas between")
        return parser
