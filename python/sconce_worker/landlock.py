"""Landlock: the kernel's own list of what files a process may reach, and of whom it may signal or connect to."""

import contextlib
import ctypes
import os
import stat
import struct
from typing import Optional

from sconce_worker import linux

# The rights that each version of the kernel's interface brought, from the first on.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FIRST = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# What a rule for something that isn't a folder may hold.
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2
_CREATE_VERSION, _PATH_BENEATH = 1, 1


def version() -> int:
    """Of the kernel's interface; 0 where there is none, or where a container keeps it away."""
    try:
        return linux.syscall("landlock_create_ruleset", 0, 0, _CREATE_VERSION)
    except OSError:
        return 0


class Rules:
    """What may be reached. State: collected until `apply`, which is for good."""

    def __init__(self, abi: int, network: bool) -> None:
        self._files = _FIRST | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
        self._files |= _IOCTL_DEVICE if abi >= 5 else 0
        ports = _BIND_TCP | _CONNECT_TCP if abi >= 4 and not network else 0
        scopes = (_ABSTRACT_SOCKETS | _SIGNALS) if abi >= 6 else 0
        fields = struct.pack("=QQQ", self._files, ports, scopes)[: 8 if abi < 4 else 16 if abi < 6 else 24]
        self._ruleset = linux.syscall("landlock_create_ruleset", ctypes.c_char_p(fields), len(fields), 0)

    def read(self, path: str) -> None:
        """Nothing happens for what isn't there."""
        self._add(path, _READ)

    def write(self, path: str) -> None:
        # Devices are no files of anybody's.
        self._add(path, self._files)

    def apply(self) -> None:
        linux.syscall("landlock_restrict_self", self._ruleset, 0)
        os.close(self._ruleset)

    def _add(self, path: str, rights: int) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    rights &= _OF_FILES
                rule = struct.pack("=Qi", rights & self._files, descriptor)
                linux.syscall("landlock_add_rule", self._ruleset, _PATH_BENEATH, ctypes.c_char_p(rule), 0)
            finally:
                os.close(descriptor)


def scopes(abi: Optional[int] = None) -> bool:
    """Whether signals and abstract sockets stay among the worker's own."""
    return (version() if abi is None else abi) >= 6
