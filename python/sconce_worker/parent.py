"""The warm parent: one per interpreter. It imports what all workers need once, and forks a worker when told to.

Commands come as JSON lines on stdin, events leave as JSON lines on stdout. Where workers get control groups, the next
worker is forked before it is ordered (spare.py). The parent runs no code of an archive, starts no threads and touches
no GPU, so that its forks are as good as fresh processes. When stdin ends the gateway has gone: every worker is killed
with all that it started, and the gateway's run directory is removed.
"""

import argparse
import errno
import gc
import json
import os
import select
import signal
import stat
import sys
import time
import warnings
from typing import Optional

from sconce_worker import descendants, late_site, linux, other_program, rank_group, worker
from sconce_worker.enclosure import Enclosures
from sconce_worker.ending import leave
from sconce_worker.spare import Spares
from sconce_worker.warden import Warden
from sconce_worker.worker_setup import NEEDED_BY_MODELS, ForkOrder, bind, enter, interpreter_path, wish_of

_COMMAND_LIMIT_BYTES = 4 * 1024 * 1024
_LEFTOVERS_LIMIT_S = 2.0


class Parent:
    """State: the workers that live, by pid. Invariant: a pid is signalled only while its process is not yet reaped."""

    def __init__(self, commands: int, events: int, warden: Warden, enclosures: Enclosures, spares: Spares) -> None:
        self._warden = warden
        self._enclosures = enclosures
        self._spares = spares
        self._commands = commands
        self._events = events
        self._pending = b""
        self._workers: dict = {}
        # True once stdin has ended or nobody reads the events: as opposed to having been told to end.
        self.gateway_gone = False
        self._wakeup, wakeup_end = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(wakeup_end, False)
        self._wakeup_end = wakeup_end
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def tell(self, event: str, **facts) -> None:
        line = json.dumps({"event": event, **facts}).encode("utf-8") + b"\n"
        try:
            while line:
                line = line[os.write(self._events, line) :]
        except BrokenPipeError:
            self.gateway_gone = True

    def serve(self) -> Optional[ForkOrder]:
        """Serves until the gateway ends it or goes: gives None. In a forked worker: gives that worker's order."""
        while not self.gateway_gone:
            readable, _, _ = select.select([self._commands, self._wakeup], [], [], self._patience_s())
            if self._wakeup in readable and signal.SIGTERM in os.read(self._wakeup, 4096):
                return None
            self._reap()
            self._warden.look()
            if self._commands not in readable:
                order = self._spares.make(self._forked)
                if order is not None:
                    return order
                continue
            chunk = os.read(self._commands, 65536)
            if not chunk:
                self.gateway_gone = True
                break
            *lines, self._pending = (self._pending + chunk).split(b"\n")
            if len(self._pending) > _COMMAND_LIMIT_BYTES:
                raise ValueError("a command without an end")
            for line in lines:
                command = json.loads(line)
                if command["do"] == "end":
                    return None
                if command["do"] == "kill":
                    self._kill(command["worker"])
                if command["do"] == "fork":
                    order = ForkOrder(**command["order"])
                    spare = self._spares.employ(order)
                    if spare is not None:
                        self._begun(order, spare)
                    elif self._fork(order):
                        return order
        return None

    def _patience_s(self) -> Optional[float]:
        waits = (self._spares.patience_s, self._warden.patience_s)
        return min((wait for wait in waits if wait is not None), default=None)

    def _fork(self, order: ForkOrder) -> bool:
        """True in the worker."""
        self._warden.prepare(order.worker, order.limits, order.tenant)
        try:
            pid = self._forked(order.enclosure is not None)
        except OSError as error:
            self._warden.unborn(order.worker)
            self.tell("unborn", worker=order.worker, why=str(error))
            return False
        if pid == 0:
            return True
        self._begun(order, pid)
        self._enclosures.forked()
        return False

    def _forked(self, encloses: bool) -> int:
        """As os.fork; the child has nothing that is the parent's alone."""
        with warnings.catch_warnings():
            # numpy's BLAS keeps idle threads, and sees to its own state when a process forks.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = self._enclosures.fork() if encloses else os.fork()
        if pid == 0:
            for descriptor in (self._commands, self._events, self._wakeup):
                os.close(descriptor)
            signal.set_wakeup_fd(-1)
            os.close(self._wakeup_end)
            self._spares.let_go()
        return pid

    def _begun(self, order: ForkOrder, pid: int) -> None:
        self._workers[pid] = order.worker
        self._warden.forked(order.worker, pid)
        self.tell("forked", worker=order.worker, pid=pid, group=self._warden.group_of(order.worker))
        self._spares.ordered(order.tenant)

    def _kill(self, worker_key: int) -> None:
        for pid, key in self._workers.items():
            if key == worker_key:
                self._warden.end(key)
                _kill_group(pid)

    def _reap(self) -> None:
        while True:
            try:
                ended = _ended_child()
                # Before the reaping: until then the number can't belong to anybody else.
                struck = self._end_rest(ended)
                pid, status, usage = os.wait4(-1 if ended is None else ended, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if ended is None:
                struck = self._end_rest(pid)
            key = self._workers.pop(pid, None)
            if key is None:
                continue
            code = os.waitstatus_to_exitcode(status)
            self.tell(
                "exited",
                worker=key,
                pid=pid,
                code=code if code >= 0 else None,
                signal=_signal_name(-code) if code < 0 else None,
                struck=struck,
                maxRssBytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            )

    def _end_rest(self, pid: Optional[int]) -> str:
        """Kills all that a worker left when it ended; gives the limit that it struck."""
        if self._spares.is_one(pid):
            self._spares.dismiss()
        if pid not in self._workers:
            return "unknown"
        self._enclosures.ended(pid)
        _kill_group(pid)
        return self._warden.ended(self._workers[pid])

    def end_workers(self) -> None:
        """Kills every worker and, where the system tells of them, every orphan of one; waits for them briefly."""
        deadline = time.monotonic() + _LEFTOVERS_LIMIT_S
        self._spares.dismiss()
        for pid, key in self._workers.items():
            self._warden.end(key)
            _kill_group(pid)
        while time.monotonic() < deadline:
            descendants.end(descendants.children_of(os.getpid()))
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.002)
            except ChildProcessError:
                return


