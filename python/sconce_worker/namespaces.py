"""Namespaces for workers: made around the ordinary fork, so that whatever wants to know of forks hears of them."""

import contextlib
import os
import signal
from typing import Optional

from sconce_worker import linux
from sconce_worker.nursery import Nursery, Place

_KINDS = linux.NEW_MOUNTS | linux.NEW_IPC | linux.NEW_HOST_NAME


class RootNamespaces:
    """For a parent with root's rights: a worker gets a process namespace too, whose end is the end of all it started.

    State: the first process of each namespace, by the pid of the worker that was forked into it.
    """

    gives_processes = True

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._nursery = Nursery()
        self._place: Optional[Place] = None
        self._first: dict = {}

    @property
    def helpers(self) -> list:
        """Processes of this one's that are no workers."""
        return [self._nursery.pid]

    def fork(self) -> int:
        """As os.fork, into a namespace of its own."""
        self._place = self._nursery.take()
        linux.enter_namespace(self._place.processes, linux.NEW_PROCESSES)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                linux.enter_namespace(self._own, linux.NEW_PROCESSES)
                self._first[pid] = self._place.first_pid
            if pid < 0:
                self.ended(pid)
                self.forked()
        return pid

    def forked(self) -> None:
        """In the parent, after a fork: gets ready for the next one."""
        if self._place is not None:
            self._place.close()
            self._place = None
            self._nursery.make_another()

    def ended(self, pid: int) -> None:
        """Ends the namespace of a worker that has ended."""
        first = self._first.pop(pid, None)
        if first is not None:
            # Nobody else has its number: the nursery doesn't reap before the kernel has ended it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)

    def separate(self, with_network: bool) -> None:
        """In the child: mounts, System V memory, a host name and, unless it may use the network, sockets of its own."""
        linux.unshare(_KINDS)
        if not with_network and self._place is not None:
            linux.enter_namespace(self._place.network, linux.NEW_NETWORK)


class UserNamespaces:
    """For a parent that isn't root: the child takes the rights that its other namespaces need in one of its own.

    A process namespace it doesn't get: the parent would have to live in one, and would know processes by other numbers
    than the gateway.
    """

    gives_processes = False

    def fork(self) -> int:
        return os.fork()

    helpers: tuple = ()

    def forked(self) -> None:
        return

    def ended(self, pid: int) -> None:
        return

    def separate(self, with_network: bool) -> None:
        user, group = os.geteuid(), os.getegid()
        linux.unshare(linux.NEW_USER | _KINDS | (0 if with_network else linux.NEW_NETWORK))
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
