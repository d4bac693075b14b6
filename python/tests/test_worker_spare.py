"""The worker that is forked before it is ordered, as the gateway and the system see it."""

import json
import os
import pathlib
import signal

import pytest
from parent_process import ParentProcess
from processes import lives, wait_until

from sconce_worker.spare import TITLE


@pytest.fixture
def parent(tmp_path, bases):
    run_directory = tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    made = ParentProcess(run_directory, "--control-groups", json.dumps(bases))
    yield made
    made.close()
    # The parent removes the server's own groups too when the gateway goes without a word.
    for base in bases.values():
        os.makedirs(base, exist_ok=True)


def _spare_of(parent, *workers):
    """Its pid, once there is one that stands in its group. Workers that were spares still look like one at first."""
    found = []

    def is_there():
        others = [pid for pid in _children(parent.process.pid) if pid not in workers]
        found[:] = [pid for pid in others if _title(pid) == TITLE and "/spare-" in _groups(pid)]
        return len(found) == 1

    wait_until(is_there)
    return found[0]


def _children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _title(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def _groups(pid):
    return pathlib.Path(f"/proc/{pid}/cgroup").read_text()


def _limits(bases, group):
    folder = pathlib.Path(bases["memory"]) / group
    return int((folder / "memory.limit_in_bytes").read_text()), (
        pathlib.Path(bases["pids"]) / group / "pids.max"
    ).read_text().strip()


def test_the_next_worker_is_the_spare_in_its_group_with_the_limits_of_its_own_order(parent, tmp_path, bases):
    first, _ = parent.fork(tmp_path)
    assert parent.group == "worker-5"
    waiting = _spare_of(parent)

    limits = {"memoryBytes": 1 << 30, "processes": 77, "openFiles": 99}
    second, channels = parent.fork(tmp_path, worker=6, limits=limits)

    assert second == waiting != first
    assert set(channels) == {"data", "stdout", "stderr"}
    assert parent.group in _groups(second)
    assert _limits(bases, parent.group) == (1 << 30, "77")
    assert " 99 " in next(line for line in _read(second, "limits").splitlines() if line.startswith("Max open files"))
    assert _spare_of(parent, second) != first


def test_a_spare_that_has_ended_is_not_waited_for(parent, tmp_path, bases):
    parent.fork(tmp_path)
    waiting = _spare_of(parent)
    os.kill(waiting, signal.SIGKILL)
    wait_until(lambda: waiting not in _children(parent.process.pid))

    parent.fork(tmp_path, worker=6)

    assert parent.group == "worker-6"
    assert not [name for name in os.listdir(bases["pids"]) if name.startswith("spare-") and name.endswith("-1")]


@pytest.mark.parametrize("stopped", ["in its group", "on its way there"])
def test_a_spare_that_does_not_listen_is_ended_and_another_worker_made(parent, tmp_path, stopped):
    first, _ = parent.fork(tmp_path)
    if stopped == "in its group":
        waiting = _spare_of(parent)
    else:
        wait_until(lambda: _children(parent.process.pid) != [first])
        (waiting,) = {*_children(parent.process.pid)} - {first}
    os.kill(waiting, signal.SIGSTOP)

    # More than the line holds: a small order waits in it until the worker is killed for being late, like any other.
    parent.fork(tmp_path, worker=6, environment={"LONG": "x" * (3 << 20)})

    assert parent.group == "worker-6"
    wait_until(lambda: not lives(waiting))


def test_a_worker_of_another_tenant_is_no_spare_of_this_one(parent, tmp_path, bases):
    for base in bases.values():
        os.makedirs(os.path.join(base, "tenant-b"))
    parent.fork(tmp_path)
    waiting = _spare_of(parent)

    second, _ = parent.fork(tmp_path, worker=6, tenant="tenant-b")

    assert (second != waiting, parent.group) == (True, "tenant-b/worker-6")
    wait_until(lambda: not lives(waiting))
    waiting = _spare_of(parent)
    third, _ = parent.fork(tmp_path, worker=7, tenant="tenant-b")
    assert third == waiting
    assert parent.group.startswith("tenant-b/spare-")
    assert "/tenant-b/spare-" in _groups(third)


def test_a_spare_holds_nothing_of_the_workers_before_it(parent, tmp_path):
    parent.fork(tmp_path, environment={"SECRET": "word-of-the-first"})
    waiting = _spare_of(parent)

    descriptors = [os.readlink(f"/proc/{waiting}/fd/{name}") for name in os.listdir(f"/proc/{waiting}/fd")]

    # Its line and the null device aside: no pipe of the gateway's, no connection of a worker's.
    assert len([name for name in descriptors if name.startswith("socket:")]) == 1
    assert not [
        name for name in descriptors if name.startswith("pipe:") and name != os.readlink(f"/proc/{waiting}/fd/2")
    ]


@pytest.mark.parametrize("how", ["end", "SIGTERM", "SIGKILL", "stdin"])
def test_no_spare_outlives_its_parent(parent, tmp_path, bases, how):
    parent.fork(tmp_path)
    waiting = _spare_of(parent)

    if how == "end":
        parent.tell(do="end")
    elif how == "stdin":
        parent.process.stdin.close()
    else:
        parent.process.send_signal(getattr(signal, how))
    parent.process.wait(10)

    wait_until(lambda: not lives(waiting))
    if how != "SIGKILL":
        assert [base for base in bases.values() if os.path.exists(base) and any(map(os.path.isdir, _below(base)))] == []
    else:
        wait_until(lambda: all(_removed(folder) for base in bases.values() for folder in _below(base)))


def _below(base):
    return [os.path.join(base, name) for name in os.listdir(base) if os.path.isdir(os.path.join(base, name))]


def _removed(folder):
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True


def _read(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text()
