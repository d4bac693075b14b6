"""The builder of environments as the gateway sees it, without a gateway."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from processes import lives, wait_until

SCRIPT = pathlib.Path(__file__).parents[1] / "sconce_worker" / "build_environment.py"
# A step that tells the pids of itself and of a child, and would go on for ever.
ENDLESS = """
import os, subprocess, time
child = subprocess.Popen(["sleep", "1000"])
print(os.getpid(), child.pid, flush=True)
time.sleep(1000)
"""


class Builder:
    def __init__(self, folder, steps, **over):
        self.home = folder / "envs" / "key"
        order = {
            "home": str(self.home),
            "marker": ".complete",
            "about": {"model": "dogs"},
            "steps": steps,
            "directory": str(folder),
            "packages": str(self.home / "packages"),
            "inherit_after": None,
            **over,
        }
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def ended(self):
        return self.process.wait(20)


@pytest.fixture
def builder(tmp_path):
    begun = []

    def begin(*steps, **over):
        begun.append(Builder(tmp_path, list(steps), **over))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.stdin.close()
        one.ended()
        one.process.stdout.close()


def python(code):
    return [sys.executable, "-c", code]


def makes(name):
    return python(f"import os; os.makedirs('envs/key/packages'); open('envs/key/packages/{name}', 'w').close()")


def test_a_folder_gets_its_marker_when_all_steps_are_done(builder):
    one = builder(makes("a.py"), python("import os; print(os.environ['TMPDIR'], os.getcwd())"))

    assert one.ended() == 0

    assert one.line().split() == [str(one.home / "tmp"), str(one.home.parents[1])]
    assert sorted(os.listdir(one.home)) == [".complete", ".lock", "packages"]
    assert json.loads((one.home / ".complete").read_text()) == {"model": "dogs", "packages": ["a.py"]}


def test_a_whole_folder_is_left_as_it_is(builder):
    assert builder(makes("a.py")).ended() == 0

    again = builder(makes("b.py"))

    assert again.ended() == 10
    assert os.listdir(again.home / "packages") == ["a.py"]


def test_what_a_killed_builder_left_is_made_anew(builder):
    one = builder(makes("a.py"), python(ENDLESS))
    step, child = map(int, one.line().split())
    one.process.kill()
    one.ended()
    assert (one.home / "packages" / "a.py").exists()
    # The step still runs: nobody else may write into the folder.
    two = builder(makes("b.py"))
    assert two.line().startswith("Waiting for")

    for pid in (step, child):
        os.kill(pid, signal.SIGKILL)

    assert two.ended() == 0
    assert os.listdir(two.home / "packages") == ["b.py"]


@pytest.mark.parametrize(
    ("steps", "code"),
    [([python("raise SystemExit(3)")], 20), ([makes("a.py"), ["/nowhere/python"]], 21), ([["false"], ["true"]], 20)],
)
def test_a_step_that_fails_is_told_by_its_number_and_leaves_nothing(builder, steps, code):
    one = builder(*steps)

    assert one.ended() == code
    assert os.listdir(one.home.parent) == []


@pytest.mark.parametrize("how", ["the gateway goes", "it is told to end"])
def test_a_builder_that_is_stopped_takes_all_with_it(builder, how):
    one = builder(makes("a.py"), python(ENDLESS))
    pids = one.line().split()

    if how == "the gateway goes":
        one.process.stdin.close()
    else:
        one.process.send_signal(signal.SIGTERM)

    assert one.ended() == 11
    wait_until(lambda: not any(map(lives, pids)))
    assert os.listdir(one.home.parent) == []


def test_what_a_step_leaves_running_is_ended_and_holds_no_lock(builder):
    # It keeps what it inherited, the lock among it.
    stray = "import subprocess; p = subprocess.Popen(['sleep', '1000'], close_fds=False); print(p.pid, flush=True)"
    one = builder(makes("a.py"), python(stray))

    assert one.ended() == 0
    stray_pid = one.line()
    wait_until(lambda: not lives(stray_pid))


def test_one_that_waits_ends_with_its_gateway(builder):
    one = builder(python(ENDLESS))
    one.line()
    two = builder(makes("b.py"))
    assert two.line().startswith("Waiting for")

    two.process.stdin.close()

    assert two.ended() == 11
    assert (one.home / ".lock").exists()


def test_a_virtual_environment_sees_the_packages_of_its_base_behind_its_own(builder, tmp_path):
    venv = tmp_path / "envs" / "key" / "venv"
    packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    one = builder([sys.executable, "-m", "venv", "--without-pip", str(venv)], inherit_after=0, packages=str(packages))

    assert one.ended() == 0

    path = subprocess.check_output(
        [venv / "bin" / "python", "-c", "import sys; print('\\n'.join(sys.path))"], text=True
    ).split("\n")
    assert path.index(str(packages)) < min(
        path.index(entry)
        for entry in (packages / "inherited-site-packages.pth").read_text().split("\n")
        if entry in path
    )
    assert pytest.__file__.rpartition("/pytest/")[0] in path
