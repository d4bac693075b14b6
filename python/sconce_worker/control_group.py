"""A worker's control group: what its processes may use together, and whom to end with it.

The gateway makes a folder for the server in each hierarchy and names them by controller (`memory`, `pids`, `cpu`):
different folders under cgroup v1, the same one under v2. The parent makes a group per worker below them, in that of the
worker's tenant where the gateway has made one; the worker enters it before it runs anything of an archive, a spare
(spare.py) before it has its order. `cpuset`, where it is named, is a hierarchy of its own (v1) with a group for each
tenant and none for its workers.
"""

import contextlib
import errno
import os
import signal
from typing import Optional

# Whoever was forking when the group was closed to newcomers shows up in the second round.
_KILL_ROUNDS = 5


class ControlGroup:
    """State: the folders of one worker's group, from `make` until `remove` gives True."""

    def __init__(self, bases: dict, name: str, tenant: str = "") -> None:
        """`tenant`: the name of its tenant's group; "" where it has none."""
        above = {controller: os.path.join(base, tenant) for controller, base in bases.items()}
        cores = above.pop("cpuset", None)
        # The gateway made none where the processors could not be kept to, and told so.
        self._cores = cores if tenant and cores is not None and os.path.isdir(cores) else None
        self._tenant_memory = above["memory"] if tenant else None
        self._folders = {controller: os.path.join(folder, name) for controller, folder in above.items()}
        # As the gateway finds it below the server's own.
        self.name = os.path.join(tenant, name)

    def make(self, memory_bytes: Optional[int] = None, processes: Optional[int] = None) -> None:
        """Makes the folders and writes the limits; OSError when the system doesn't let it."""
        for folder in self._unique():
            os.makedirs(folder, exist_ok=True)
        self.limit(memory_bytes, processes)

    def limit(self, memory_bytes: Optional[int], processes: Optional[int]) -> None:
        if memory_bytes is not None:
            memory = self._folders["memory"]
            if os.path.exists(os.path.join(memory, "memory.max")):
                _write(memory, "memory.max", memory_bytes)
                _write_if_there(memory, "memory.swap.max", 0)
                # One process less may leave the others waiting for it: all go.
                _write_if_there(memory, "memory.oom.group", 1)
            else:
                _write(memory, "memory.limit_in_bytes", memory_bytes)
                _write_if_there(memory, "memory.memsw.limit_in_bytes", memory_bytes)
        if processes is not None:
            _write(self._folders["pids"], "pids.max", processes)

    def enter(self) -> None:
        """Moves the calling process in. Under v1 the kernel may take 10 ms over the first of several moves."""
        for folder in [*self._unique(), *([] if self._cores is None else [self._cores])]:
            _write(folder, "cgroup.procs", 0)

    def members(self) -> list:
        try:
            with open(os.path.join(self._folders["pids"], "cgroup.procs"), encoding="ascii") as file:
                return [int(pid) for pid in file.read().split()]
        except OSError:
            return []

    def kill(self) -> None:
        """SIGKILL to every process in it, however fast they fork; nobody can be forked into it any more."""
        pids = self._folders["pids"]
        # Not every kernel has the first; the second alone makes the rounds come to an end.
        if _write_if_there(pids, "cgroup.kill", 1):
            return
        _write_if_there(pids, "pids.max", 0)
        for _ in range(_KILL_ROUNDS):
            members = self.members()
            if not members:
                return
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def struck(self) -> str:
        """What the kernel enforced: `memory` (the group's own limit), `tenant-memory` (that of all workers of its
        tenant), `machine-memory`, `processes` or `none`."""
        memory = self._folders["memory"]
        counts = {**_counts(memory, "memory.oom_control"), **_counts(memory, "memory.events")}
        if counts.get("oom_kill", 0) > 0:
            if _has_been_full(memory, counts):
                return "memory"
            above = self._tenant_memory
            full = above is not None and _has_been_full(above, _counts(above, "memory.events.local"))
            return "tenant-memory" if full else "machine-memory"
        return "processes" if _counts(self._folders["pids"], "pids.events").get("max", 0) > 0 else "none"

    def remove(self) -> bool:
        """False while a process is in it."""
        return all(remove_folder(folder) for folder in self._unique())

    def _unique(self) -> list:
        return list(dict.fromkeys(self._folders.values()))


def _has_been_full(memory: str, counts: dict) -> bool:
    # v1 doesn't say whose limit it was; its count of failures stays at 0 on some kernels.
    peak, limit = (_number(memory, f"memory.{name}") for name in ("max_usage_in_bytes", "limit_in_bytes"))
    return counts.get("oom", 0) > 0 or 0 < limit * 0.95 <= peak


def remove_tree(folder: str) -> None:
    """Removes a folder with the groups below it, as far as nobody is in them."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
    remove_folder(folder)


def remove_folder(folder: str) -> bool:
    """Removes a group's folder; False while somebody is in it or below it."""
    try:
        os.rmdir(folder)
    except OSError as error:
        return error.errno == errno.ENOENT
    return True


def _write(folder: str, name: str, value: int) -> None:
    # Not `open`: the files are there already, and a missing one must say so.
    descriptor = os.open(os.path.join(folder, name), os.O_WRONLY)
    try:
        os.write(descriptor, str(value).encode("ascii"))
    finally:
        os.close(descriptor)


def _write_if_there(folder: str, name: str, value: int) -> bool:
    try:
        _write(folder, name, value)
    except OSError:
        return False
    return True


def _counts(folder: str, name: str) -> dict:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return {key: int(count) for key, count in (line.split() for line in file)}
    except (OSError, ValueError):
        return {}


def _number(folder: str, name: str) -> int:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
