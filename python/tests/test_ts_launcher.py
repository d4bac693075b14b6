"""Drives the real server through the launcher, on free ports and with a PID file of its own."""

import os
import queue
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import address_of

from ts import launcher, llm_launcher
from ts.server_command import torchserve_command

requests = pytest.importorskip("requests")

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60


def store_echo(server_folder) -> None:
    with zipfile.ZipFile(server_folder / "store" / "echo.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", '{"model": {"modelName": "echo", "handler": "answer:handle"}}')
        archive.writestr("answer.py", "def handle(data, context):\n    return data and [row['body'] for row in data]\n")


def rest_of(lines: queue.Queue) -> list:
    return list(iter(lambda: lines.get(timeout=WAIT_S), None))


def test_a_server_is_started_given_a_model_and_stopped(server_folder, monkeypatch, capsys):
    store_echo(server_folder)

    lines = launcher.start(
        str(server_folder / "store"),
        str(server_folder / "config.properties"),
        no_config_snapshots=True,
        disable_token=True,
        enable_model_api=True,
    )
    printed = capsys.readouterr().out
    monkeypatch.setattr(launcher, "MANAGEMENT_ADDRESS", address_of("Management", printed))
    registered = launcher.register_model("renamed", "echo.mar")
    refused = launcher.register_model_with_params({"url": "absent.mar"})
    predicted = requests.post(f"{address_of('Inference', printed)}/predictions/renamed", data=b"tea", timeout=WAIT_S)
    launcher.stop()

    assert "Model server started" in printed
    assert (registered.status_code, refused.status_code) == (200, 404)
    assert (predicted.status_code, predicted.content) == (200, b"tea")
    assert any("renamed" in line for line in rest_of(lines))


def test_models_are_loaded_at_the_start_and_a_running_server_is_replaced(server_folder, capsys):
    store_echo(server_folder)
    first = launcher.start(str(server_folder / "store"), str(server_folder / "config.properties"), disable_token=True)
    capsys.readouterr()

    launcher.start(
        str(server_folder / "store"), str(server_folder / "config.properties"), disable_token=True, models="echo.mar"
    )

    assert "Loading initial models: echo.mar" in capsys.readouterr().out
    assert isinstance(rest_of(first), list)


def test_a_server_that_does_not_start_gives_a_queue_at_its_end(server_folder, capsys):
    lines = launcher.start(str(server_folder / "absent"))

    assert lines.get(timeout=WAIT_S) is None
    assert "--model-store directory not found" in capsys.readouterr().out


def test_lines_that_nobody_reads_are_dropped_and_the_end_is_still_told(monkeypatch):
    monkeypatch.setattr(launcher, "QUEUE_LIMIT_LINES", 3)
    command = [sys.executable, "-c", "for number in range(50): print(number)"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")

    echo = launcher._Echo(process)
    echo.start()
    echo.join(WAIT_S)

    assert [echo.lines.get_nowait()] == [None]


def test_the_command_is_that_of_this_installation_whatever_path_has(tmp_path, monkeypatch):
    (tmp_path / "torchserve").write_text("#!/bin/sh\necho another server\n")
    (tmp_path / "torchserve").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert torchserve_command() == str(ROOT / "bin" / "torchserve")


def test_the_command_is_found_on_path_where_only_the_package_was_copied(tmp_path, monkeypatch):
    monkeypatch.setattr("ts.server_command._BESIDE_THIS_PACKAGE", tmp_path / "absent")
    monkeypatch.setenv("PATH", str(ROOT / "bin"))
    assert torchserve_command() == str(ROOT / "bin" / "torchserve")

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="No torchserve command"):
        torchserve_command()


def test_the_python_entry_point_is_the_command(server_folder):
    answer = subprocess.run(
        [sys.executable, "-m", "ts.model_server", "--version"],
        cwd=ROOT / "python",
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )

    assert (answer.returncode, answer.stdout) == (0, "TorchServe Version is 0.12.0\n")


# The launcher of language models

ENGINE = """
import json

class VLLMHandler:
    def initialize(self, context):
        self.settings = context.model_yaml_config["handler"]

    async def handle(self, data, context):
        return [json.dumps({"path": context.get_request_header(0, "url_path"), **self.settings})]
"""


def test_a_language_model_is_served_until_the_server_stops(server_folder, monkeypatch, capsys):
    # A module of the handler's name, as vLLM itself wants a GPU.
    (server_folder / "search").mkdir()
    (server_folder / "search" / "vllm_handler.py").write_text(ENGINE)
    monkeypatch.setenv("PYTHONPATH", str(server_folder / "search"))
    monkeypatch.setenv("TS_CONFIG_FILE", str(server_folder / "config.properties"))
    monkeypatch.setattr(llm_launcher, "_device_count", lambda: 2)
    answers = []

    class Lines:
        def __init__(self, lines):
            self.lines = lines

        def get(self):
            inference = address_of("Inference", capsys.readouterr().out)
            answers.append(
                requests.post(f"{inference}/predictions/tiny/1.0/v1/completions", json={}, timeout=WAIT_S).json()
            )
            launcher.stop()
            return

    monkeypatch.setattr(llm_launcher, "start", lambda **options: Lines(launcher.start(**options)))
    arguments = ["--model_name", "tiny", "--model_id", "organisation/model", "--disable_token_auth"]

    llm_launcher.main(llm_launcher.argument_parser().parse_args(arguments))

    (answer,) = answers
    assert (answer["path"], answer["model_path"]) == ("v1/completions", "organisation/model")
    assert answer["vllm_engine_config"]["tensor_parallel_size"] == 2
    assert list((server_folder / "model_store").iterdir()) == []
