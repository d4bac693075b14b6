import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from archived_models import FORMATS, STARTER, archiver, contents, lay_out, manifest, pack, refuse

import model_archiver
from model_archiver import ModelArchiver, ModelArchiverConfig


def test_an_archive_holds_what_the_flags_name_flat_and_a_manifest_with_its_keys_in_order(folder):
    archive = pack(
        folder,
        *("--handler", "h.py", "--model-file", "net/arch.py", "--serialized-file", "./weights.pt"),
        *("-r", "requirements.txt", "-c", "conf/model-config.yaml", "--extra-files", "a.txt, b.txt,"),
    )

    names = ["a.txt", "arch.py", "b.txt", "h.py", "model-config.yaml", "requirements.txt", "weights.pt"]
    assert list(contents(archive)) == [*names, "MAR-INF/MANIFEST.json"]
    assert contents(archive)["MAR-INF/MANIFEST.json"].decode() == (
        '{\n  "createdOn": "01/01/1980 00:00:00",\n  "runtime": "python",\n  "model": {\n'
        '    "modelName": "m",\n    "serializedFile": "weights.pt",\n    "handler": "h.py",\n'
        '    "modelFile": "arch.py",\n    "modelVersion": "1.0",\n    "requirementsFile": "requirements.txt",\n'
        '    "configFile": "model-config.yaml"\n  },\n  "archiverVersion": "0.12.0"\n}'
    )


@pytest.mark.parametrize("handler", ["h", "h.py", "h:handle", "h.py:handle", "./h:handle"])
def test_a_handler_file_is_copied_and_named_with_its_function(folder, handler):
    archive = pack(folder, "--handler", handler)

    assert set(contents(archive)) == {"h.py", "MAR-INF/MANIFEST.json"}
    assert manifest(archive)["model"]["handler"] == handler.replace("./", "")


@pytest.mark.parametrize("handler", ["image_classifier", "vllm_handler", "densenet_handler", "text_classifier:handle"])
def test_a_built_in_handler_is_named_and_not_copied(folder, handler):
    archive = pack(folder, "--handler", handler)

    assert set(contents(archive)) == {"MAR-INF/MANIFEST.json"}
    assert manifest(archive)["model"]["handler"] == handler


def test_a_file_called_like_a_built_in_handler_that_torchserves_archiver_does_not_know_is_taken(folder):
    shutil.copy(folder / "h.py", folder / "vision_handler.py")

    assert "vision_handler.py" in contents(pack(folder, "--handler", "vision_handler"))


def test_a_javascript_handler_keeps_its_name(folder):
    (folder / "handler.mjs").write_text("export function handle() {}\n")

    assert "handler.mjs" in contents(pack(folder, "--handler", "handler.mjs"))


def test_a_native_handler_is_a_shared_library(folder):
    suffix = "so" if sys.platform.startswith("linux") else "dylib"
    (folder / f"h.{suffix}").write_text("")

    archive = pack(folder, "--handler", "h", "--runtime", "LSP")

    assert f"h.{suffix}" in contents(archive)
    assert manifest(archive)["runtime"] == "LSP"


def test_extra_folders_give_their_contents_without_hidden_folders_and_caches(folder):
    names = set(contents(pack(folder, "--handler", "h", "--extra-files", "extra")))

    assert names == {"h.py", "one.txt", "sub/two.txt", ".hidden", "MAR-INF/MANIFEST.json"}


def test_of_two_extra_files_with_one_name_the_later_counts(folder):
    (folder / "other").mkdir()
    (folder / "other" / "a.txt").write_text("later")

    assert contents(pack(folder, "--handler", "h", "--extra-files", "a.txt,other/a.txt"))["a.txt"] == b"later"


def test_a_name_that_would_be_a_file_and_a_folder_is_refused(folder):
    (folder / "sub").write_text("of a file")
    flags = ["--model-name", "m", "--version", "1", "--handler", "h", "--extra-files", "sub,extra"]

    assert refuse(folder, *flags) == "ERROR - sub would be a file and a folder in the archive\n"
    assert not (folder / "m.mar").exists()