def _ended_child() -> Optional[int]:
    """A child that has ended and isn't reaped yet; None also where the system can't look without reaping."""
    if not hasattr(os, "waitid"):
        return None
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return None if ended is None or ended.si_pid == 0 else ended.si_pid


def _kill_group(pid: int) -> None:
    # The group doesn't exist before the worker's setsid.
    descendants.signal_to(pid, signal.SIGKILL)
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _private_streams() -> tuple:
    """Moves the command channel away from descriptors 0 and 1, so that no import can read from it or print into it."""
    commands, events = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return commands, events


def _import_for_models(with_torch: bool) -> tuple:
    """Gives the top-level modules that are there only because of torch, and why torch is not, if it isn't."""
    for name in NEEDED_BY_MODELS:
        __import__(name)
    before = {name.partition(".")[0] for name in sys.modules}
    problem = None
    if with_torch:
        try:
            __import__("torch")
        except Exception as error:  # a broken torch must not keep models without torch from being served
            problem = f"{type(error).__name__}: {error}"
    after = {name.partition(".")[0] for name in sys.modules}
    return sorted(after - before), problem


def _remove_run_directory(path: str) -> None:
    import shutil

    try:
        found = os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return
        raise
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) in (0o700, 0o711):
        shutil.rmtree(path, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="sconce_worker.parent", description=__doc__.partition("\n")[0])
    parser.add_argument("--run-directory", required=True, help="removed when the gateway goes without a word")
    parser.add_argument("--without-torch", action="store_true", help="leave importing torch to the workers")
    parser.add_argument("--control-groups", type=json.loads, default={}, help="folder of each controller, as JSON")
    parser.add_argument(
        "--late-site", metavar="PYTHON", default="", help="of an environment for workers alone; with -S"
    )
    parser.add_argument("--encloses", action="store_true", help="get ready to enclose workers in sandboxes")
    arguments = parser.parse_args()
    commands, events = _private_streams()
    search_path = interpreter_path()
    enclosures = Enclosures(arguments.run_directory)
    if arguments.encloses:
        enclosures.begin()
    warm_modules, problem = _import_for_models(not arguments.without_torch)
    linux.adopt_orphans()
    if arguments.encloses:
        enclosures.survey([*sys.path, *(late_site.folders(arguments.late_site) if arguments.late_site else ())])
    # What is frozen isn't touched by collections: its pages stay shared between parent and workers.
    gc.collect()
    gc.freeze()

    warden = Warden(arguments.control_groups, enclosures.helpers)
    parent = Parent(commands, events, warden, enclosures, Spares(warden, enclosures, arguments.encloses))
    parent_pid = os.getpid()
    try:
        parent.tell(
            "ready",
            pid=parent_pid,
            python=sys.version.split()[0],
            warmModules=warm_modules,
            torchProblem=problem,
            ownRoots=enclosures.gives_own_root,
        )
        order = parent.serve()
    finally:
        if os.getpid() == parent_pid:
            parent.end_workers()
            warden.close(with_bases=parent.gateway_gone)
    if order is not None:
        warden.enter(order.worker)
        bind(order.cores)
        if order.program:
            other_program.launch(order, parent_pid, enclosures)
            leave(1)
        if order.launch:
            rank_group.launch(order, parent_pid, enclosures, arguments.late_site or sys.executable)
        wish = wish_of(order)
        data, pid, report = enter(order, parent_pid, search_path, enclosures, arguments.late_site)
        told = None if report is None else report._asdict()
        leave(worker.run(data, pid=pid, report=told, wish=wish))
    if parent.gateway_gone:
        _remove_run_directory(arguments.run_directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
