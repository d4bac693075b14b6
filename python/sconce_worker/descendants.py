"""The processes below a process, as /proc tells of them: how workers are bounded and ended without control groups.

Only files that the kernel writes without the memory lock of the process are read here: one that forks without end
holds it most of the time. Elsewhere than on Linux nothing is found, and nothing is bounded.
"""

import os
import re
import signal
from typing import NamedTuple

_STOP_ROUNDS = 200
_THREADS = re.compile(rb"^Threads:\s+(\d+)", re.MULTILINE)
_OWN_MEMORY = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", re.MULTILINE)


class Size(NamedTuple):
    threads: int
    # Resident or swapped, without files; what is shared with others counts whole.
    memory_bytes: int


def children_of(pid: int) -> list:
    """The children of all its threads; empty when it has gone."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        return found
    return found


def sizes_of_family(pid: int):
    """Gives (pid, size) of the process and of all below it, one after the other."""
    family = [pid]
    for member in family:
        yield member, size_of(member)
        family += children_of(member)


def size_of(pid: int) -> Size:
    """Nothing of a process that has gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            text = file.read()
    except OSError:
        return Size(0, 0)
    threads = _THREADS.search(text)
    memory_bytes = sum(int(kib) for kib in _OWN_MEMORY.findall(text)) * 1024
    return Size(1 if threads is None else int(threads.group(1)), memory_bytes)


def end(pids) -> None:
    """SIGKILL to these processes and all below them, stopped first: none forks while others are being killed."""
    stopped: set = set()
    for _ in range(_STOP_ROUNDS):
        before = len(stopped)
        family = list(pids)
        for pid in family:
            # Before its children are looked for: every one that stands leaves more of the processor for the search.
            if pid not in stopped:
                signal_to(pid, signal.SIGSTOP)
                stopped.add(pid)
            family += children_of(pid)
        if len(stopped) == before:
            break
    for pid in stopped:
        signal_to(pid, signal.SIGKILL)


def signal_to(pid: int, number: int) -> bool:
    """False when there is no such process, or it isn't ours."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def threads_of_user() -> int:
    """What RLIMIT_NPROC counts: the threads of this process's user, on the whole machine."""
    user = os.getuid()
    count = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += size_of(int(name)).threads
        except OSError:
            continue
    return count
