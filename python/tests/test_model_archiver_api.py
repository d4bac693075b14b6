import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from archived_models import FORMATS, archiver, contents

from model_archiver import ModelArchiver, ModelArchiverConfig
from model_archiver.manifest_components.manifest import Manifest, RuntimeType
from model_archiver.manifest_components.model import Model
from model_archiver.model_archiver_error import ModelArchiverError
from model_archiver.model_packaging import package_model
from model_archiver.model_packaging_utils import ModelExportUtils

# TorchServe's own: requirements-test.txt brings it.
OFFICIAL = Path(sys.executable).with_name("torch-model-archiver")


def test_from_python_errors_are_raised_and_the_defaults_are_the_commands(folder, caplog):
    wish = ModelArchiverConfig(model_name="m", handler="h.py", version="1")
    assert (wish.runtime, wish.export_path, wish.archive_format, wish.force) == (
        "python",
        str(folder),
        "default",
        False,
    )
    ModelArchiver.generate_model_archive(wish)

    with pytest.raises(ModelArchiverError, match="already exists"):
        ModelArchiver.generate_model_archive(wish)
    assert "already exists" in caplog.text
    with pytest.raises(FileNotFoundError, match="File does not exist: nope"):
        ModelArchiver.generate_model_archive(ModelArchiverConfig("n", "h.py", "1", extra_files="nope"))


def test_the_steps_can_be_called_one_by_one(folder):
    wish = ModelArchiverConfig("m", "h.py:handle", "1", serialized_file="weights.pt")
    text = ModelExportUtils.generate_manifest_json(wish)
    assert text == str(Manifest(RuntimeType.PYTHON, Model("m", "weights.pt", "h.py:handle", model_version="1")))
    staged = ModelExportUtils.copy_artifacts("m", "python", handler="h:handle", extra_files="extra")
    try:
        assert os.path.basename(staged) == "m"
        assert sorted(os.listdir(staged)) == [".hidden", "h.py", "one.txt", "sub"]
        ModelExportUtils.archive(str(folder), "m", staged, text)
    finally:
        shutil.rmtree(os.path.dirname(staged))
    assert set(contents(folder / "m.mar")) == {".hidden", "h.py", "one.txt", "sub/two.txt", "MAR-INF/MANIFEST.json"}

    wish.force = True
    package_model(wish, text)
    assert set(contents(folder / "m.mar")) == {"h.py", "weights.pt", "MAR-INF/MANIFEST.json"}
    assert ModelExportUtils.find_unique(["a.pt", "b.txt"], ".pt") == "a.pt"
    with pytest.raises(ModelArchiverError, match="only one .pt file"):
        ModelExportUtils.find_unique(["a.pt", "b.pt"], ".pt")
    assert not ModelExportUtils.directory_filter(".git", set())
    assert not ModelExportUtils.file_filter("x.mar", set())


@pytest.mark.parametrize("archive_format", FORMATS)
@pytest.mark.parametrize(
    "flags",
    [
        "--handler h",
        "--handler h:handle --serialized-file weights.pt --model-file net/arch.py",
        "--handler image_classifier --serialized-file weights.pt -r requirements.txt -c conf/model-config.yaml",
        "--handler ./h.py --extra-files extra,*.txt --runtime python3",
    ],
)
def test_the_official_archiver_puts_the_same_into_an_archive(folder, tmp_path, flags, archive_format):
    arguments = ["--model-name", "m", "--version", "2.5", "--archive-format", archive_format, *flags.split()]
    (folder / "official").mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        [str(OFFICIAL), *arguments, "--export-path", "official"],
        cwd=str(folder),
        env={**environment, "TMPDIR": str(tmp_path)},
        check=True,
    )
    assert archiver(folder, *arguments).returncode == 0

    ours, theirs = contents(folder / FORMATS[archive_format]), contents(folder / "official" / FORMATS[archive_format])
    assert ours.keys() == theirs.keys()
    for name in ours:
        if name.endswith("MANIFEST.json"):
            here, there = (json.loads(files[name], object_pairs_hook=list) for files in (ours, theirs))
            assert [pair for pair in here if pair[0] != "createdOn"] == [
                pair for pair in there if pair[0] != "createdOn"
            ]
        else:
            assert ours[name] == theirs[name]
