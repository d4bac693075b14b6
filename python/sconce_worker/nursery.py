"""Makes namespaces in advance: a small process beside the parent of workers, forked before it has grown.

Each namespace of processes has a first process here that does nothing but be it: a worker in its place could not be
ended by most signals, nor end itself by one. What is orphaned in the namespace becomes that process's, and when it is
killed, so is everything in the namespace.
"""

import contextlib
import os
import signal
import socket
from typing import NamedTuple, Optional

from sconce_worker import linux

_PATIENCE_S = 10


class Place(NamedTuple):
    """Namespaces that nobody is in yet."""

    # The first process, as the rest of the machine numbers it.
    first_pid: int
    processes: int
    network: int

    def close(self) -> None:
        os.close(self.processes)
        os.close(self.network)


class Nursery:
    """The parent's side. Invariant: between two calls of `take` one place is being made, or lies ready in the line."""

    def __init__(self) -> None:
        """Forks the process. OSError where it can't make namespaces."""
        self._line, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                self._line.close()
                _serve(line, parent)
                code = 0
            finally:
                os._exit(code)
        line.close()
        self._line.settimeout(_PATIENCE_S)

    def take(self) -> Place:
        """A place of its own for each caller. OSError: none can be made. Call `make_another` when there is time."""
        text, descriptors, _, _ = socket.recv_fds(self._line, 64, 2)
        if len(descriptors) != 2:
            self.make_another()
            number = int(text or b"5")
            raise OSError(number, os.strerror(number))
        return Place(int(text), *descriptors)

    def make_another(self) -> None:
        self._line.send(b".")


def _serve(line: socket.socket, parent: int) -> None:
    os.setsid()
    linux.die_with_parent()
    if os.getppid() != parent:
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    linux.close_all_but([line.fileno()])
    own = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("pid", "net")]
    while True:
        _make(line, own)
        if not line.recv(1):
            return


def _make(line: socket.socket, own: list) -> None:
    made: list = []
    first: Optional[int] = None
    try:
        first = _first_process(own[0])
        linux.unshare(linux.NEW_NETWORK)
        made.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        linux.enter_namespace(own[1], linux.NEW_NETWORK)
        made.insert(0, os.open(f"/proc/{first}/ns/pid", os.O_RDONLY | os.O_CLOEXEC))
        socket.send_fds(line, [str(first).encode("ascii")], made)
    except OSError as error:
        if first is not None:
            os.kill(first, signal.SIGKILL)
        line.send(str(error.errno or 5).encode("ascii"))
    for descriptor in made:
        os.close(descriptor)


def _number_like_outside() -> None:
    """Goes on counting where the machine is: handlers take a process's number for its name among all workers."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
        file.write(str(linux.pid_outside()))


def _first_process(own: int) -> int:
    linux.unshare(linux.NEW_PROCESSES)
    ready, told = os.pipe()
    try:
        pid = os.fork()
        if pid == 0:
            linux.die_with_parent()
            linux.hide_from_equals()
            _number_like_outside()
            os.write(told, b".")
            # SIGCHLD is ignored since the nursery began: what is orphaned here is reaped by the kernel.
            linux.close_all_but([])
            while True:
                signal.pause()
    finally:
        linux.enter_namespace(own, linux.NEW_PROCESSES)
        os.close(told)
    # A nursery that has ended meanwhile leaves nobody behind: the first process asked for that before this.
    os.read(ready, 1)
    os.close(ready)
    return pid
