"""Builds a folder of Python packages or a virtual environment for the gateway: `python build_environment.py`.

The order is a JSON line on stdin, which then stays open: when it ends, the gateway has gone or wants no environment any
more, and whatever runs is killed and taken away again. What the steps print goes to stdout and stderr as it comes.

A lock in the folder lets one builder work at a time, whichever server started it; the system frees it when the builder
and all that it started have ended, however they ended. The marker appears last: a folder without it is nothing.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import site
import subprocess
import sys
from typing import NamedTuple, Optional

# Exit codes. A step that fails gives FIRST_STEP and its number.
BUILT = 0
FOUND = 10
STOPPED = 11
FIRST_STEP = 20

_LOCK = ".lock"
_LOCK_POLL_S = 0.2


class Order(NamedTuple):
    """What the gateway wants."""

    # The environment's folder; it is made, and taken away again when it doesn't become whole.
    home: str
    # Name in it of the file that says that it is whole.
    marker: str
    # Facts that the marker holds beside the list of packages.
    about: dict
    # Commands, one after another, each a list of words.
    steps: list[list[str]]
    # Working directory of the commands.
    directory: str
    # Where packages get to, in the folder. The marker lists what lies there.
    packages: str
    # Number of the step after which the interpreter's own packages are put behind those; None: they aren't.
    inherit_after: Optional[int]


class Stopped(Exception):
    """Nobody wants the environment any more."""


class Watch:
    """Waits for children and for the end of stdin at once."""

    def __init__(self) -> None:
        self._wakeup, wakeup_end = os.pipe()
        for descriptor in (self._wakeup, wakeup_end):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def pause(self, timeout_s: Optional[float] = None) -> None:
        """Returns when a child may have ended or the time is over. Raises Stopped."""
        readable, _, _ = select.select([0, self._wakeup], [], [], timeout_s)
        if self._wakeup in readable and signal.SIGTERM in os.read(self._wakeup, 4096):
            raise Stopped
        if 0 in readable and not os.read(0, 4096):
            raise Stopped


def build(order: Order, watch: Watch) -> int:
    lock = _locked(order, watch)
    try:
        if os.path.exists(os.path.join(order.home, order.marker)):
            return FOUND
        whole = False
        try:
            _clear(order.home)
            code = _run_all(order, watch, lock)
            whole = code == BUILT
            return code
        finally:
            if not whole:
                _clear(order.home)
                # Where that is refused, an unmarked folder stays, which the next builder clears.
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(order.home, _LOCK))
                    os.rmdir(order.home)
    finally:
        # For the copies of the descriptor too, which something that a step left behind may hold.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _locked(order: Order, watch: Watch) -> int:
    path = os.path.join(order.home, _LOCK)
    told = False
    while True:
        try:
            os.makedirs(order.home, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            # Another builder failed and took the folder away in between.
            continue
        while not _try_lock(lock):
            if not told:
                print("Waiting for the same packages to be installed for another model or server", flush=True)
                told = True
            try:
                watch.pause(_LOCK_POLL_S)
            except Stopped:
                os.close(lock)
                raise
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(lock).st_ino == os.stat(path).st_ino:
                return lock
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # A file system without locks: servers that share it must not build at the same time.
        print(f"The folder cannot be locked ({error.strerror}); going on without", flush=True)
    return True


def _run_all(order: Order, watch: Watch, lock: int) -> int:
    temporary = os.path.join(order.home, "tmp")
    os.mkdir(temporary)
    # What pip leaves when it is killed lies there, and goes with the folder.
    environment = {**os.environ, "TMPDIR": temporary}
    for number, step in enumerate(order.steps):
        try:
            code = _run(step, order.directory, environment, watch, lock)
        except OSError as error:
            print(f"{step[0]}: {error.strerror}", flush=True)
            code = 1
        if code != 0:
            return FIRST_STEP + number
        if order.inherit_after == number:
            _inherit(order.packages)
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(order.packages, exist_ok=True)
    _mark(order)
    return BUILT


def _run(step: list[str], directory: str, environment: dict, watch: Watch, lock: int) -> int:
    child = subprocess.Popen(
        step,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        # Should this process be killed, the lock lasts as long as the step.
        pass_fds=(lock,),
    )
    try:
        while child.poll() is None:
            watch.pause()
    finally:
        # The step, if it still runs, and whatever it started and left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return child.returncode


def _inherit(packages: str) -> None:
    folders = [*([site.getusersitepackages()] if site.ENABLE_USER_SITE else []), *site.getsitepackages()]
    with open(os.path.join(packages, "inherited-site-packages.pth"), "w", encoding="utf-8") as file:
        file.write("\n".join(folders))


def _mark(order: Order) -> None:
    names = sorted(name for name in os.listdir(order.packages) if name != "__pycache__")
    marker = os.path.join(order.home, order.marker)
    with open(f"{marker}.new", "w", encoding="utf-8") as file:
        json.dump({**order.about, "packages": names}, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{marker}.new", marker)


def _clear(home: str) -> None:
    for name in os.listdir(home):
        path = os.path.join(home, name)
        if name == _LOCK:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _read_order() -> Order:
    text = b""
    while not text.endswith(b"\n"):
        chunk = os.read(0, 65536)
        if not chunk:
            raise Stopped
        text += chunk
    return Order(**json.loads(text))


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = Watch()
    try:
        return build(_read_order(), watch)
    except Stopped:
        return STOPPED


if __name__ == "__main__":
    sys.exit(main())
