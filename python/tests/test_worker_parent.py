"""The parent process as the gateway sees it, without a gateway."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

HOME = pathlib.Path(__file__).parents[1]


def _greeting(connection):
    """The first line and no byte more: the worker's first frame may follow at once."""
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    return line.decode()


class ParentProcess:
    def __init__(self, run_directory):
        self.run_directory = run_directory
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(run_directory / "s"))
        self.server.listen()
        self.server.settimeout(10)
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "sconce_worker.parent", "--run-directory", run_directory, "--without-torch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=HOME,
            env={"PYTHONPATH": str(HOME)},
        )

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def event(self):
        return json.loads(self.process.stdout.readline())

    def fork(self, directory):
        """Forks a worker; gives its pid and its three connections by name."""
        self.tell(
            do="fork",
            order={
                "worker": 5,
                "nonce": "n",
                "socket_path": str(self.run_directory / "s"),
                "title": "t",
                "environment": {},
                "python_path": [str(HOME)],
                "directory": str(directory),
            },
        )
        forked = self.event()
        assert forked["event"] == "forked"
        channels = {}
        for _ in range(3):
            connection, _ = self.server.accept()
            connection.settimeout(10)
            key, nonce, name = _greeting(connection).split()
            assert (key, nonce) == ("5", "n")
            channels[name] = connection
        return forked["pid"], channels


@pytest.fixture
def parent(tmp_path):
    run_directory = tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    made = ParentProcess(run_directory)
    assert made.event()["event"] == "ready"
    yield made
    made.process.stdin.close()
    made.process.wait(10)
    made.process.stdout.close()
    made.server.close()


def test_a_killed_worker_is_reported_with_its_signal(parent, tmp_path):
    pid, channels = parent.fork(tmp_path)
    assert set(channels) == {"data", "stdout", "stderr"}
    parent.tell(do="kill", worker=5)
    exited = parent.event()
    assert (exited["event"], exited["worker"], exited["pid"]) == ("exited", 5, pid)
    assert (exited["code"], exited["signal"]) == (None, "SIGKILL")
    assert exited["maxRssBytes"] > 1_000_000


def test_a_worker_whose_data_connection_closes_ends_by_itself(parent, tmp_path):
    _, channels = parent.fork(tmp_path)
    channels["data"].close()
    exited = parent.event()
    assert (exited["code"], exited["signal"]) == (0, None)
    assert channels["stdout"].makefile().read().splitlines()[-1] == "Frontend disconnected."


def test_the_end_of_stdin_ends_the_workers_and_removes_the_run_directory(parent, tmp_path):
    _, channels = parent.fork(tmp_path)
    parent.process.stdin.close()
    assert parent.process.wait(10) == 0
    assert channels["stderr"].makefile().read() == ""
    assert not parent.run_directory.exists()


def test_being_told_to_end_leaves_the_run_directory_to_the_gateway(parent, tmp_path):
    _, channels = parent.fork(tmp_path)
    parent.tell(do="end")
    assert parent.process.wait(10) == 0
    assert channels["stderr"].makefile().read() == ""
    assert parent.run_directory.exists()


def test_sigterm_ends_the_workers(parent, tmp_path):
    pid, channels = parent.fork(tmp_path)
    parent.process.send_signal(signal.SIGTERM)
    assert parent.process.wait(10) == 0
    assert channels["stderr"].makefile().read() == ""
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_sigint_does_nothing(parent):
    parent.process.send_signal(signal.SIGINT)
    parent.tell(do="kill", worker=99)
    assert parent.process.poll() is None


def test_a_run_directory_that_others_can_enter_is_not_removed(parent):
    parent.run_directory.chmod(0o755)
    parent.process.stdin.close()
    parent.process.wait(10)
    assert parent.run_directory.exists()
