"""The parent process as the gateway sees it, without a gateway."""

import json
import os
import signal
import sys

import pytest
from parent_process import HOME, ParentProcess
from processes import lives, wait_until


@pytest.fixture
def parent(tmp_path):
    run_directory = tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    made = ParentProcess(run_directory)
    yield made
    made.close()


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


def test_sigint_does_nothing(parent, tmp_path):
    parent.process.send_signal(signal.SIGINT)
    parent.tell(do="kill", worker=99)
    # Its answer is the sign that it has seen both.
    parent.fork(tmp_path)
    assert parent.process.poll() is None


def test_a_run_directory_that_others_can_enter_is_not_removed(parent):
    parent.run_directory.chmod(0o755)
    parent.process.stdin.close()
    parent.process.wait(10)
    assert parent.run_directory.exists()


LAUNCHED = """
import json, os, subprocess, sys
before = dict(os.environ)
from sconce_worker.rank_group import take_order
agent, order, place, lines, report = take_order()
left = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(json.dumps({"before": before, "agent": agent, "order": order._asdict(), "stdin": os.readlink("/proc/self/fd/0"),
                  "cwd": os.getcwd(), "leads": os.getsid(0) == os.getpid(), "left": left.pid}), flush=True)
%s
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_launched_interpreter_finds_the_order_but_nothing_of_the_model_on_its_way(parent, tmp_path):
    pid, channels = parent.fork(tmp_path, ["-c", LAUNCHED % "sys.stdin.read(); import time; time.sleep(600)"])
    assert set(channels) == {"stdout", "stderr"}
    said = json.loads(channels["stdout"].makefile().readline())
    assert (said["agent"], said["leads"], said["cwd"]) == (pid, True, str(HOME))
    assert (said["order"]["nonce"], said["order"]["directory"]) == ("", str(tmp_path))
    assert said["order"]["environment"] == {"PYTHONPATH": "/of/the/model"}
    assert {name: said["before"][name] for name in ("PYTHONPATH", "KEPT")} == {
        "PYTHONPATH": str(HOME),
        "KEPT": "yes",
    }
    assert "n" not in said["before"].values()
    assert said["stdin"] == os.devnull
    parent.tell(do="kill", worker=5)
    assert parent.event()["signal"] == "SIGKILL"
    wait_until(lambda: not lives(said["left"]))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_what_a_group_leaves_in_sessions_of_its_own_goes_when_the_group_ends(parent, tmp_path):
    _, channels = parent.fork(tmp_path, ["-c", LAUNCHED % "os.fork() or os.setsid() or __import__('time').sleep(600)"])
    said = json.loads(channels["stdout"].makefile().readline())
    assert parent.event()["code"] == 0
    wait_until(lambda: not lives(said["left"]))
    # Every process of the group held the other ends.
    assert channels["stdout"].makefile().read() == ""
