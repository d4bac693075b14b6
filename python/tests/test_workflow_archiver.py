import json
import os
from argparse import Namespace
from functools import partial

import archived_models
import pytest
from archived_models import COMMANDS, contents

from workflow_archiver import __version__
from workflow_archiver.workflow_packaging import package_workflow
from workflow_archiver.workflow_packaging_utils import WorkflowExportUtils


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    for name, text in {"spec/spec.yaml": "dag: {}\n", "wf.py": "def pre(data, context): ...\n", "a.txt": "A"}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


archiver = partial(archived_models.archiver, starter=COMMANDS / "torch-workflow-archiver")


def test_an_archive_holds_specification_functions_and_extra_files_flat_and_a_manifest(folder):
    flags = ["--workflow-name", "wf", "--spec-file", "spec/spec.yaml", "--handler", "wf.py", "--extra-files"]
    ran = archiver(folder, *flags, "a.txt, spec/spec.yaml")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert list(contents(folder / "wf.war")) == ["a.txt", "spec.yaml", "wf.py", "WAR-INF/MANIFEST.json"]
    assert contents(folder / "wf.war")["WAR-INF/MANIFEST.json"].decode() == (
        '{\n  "createdOn": "01/01/1980 00:00:00",\n  "workflow": {\n    "workflowName": "wf",\n'
        '    "specFile": "spec.yaml",\n    "handler": "wf.py"\n  },\n  "archiverVersion": "0.2.15"\n}'
    )
    assert __version__ == "0.2.15"


def test_a_workflow_without_functions_has_no_handler(folder):
    assert archiver(folder, *["--workflow-name", "wf", "--spec-file", "spec/spec.yaml"]).returncode == 0

    described = json.loads(contents(folder / "wf.war")["WAR-INF/MANIFEST.json"])["workflow"]
    assert described == {"workflowName": "wf", "specFile": "spec.yaml"}


def test_the_same_input_makes_the_same_bytes(folder):
    flags = ["--workflow-name", "wf", "--spec-file", "spec/spec.yaml", "--handler", "wf.py"]
    archiver(folder, *flags)
    first = (folder / "wf.war").read_bytes()
    os.utime(folder / "wf.py", (1_000_000_000, 1_000_000_000))

    ran = archiver(folder, *flags, "-f")

    assert ran.stderr == f"WARNING - Overwriting {folder}/wf.war ...\n"
    assert (folder / "wf.war").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("--workflow-name w/f --spec-file spec/spec.yaml", 1, "ERROR - Workflow name contains special characters.\n"),
        ("--workflow-name wf --spec-file nope.yaml", 1, "ERROR - [Errno 2] No such file or directory: 'nope.yaml'\n"),
        (
            "--workflow-name wf --spec-file spec/spec.yaml --export-path nope",
            1,
            "ERROR - Given export-path nope is not a directory. Point to a valid export-path directory.\n",
        ),
        ("--workflow-name wf", 2, "torch-workflow-archiver: error: the following arguments are required: --spec-file"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(folder, arguments, code, text):
    before = set(os.listdir(folder))

    ran = archiver(folder, *arguments.split())

    assert (ran.returncode, ran.stdout) == (code, "")
    assert text in ran.stderr
    assert "Traceback" not in ran.stderr
    assert set(os.listdir(folder)) == before


def test_an_archive_that_is_there_is_refused_without_force_also_from_python(folder, caplog):
    wish = Namespace(
        workflow_name="wf", spec_file="spec/spec.yaml", handler=None, extra_files=None, export_path=".", force=False
    )
    package_workflow(wish, WorkflowExportUtils.generate_manifest_json(wish))

    with pytest.raises(SystemExit) as end:
        package_workflow(wish, WorkflowExportUtils.generate_manifest_json(wish))

    assert end.value.code == 1
    assert "already exists.\nPlease specify --force/-f option to overwrite the workflow archive" in caplog.text
