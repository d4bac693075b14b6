"""What holds a worker to its limits, without a gateway."""

import mmap
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from processes import lives, wait_until

from sconce_worker import descendants, keep_to, linux
from sconce_worker.audit import Audit
from sconce_worker.control_group import ControlGroup, remove_tree
from sconce_worker.limits import Limits
from sconce_worker.warden import Warden
from sconce_worker.watch import Watch

HOME = pathlib.Path(__file__).parents[1]
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="read from /proc")


def _python(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(HOME)},
    )


@on_linux
def test_a_tree_is_ended_whole_with_those_that_left_the_session():
    code = """
import os, time
os.setsid()
for n in range(3):
    if os.fork() == 0:
        os.setsid()
print(os.getpid(), flush=True)
time.sleep(600)
"""
    root = _python(code)
    family = [int(root.stdout.readline()) for _ in range(8)]

    descendants.end([root.pid])
    root.wait(10)

    wait_until(lambda: not any(map(lives, family)))


@on_linux
def test_a_process_that_forks_without_end_is_ended_with_all_its_copies():
    code = """
import mmap, os, time
made = mmap.mmap(-1, 4096)
print("started", flush=True)
until = time.monotonic() + 20
while time.monotonic() < until:
    count = int.from_bytes(made[:4], "little")
    if count < 150:
        made[:4] = (count + 1).to_bytes(4, "little")
        os.fork()
"""
    root = _python(code)
    root.stdout.readline()
    wait_until(lambda: len(list(descendants.sizes_of_family(root.pid))) > 20)
    family = [pid for pid, _ in descendants.sizes_of_family(root.pid)]

    descendants.end([root.pid])
    root.wait(10)

    wait_until(lambda: not any(map(lives, family)))


@on_linux
def test_an_audit_counts_what_two_processes_share_once():
    code = """
import os, time
kept = bytearray(b"x") * (64 << 20)
child = os.fork()
if child != 0:
    print(child, flush=True)
time.sleep(600)
"""
    process = _python(code)
    family = [process.pid, int(process.stdout.readline())]

    audit = Audit(family)
    found = []
    wait_until(lambda: found.append(audit.result()) or found[-1] is not None)

    os.waitpid(audit.pid, 0)
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    assert 64 << 20 < found[-1] < 96 << 20


@on_linux
def test_threads_and_memory_of_a_process_are_told_and_nothing_of_one_that_has_gone():
    size = descendants.size_of(os.getpid())
    assert size.threads >= 1
    assert size.memory_bytes > 1_000_000
    assert descendants.size_of(2**22 + 1) == (0, 0)
    assert descendants.threads_of_user() >= 1


class Watched:
    """A warden whose only worker is a child that runs `code` below this process, without a control group."""

    def __init__(self, code, **limits):
        self.warden = Warden({})
        self.warden.prepare(1, limits)
        # What a forked worker would have from the start, and this process has, isn't counted.
        inherited = descendants.size_of(os.getpid()).memory_bytes
        start = f"from sconce_worker import linux\nlinux.adopt_orphans()\nINHERITED = {inherited}\n"
        self.child = _python(f"{start}{code}")
        self.child.stdout.readline()
        self.warden.forked(1, self.child.pid)

    def looked_at_until_it_ends(self):
        def ended():
            self.warden.look()
            return self.child.poll() is not None

        wait_until(ended)
        return self.warden.ended(1)


