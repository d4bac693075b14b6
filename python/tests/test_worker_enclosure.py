"""What the sandbox holds on this machine, tried by its probe: as root, as a plain user, and in a restricted pod."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
HOME = pathlib.Path(__file__).parents[1]
IS_ROOT = hasattr(os, "getuid") and os.getuid() == 0
NOBODY = 65534
# What a container's own filter keeps from its processes, before the probe begins.
IN_A_POD = """
import errno, runpy, struct, sys
from sconce_worker import linux, seccomp
from sconce_worker.syscall_numbers import number_of
code = [(0x20, 0, 0, 0)]
for name in ("unshare", "mount", "setns", "pivot_root"):
    code += [(0x15, 0, 1, number_of(name)), (0x06, 0, 0, 0x00050000 | errno.EPERM)]
code.append((0x06, 0, 0, 0x7FFF0000))
linux.gain_no_privileges()
seccomp.apply(b"".join(struct.pack("=HBBI", *one) for one in code))
sys.argv[0] = "probe"
runpy.run_module("sconce_worker.probe", run_name="__main__")
"""
EVERYWHERE = {"privileges", "calls", "files", "writes", "network", "exec", "signals"}


def _probe(tmp_path, interpreter=sys.executable, user=None, code=None):
    run_directory = tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    if user is not None:
        # The way there belongs to root alone.
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o777 == 0o700:
                folder.chmod(0o711)
        os.chown(run_directory, user, user)
    start = ["-m", "sconce_worker.probe"] if code is None else ["-c", code]
    more = ["--user", "2000000001"] if user is None and IS_ROOT else []
    identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    done = subprocess.run(
        [interpreter, *start, "--run-directory", run_directory, *more],
        cwd=HOME,
        env={"PYTHONPATH": str(HOME)},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
        **identity,
    )
    report = json.loads(done.stdout)
    return set(report["held"]), report["missing"]


def _system_python():
    found = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    return found or pytest.skip("no interpreter that other users can read")


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_root_gives_workers_all_of_it(tmp_path):
    held, missing = _probe(tmp_path)
    assert missing == {}
    assert held == EVERYWHERE | {"user", "room", "processes"}


@pytest.mark.skipif(not IS_ROOT, reason="becomes another user")
def test_a_plain_user_gives_a_root_and_a_room_of_their_own_but_no_user_and_no_process_numbers(tmp_path):
    held, missing = _probe(tmp_path, _system_python(), NOBODY)
    if "room" in missing:
        pytest.skip("this machine gives plain users no namespaces")
    assert held == EVERYWHERE | {"room"}
    assert set(missing) == {"user", "processes"}


@pytest.mark.skipif(not IS_ROOT, reason="becomes another user")
def test_a_plain_user_without_namespaces_still_keeps_workers_from_files_network_and_others(tmp_path):
    held, missing = _probe(tmp_path, _system_python(), NOBODY, IN_A_POD)
    assert held == EVERYWHERE
    assert "no namespaces" in missing["room"]


@pytest.mark.skipif(not IS_ROOT, reason="is about root")
def test_root_without_namespaces_gives_workers_users_of_their_own(tmp_path):
    held, missing = _probe(tmp_path, _system_python(), None, IN_A_POD)
    assert held >= EVERYWHERE
    assert set(missing) <= {"room", "processes", "user"}
