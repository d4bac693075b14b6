import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "ts" / "utils" / "setup_model_venv.py"


def run(*command) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_models_environment_has_pip_and_sees_the_packages_of_the_interpreter(tmp_path):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "leftover").touch()

    made = run(sys.executable, SCRIPT, venv)

    python = venv / "bin" / "python"
    assert made.returncode == 0, made.stderr
    assert not (venv / "leftover").exists()
    (list_file,) = venv.glob("lib/python*/site-packages/inherited-site-packages.pth")
    assert made.stdout == list_file.read_text()
    pytest_file = run(python, "-c", "import pytest; print(pytest.__file__)").stdout
    assert any(pytest_file.startswith(folder) for folder in made.stdout.splitlines())
    assert run(python, "-c", "import pip; print(pip.__file__)").stdout.startswith(str(venv))


def test_a_call_without_a_folder_says_what_is_missing():
    answer = run(sys.executable, SCRIPT)

    assert (answer.returncode, answer.stderr) == (1, "usage: setup_model_venv.py FOLDER\n")
