"""Namespaces for workers: made around the ordinary fork, so that whatever wants to know of forks hears of them."""

import contextlib
import os
from typing import Optional

from sconce_worker import linux

_KINDS = linux.NEW_MOUNTS | linux.NEW_IPC | linux.NEW_HOST_NAME


class RootNamespaces:
    """For a parent with root's rights: a worker gets a process namespace too, whose end is the end of all it started.

    State: the parent's own namespaces, and a network made in advance for the next child: it costs more than the rest,
    so it is made while nobody waits for it.
    """

    gives_processes = True

    def __init__(self) -> None:
        self._own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._own_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._spare_network: Optional[int] = None

    def fork(self) -> int:
        """As os.fork; the child is the first process of its own namespace."""
        linux.unshare(linux.NEW_PROCESSES)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                linux.enter_namespace(self._own_processes, linux.NEW_PROCESSES)
        return pid

    def make_spare(self) -> None:
        """In the parent, when a child may have taken the last one."""
        if self._spare_network is not None:
            os.close(self._spare_network)
            self._spare_network = None
        with contextlib.suppress(OSError):
            linux.unshare(linux.NEW_NETWORK)
            try:
                self._spare_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            finally:
                linux.enter_namespace(self._own_network, linux.NEW_NETWORK)

    def separate(self, with_network: bool) -> None:
        """In the child: mounts, System V memory, a host name and, unless it may use the network, sockets of its own."""
        if with_network or self._spare_network is not None:
            linux.unshare(_KINDS)
        else:
            linux.unshare(_KINDS | linux.NEW_NETWORK)
        if not with_network and self._spare_network is not None:
            linux.enter_namespace(self._spare_network, linux.NEW_NETWORK)


class UserNamespaces:
    """For a parent that isn't root: the child takes the rights that its other namespaces need in one of its own.

    A process namespace it doesn't get: the parent would have to live in one, and would know processes by other numbers
    than the gateway.
    """

    gives_processes = False

    def fork(self) -> int:
        return os.fork()

    def make_spare(self) -> None:
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