@pytest.fixture(autouse=True)
def usual_priority():
    linux.adopt_orphans()
    yield
    if sys.platform.startswith("linux"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@on_linux
@pytest.mark.parametrize(
    ("code", "limits", "struck"),
    [
        ("kept = bytearray(b'x') * (INHERITED + (200 << 20))", {"memoryBytes": 100 << 20}, "memory"),
        (
            "import os, time\nfor n in range(3):\n  if os.fork() == 0:\n"
            "    kept = bytearray(b'x') * (INHERITED // 3 + (60 << 20))\n    time.sleep(600)",
            {"memoryBytes": 150 << 20},
            "memory",
        ),
        (
            "import threading, time\nfor n in range(20): threading.Thread(target=time.sleep, args=(600,)).start()",
            {"processes": 15},
            "processes",
        ),
        ("import subprocess\nfor n in range(9): subprocess.Popen(['sleep', '600'])", {"processes": 8}, "processes"),
    ],
)
def test_a_watched_worker_over_its_limit_is_ended(code, limits, struck):
    watched = Watched(f"{code}\nprint(flush=True)\nimport time\ntime.sleep(600)", **limits)

    assert watched.looked_at_until_it_ends() == struck
    assert watched.child.returncode == -signal.SIGKILL


@on_linux
def test_a_watched_worker_whose_children_share_its_memory_is_left_alone(monkeypatch):
    code = """
import os, time
kept = bytearray(b"x") * (INHERITED + (60 << 20))
for n in range(3):
    if os.fork() == 0:
        time.sleep(600)
print(flush=True)
time.sleep(600)
"""
    found = []

    class Seen(Audit):
        def result(self):
            found.append(super().result())
            return found[-1]

    monkeypatch.setattr("sconce_worker.watch.Audit", Seen)
    limit_bytes = descendants.size_of(os.getpid()).memory_bytes + (150 << 20)
    watched = Watched(code, memoryBytes=limit_bytes)

    wait_until(lambda: watched.warden.look() or (found and found[-1] is not None))

    assert found[-1] < limit_bytes
    assert watched.child.poll() is None
    watched.child.kill()
    watched.child.wait()
    assert watched.warden.ended(1) == "unknown"


@on_linux
def test_a_look_that_gets_no_process_for_its_audit_leaves_nothing_open_and_a_later_one_makes_up_for_it(monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    child = subprocess.Popen(["sleep", "600"])
    # Each process alone stays below; together they don't.
    watch = Watch(os.getpid(), Limits(memoryBytes=1))
    opened = os.listdir("/proc/self/fd")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", refuse)
        found = watch.look()

    assert (found, watch.helper) == (None, None)
    assert os.listdir("/proc/self/fd") == opened
    wait_until(lambda: watch.look() or watch.helper is not None)
    os.waitpid(watch.helper, 0)
    assert watch.look() == "memory"
    child.kill()
    child.wait()


@on_linux
def test_what_a_watched_worker_leaves_is_ended_with_it():
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    print(os.getpid(), flush=True)
    time.sleep(600)
os.wait()
time.sleep(600)
"""
    warden = Warden({})
    warden.prepare(1, {})
    child = _python(f"from sconce_worker import linux\nlinux.adopt_orphans()\n{code}")
    orphan = int(child.stdout.readline())
    warden.forked(1, child.pid)
    assert lives(orphan)

    warden.end(1)
    child.wait(10)
    warden.ended(1)

    wait_until(lambda: not lives(orphan))


def _in_group(group, code):
    child = os.fork()
    if child == 0:
        group.enter()
        os.execv(sys.executable, [sys.executable, "-c", code])
    return child


def test_a_group_tells_that_its_memory_limit_was_reached(bases):
    group = ControlGroup(bases, "w")
    group.make(60 << 20, 32)

    child = _in_group(group, "kept = bytearray(b'x') * (200 << 20)")
    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert group.struck() == "memory"
    wait_until(group.remove)


def test_a_group_tells_that_the_limit_of_its_tenant_was_reached(bases):
    tenant = os.path.join(bases["memory"], "tenant-a")
    group = ControlGroup(bases, "w", "tenant-a")
    group.make(None, 32)
    name = "memory.max" if os.path.exists(os.path.join(tenant, "memory.max")) else "memory.limit_in_bytes"
    with open(os.path.join(tenant, name), "w", encoding="ascii") as file:
        file.write(str(60 << 20))

    child = _in_group(group, "kept = bytearray(b'x') * (200 << 20)")
    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert group.struck() == "tenant-memory"
    wait_until(group.remove)
    for base in set(bases.values()):
        remove_tree(os.path.join(base, "tenant-a"))
        assert not os.path.exists(os.path.join(base, "tenant-a"))


def test_a_worker_whose_tenant_got_no_group_for_its_processors_starts_without(bases):
    group = ControlGroup({**bases, "cpuset": "/nowhere"}, "w", "tenant-a")
    group.make(None, 32)

    child = os.fork()
    if child == 0:
        code = 1
        try:
            group.enter()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    wait_until(group.remove)
    for base in set(bases.values()):
        remove_tree(os.path.join(base, "tenant-a"))

    assert os.waitstatus_to_exitcode(status) == 0


@on_linux
def test_a_process_is_kept_to_processors_with_all_its_threads():
    all_processors = sorted(os.sched_getaffinity(0))
    code = "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start(); print('up', flush=True)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        child.stdout.readline()

        keep_to.keep(child.pid, {all_processors[-1]})

        threads = [int(name) for name in os.listdir(f"/proc/{child.pid}/task")]
        assert len(threads) == 2
        assert [os.sched_getaffinity(thread) for thread in threads] == [{all_processors[-1]}] * 2
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_group_lets_no_more_be_forked_than_it_may_and_is_killed_whole(bases):
    group = ControlGroup(bases, "w")
    group.make(None, 10)
    code = """
import os, time
for n in range(40):
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        pass
time.sleep(600)
"""

    child = _in_group(group, code)
    wait_until(lambda: len(group.members()) == 10 and group.struck() == "processes")
    assert not group.remove()
    group.kill()
    os.waitpid(child, 0)

    wait_until(group.remove)
    assert group.struck() == "none"


def test_a_group_of_v2_is_written_in_its_own_files(tmp_path):
    folder = tmp_path / "base" / "w"
    folder.mkdir(parents=True)
    files = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cgroup.procs", "cgroup.kill")
    for name in files:
        (folder / name).write_text("")
    base = str(tmp_path / "base")
    group = ControlGroup({"memory": base, "pids": base, "cpu": base}, "w")

    group.make(1 << 20, 7)
    group.enter()
    group.kill()

    assert [(folder / name).read_text() for name in files] == [str(1 << 20), "0", "1", "7", "0", "1"]
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 1\n")
    assert group.struck() == "memory"
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n")
    assert group.struck() == "machine-memory"
    (folder / "memory.events").write_text("oom_kill 0\n")
    (folder / "pids.events").write_text("max 3\n")
    assert group.struck() == "processes"


def test_resource_limits_hold_and_cores_are_not_dumped(tmp_path):
    code = f"""
import os, resource
from sconce_worker.limits import Limits, set_resource_limits
set_resource_limits(Limits(fileBytes=1000, openFiles=20))
print(resource.getrlimit(resource.RLIMIT_CORE))
file = open({str(tmp_path / "f")!r}, "wb", 0)
for attempt in (lambda: file.write(bytes(2000)), lambda: [os.dup(1) for _ in range(30)]):
    try:
        print(attempt())
    except OSError as error:
        print(type(error).__name__, error.strerror)
"""
    child = _python(code)
    output, _ = child.communicate(timeout=10)

    assert output.splitlines() == ["(0, 0)", "1000", "OSError Too many open files"]
    assert (tmp_path / "f").stat().st_size == 1000


@on_linux
def test_shared_memory_counts_as_memory():
    shared = mmap.mmap(-1, 32 << 20)
    before = descendants.size_of(os.getpid()).memory_bytes
    shared.write(b"x" * (32 << 20))
    assert descendants.size_of(os.getpid()).memory_bytes - before > 24 << 20
