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
# In a root of its own: which of the files that are asked for can be read there.
IN_A_ROOT = """
import json, os, sys
from sconce_worker import new_root
from sconce_worker.namespaces import UserNamespaces
from sconce_worker.premises import Premises
plan, wanted = json.loads(sys.argv[1])
try:
    UserNamespaces().separate(with_network=False)
except OSError:
    print("null")
    sys.exit()
plan = new_root.RootPlan(**{**plan, "room_bytes": 1 << 20, "with_processes": False})
new_root.build(Premises((), (), ()), plan)
def reads(path):
    try:
        with open(path) as file:
            return file.read() != ""
    except OSError:
        return False
print(json.dumps([path for path in wanted if reads(path)]))
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


class Shop:
    """A folder that a grant reaches, with files of the server in it."""

    def __init__(self, tmp_path):
        self.at = tmp_path / "shop"
        self._around = tmp_path
        for folder in ("model", "run/root"):
            (tmp_path / folder).mkdir(parents=True)
        self.add("labels.txt")

    def add(self, name):
        path = self.at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")

    def seen(self, shown, hidden, wanted=None, written=()):
        """Of the files `wanted` (all that are there), those that a worker can read."""
        plan = {
            "base": str(self._around / "run/root"),
            "directory": str(self._around / "model"),
            "shown": [(str(path), str(path)) for path in shown],
            "hidden": [str(self.at / name) for name in hidden],
            "written": [str(path) for path in written],
        }
        wanted = wanted or sorted(str(path) for path in self.at.rglob("*") if path.is_file())
        done = subprocess.run(
            [sys.executable, "-c", IN_A_ROOT, json.dumps([plan, wanted])],
            cwd=HOME,
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        )
        found = json.loads(done.stdout)
        if found is None:
            pytest.skip("this machine gives no namespaces")
        return {os.path.relpath(path, self.at) for path in found}


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_what_lies_deep_in_a_hidden_folder_is_not_seen_for_a_hidden_file_beside_it(shop):
    for name in ("store/deep/key", "store/deep/other", "store/given/packages", "store/given/key"):
        shop.add(name)
    hidden = ["store", "store/deep/key", "store/given/key"]

    assert shop.seen([shop.at, shop.at / "store/given"], hidden) == {"labels.txt", "store/given/packages"}


def test_a_hidden_file_whose_folder_is_still_to_come_keeps_nobody_from_starting(shop):
    assert shop.seen([shop.at], ["soon/there/key"]) == {"labels.txt"}


@pytest.mark.parametrize("spelling", ["{}/", "/{}", "{}/../shop"])
def test_hidden_files_are_hidden_however_the_name_of_their_folder_is_spelt(shop, spelling):
    shop.add("key")

    assert shop.seen([spelling.format(shop.at)], ["key"]) == {"labels.txt"}


def test_hidden_files_are_hidden_in_a_folder_that_is_shown_by_a_link(shop, tmp_path):
    shop.add("key")
    link = tmp_path / "link"
    link.symlink_to(shop.at)

    wanted = [str(link / name) for name in ("key", "labels.txt")]
    assert shop.seen([link], ["key"], wanted) == {"../link/labels.txt"}


def test_the_run_directory_is_shut_in_a_folder_that_is_written_to_by_a_link(shop, tmp_path):
    (tmp_path / "run/secret").write_text("x")
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)

    wanted = [str(link / name) for name in ("run/secret", "shop/labels.txt")]
    assert shop.seen([], [], wanted, written=[link]) == {os.path.relpath(link / "shop/labels.txt", shop.at)}