def test_a_manifest_among_the_extra_files_gives_way_to_the_archives_own(folder):
    (folder / "extra" / "MAR-INF").mkdir()
    (folder / "extra" / "MAR-INF" / "MANIFEST.json").write_text("{}")

    assert manifest(pack(folder, "--handler", "h", "--extra-files", "extra"))["model"]["modelName"] == "m"


def test_a_wildcard_is_expanded_and_warned_of_when_it_matches_nothing(folder):
    ran = archiver(
        folder, *["--model-name", "m", "--version", "1", "--handler", "h", "--extra-files", "[ab].txt,*.nope"]
    )

    assert {"a.txt", "b.txt"} < set(contents(folder / "m.mar"))
    assert ran.stderr == "WARNING - Given wildcard pattern did not match any file: *.nope\n"


@pytest.mark.parametrize(
    ("arguments", "last_line"),
    [
        ("--handler h --extra-files nope.txt", "ERROR - File does not exist: nope.txt"),
        ("--handler nope", "ERROR - [Errno 2] No such file or directory: 'nope.py'"),
        ("--handler h --serialized-file extra", "ERROR - [Errno 21] Is a directory: 'extra'"),
        (
            "--handler h --export-path a.txt",
            "ERROR - Given export-path a.txt is not a directory. Point to a valid export-path directory.",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line_and_nothing_is_written(folder, arguments, last_line):
    before = set(os.listdir(folder))

    assert refuse(folder, "--model-name", "m", "--version", "1", *arguments.split()).splitlines() == [last_line]
    assert set(os.listdir(folder)) == before


def test_a_bad_name_is_refused_with_the_rule(folder):
    assert refuse(folder, *["--model-name", "a/b", "--version", "1", "--handler", "h"]) == (
        "ERROR - Model name contains special characters.\n"
        "The allowed regular expression filter for model name is: ^[A-Za-z0-9][A-Za-z0-9_\\-.]*$\n"
    )


def test_wrong_flags_print_usage_and_exit_2(folder):
    ran = archiver(folder, "--model-name", "m", "--version", "1")

    assert ran.returncode == 2
    assert ran.stderr.startswith("usage: torch-model-archiver ")
    assert ran.stderr.endswith("torch-model-archiver: error: the following arguments are required: --handler\n")


def test_a_missing_export_folder_is_made_with_a_warning(folder):
    ran = archiver(folder, *["--model-name", "m", "--version", "1", "--handler", "h", "--export-path", "new/deep"])

    assert ran.stderr == "WARNING - Export directory (new/deep) does not exist. Creating...\n"
    assert (folder / "new" / "deep" / "m.mar").exists()


@pytest.mark.parametrize("archive_format", FORMATS)
def test_an_archive_that_is_there_is_written_over_only_by_force(folder, archive_format):
    arguments = ["--model-name", "m", "--version", "1", "--handler", "h", "--archive-format", archive_format]
    file = folder / FORMATS[archive_format]
    assert archiver(folder, *arguments, "--extra-files", "a.txt").returncode == 0
    before = contents(file)

    assert refuse(folder, *arguments).startswith(f"ERROR - {file} already exists.\nPlease specify --force/-f option")
    assert contents(file) == before
    assert archiver(folder, *arguments, "-f").stderr == f"WARNING - Overwriting {file} ...\n"
    assert not any(name.endswith("a.txt") for name in contents(file))


def test_force_writes_into_a_folder_that_is_no_archive_and_leaves_what_lies_there(folder):
    (folder / "m").mkdir()
    (folder / "m" / "mine").write_text("")

    archiver(folder, *["--model-name", "m", "--version", "1", "--handler", "h", "--archive-format", "no-archive", "-f"])

    assert set(contents(folder / "m")) == {"mine", "h.py", "MAR-INF/MANIFEST.json"}


def test_an_archive_that_cannot_be_finished_leaves_the_one_that_is_there(folder, monkeypatch, caplog):
    wish = ModelArchiverConfig("m", "h", "1", extra_files="a.txt")
    ModelArchiver.generate_model_archive(wish)
    before = (folder / "m.mar").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    wish.force = True
    with pytest.raises(OSError, match="No space left"):
        ModelArchiver.generate_model_archive(wish)

    assert (folder / "m.mar").read_bytes() == before
    assert [name for name in os.listdir(folder) if name.startswith(".archive")] == []
    assert f'Failed to save the model-archive to model-path "{folder}". Check the file' in caplog.text


def test_the_formats_are_zip_deflated_zip_stored_tar_below_the_name_and_a_folder(folder):
    for archive_format in FORMATS:
        wish = ModelArchiverConfig("m", "h", "1", extra_files="extra", archive_format=archive_format, force=True)
        ModelArchiver.generate_model_archive(wish)
        archive = folder / FORMATS[archive_format]
        expected = {"h.py", "one.txt", "sub/two.txt", ".hidden", "MAR-INF/MANIFEST.json"}
        prefix = "m/" if archive_format == "tgz" else ""
        assert set(contents(archive)) == {prefix + name for name in expected}
        if archive_format in ("default", "zip-store"):
            kind = zipfile.ZIP_STORED if archive_format == "zip-store" else zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(archive) as packed:
                assert {entry.compress_type for entry in packed.infolist()} == {kind}


@pytest.mark.parametrize("archive_format", ["default", "zip-store", "tgz"])
def test_the_same_input_makes_the_same_bytes_wherever_and_whenever(tmp_path, archive_format):
    made = []
    for n, mask in enumerate((0o022, 0o077)):
        folder = tmp_path / ("first" if n == 0 else "another/deeper/place")
        before = os.umask(mask)
        try:
            lay_out(folder)
        finally:
            os.umask(before)
        for place, _, names in os.walk(folder):
            for name in names:
                os.utime(os.path.join(place, name), (n * 1_000_000_000, n * 1_000_000_000))
        flags = ["--handler", "h", "--serialized-file", "weights.pt", "--extra-files", "extra,*.txt"]
        pack(folder, *flags, "--archive-format", archive_format, TZ="UTC" if n == 0 else "Asia/Tokyo")
        made.append((folder / FORMATS[archive_format]).read_bytes())

    assert made[0] == made[1]


def test_source_date_epoch_sets_the_time_of_manifest_and_entries(folder):
    archive = pack(folder, "--handler", "h", SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo")

    assert manifest(archive)["createdOn"] == "14/11/2023 22:13:20"
    with zipfile.ZipFile(archive) as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    assert (
        "SOURCE_DATE_EPOCH"
        in archiver(folder, *["--model-name", "n", "--version", "1", "--handler", "h"], SOURCE_DATE_EPOCH="x").stderr
    )


def test_the_command_runs_through_a_link_and_whatever_modules_lie_in_the_working_directory(folder):
    for name in ("json", "zipfile", "model_archiver", "logging"):
        (folder / f"{name}.py").write_text("raise SystemExit('taken from the working directory')\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "relative").symlink_to(os.path.relpath(STARTER, folder / "bin"))
    (folder / "archiver").symlink_to(folder / "bin" / "relative")

    flags = ["--model-name", "m", "--version", "1", "--handler", "h"]
    ran = archiver(folder, *flags, starter="./archiver", PYTHONPATH=str(folder))

    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_command_says_which_python_is_not_there(folder):
    ran = archiver(folder, "--help", PYTHON="no-such-python")

    assert ran.returncode == 127
    assert "no-such-python isn't there" in ran.stderr


def test_it_runs_as_a_module(folder):
    ran = subprocess.run(
        [sys.executable, "-m", "model_archiver", "--help"],
        env={**os.environ, "PYTHONPATH": str(Path(model_archiver.__file__).parents[1])},
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 0
    assert ran.stdout.startswith("usage: torch-model-archiver")


def test_a_link_that_never_ends_and_a_link_to_nothing_are_refused(folder):
    (folder / "extra" / "again").symlink_to(folder / "extra")
    with pytest.raises(ValueError, match="link to a folder that it lies in"):
        ModelArchiver.generate_model_archive(ModelArchiverConfig("m", "h", "1", extra_files="extra"))

    (folder / "extra" / "again").unlink()
    (folder / "extra" / "again").symlink_to(folder / "nothing")
    with pytest.raises(FileNotFoundError, match="link to nothing"):
        ModelArchiver.generate_model_archive(ModelArchiverConfig("m", "h", "1", extra_files="extra"))
