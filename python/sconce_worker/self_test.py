"""What really holds around this process, found out by trying: before a worker reads anything of an archive."""

import errno
import os
import socket

from sconce_worker import linux


def failures(wish, canary: str, outside_pid: int, own_folder: str) -> dict:
    """What should be refused and isn't, by the name of the protection.

    `canary` is a file of the server that anybody on the machine may read, `own_folder` one of the server's folders that
    the worker sees, `outside_pid` a process outside.
    """
    tried = {
        "files": lambda: os.open(canary, os.O_RDONLY),
        "writes": lambda: _write(os.path.join(own_folder, f".written-{os.getpid()}")),
        "signals": lambda: os.kill(outside_pid, 0),
        "calls": lambda: linux.syscall("unshare", 0),
    }
    if not wish.network and not wish.ranks:
        tried["network"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    found = {name: "the worker could do it" for name, attempt in tried.items() if _succeeds(attempt)}
    if not wish.exec and not wish.ranks and not _is_exec_refused():
        found["exec"] = "the worker could do it"
    if linux.has_privileges_to_gain() or linux.has_capabilities():
        found["privileges"] = "the worker has some"
    return found


def _write(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.unlink(path)


def _succeeds(attempt) -> bool:
    try:
        descriptor = attempt()
    except OSError:
        return False
    if isinstance(descriptor, int) and descriptor > 2:
        os.close(descriptor)
    return True


def _is_exec_refused() -> bool:
    try:
        os.execv("/nothing/is/here", ["nothing"])
    except OSError as error:
        return error.errno == errno.EPERM
