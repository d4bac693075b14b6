import sys

import pytest

from ts.arg_parser import ArgParser


def test_the_flags_of_the_command_have_torchserves_names():
    arguments = "--start --ts-config c --model-store s --workflow-store w --models a.mar b=c.mar --log-config l"
    arguments += " --cpp-log-config p --foreground --ncs --ppath g --dt --enable-model-api"

    parsed = ArgParser.extract_args(arguments.split())

    assert vars(parsed) == {
        "version": False,
        "start": True,
        "stop": False,
        "ts_config": "c",
        "model_store": "s",
        "workflow_store": "w",
        "models": ["a.mar", "b=c.mar"],
        "log_config": "l",
        "cpp_log_config": "p",
        "foreground": True,
        "no_config_snapshots": True,
        "plugins_path": "g",
        "token_auth": True,
        "model_mode": True,
    }


def test_the_programs_own_arguments_are_taken_without_others(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["torchserve", "--stop"])

    assert ArgParser.extract_args().stop


def test_start_and_stop_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as ended:
        ArgParser.extract_args(["--start", "--stop"])

    assert ended.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_the_flags_of_a_worker_are_known():
    parser = ArgParser.model_service_worker_args()

    parsed = parser.parse_args(["--sock-type", "unix", "--sock-name", "s", "--metrics-config", "m", "--async"])

    assert (parsed.sock_type, parsed.sock_name, parsed.metrics_config, parsed.async_comm) == ("unix", "s", "m", True)
    assert (parsed.host, parsed.port) == (None, None)
