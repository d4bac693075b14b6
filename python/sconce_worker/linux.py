"""What only Linux can do for a process, asked of libc; elsewhere each call says that it didn't work."""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys
from typing import Optional

from sconce_worker.syscall_numbers import number_of

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_GET_NO_NEW_PRIVS = 39

# Of mounts.
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC = 1, 2, 4, 8
REMOUNT, BIND, RECURSIVE, SLAVE = 32, 4096, 16384, 1 << 19
_DETACH = 2
# Of namespaces.
NEW_MOUNTS, NEW_HOST_NAME, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_CAPABILITIES_VERSION_3 = 0x20080522
_AT_RECURSIVE = 0x8000
_AT_EMPTY_PATH = 0x1000
_SET_INTERFACE_FLAGS, _INTERFACE_UP = 0x8914, 1
_LAST_DESCRIPTOR = 0xFFFFFFFF


def _load_libc():
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None, use_errno=True)
    except OSError:
        return None


_LIBC = _load_libc()


def die_with_parent() -> bool:
    """This process gets SIGKILL when the thread that forked it ends. Compare `os.getppid()` afterwards."""
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> bool:
    """Orphaned descendants become children of this process instead of init's."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> bool:
    return _LIBC is not None and _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0


def prctl(option: int, *arguments: int) -> int:
    """OSError when the kernel doesn't want it."""
    if _LIBC is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    rest = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_LIBC.prctl(option, *rest))


def syscall(name: str, *arguments) -> int:
    """A call that libc may have no function for. OSError; ENOSYS where there is no such call."""
    number = number_of(name)
    if _LIBC is None or number is None:
        raise OSError(errno.ENOSYS, f"{name}: {os.strerror(errno.ENOSYS)}")
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *wide))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def unshare(flags: int) -> None:
    """Namespaces of its own for this process; NEW_PROCESSES for the children that come after."""
    syscall("unshare", flags)


def enter_namespace(descriptor: int, kind: int) -> None:
    syscall("setns", descriptor, kind)


def mount(source: Optional[str], target: str, kind: Optional[str], flags: int, options: Optional[str] = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    data = ctypes.c_char_p(None if options is None else options.encode())
    syscall("mount", *map(ctypes.c_char_p, texts), flags, data)


def restrict_mount(path: str, flags: int) -> None:
    """Adds flags to the mount at `path` and, where the kernel can, to those below it."""
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    try:
        place = ctypes.c_char_p(os.fsencode(path))
        syscall("mount_setattr", -100, place, _AT_RECURSIVE, ctypes.c_char_p(attributes), len(attributes))
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        mount(None, path, None, REMOUNT | BIND | flags)


def change_root(folder: str) -> None:
    """`folder`, a mount, becomes the root; nothing of the old one is to be reached any more."""
    os.chdir(folder)
    here = ctypes.c_char_p(b".")
    syscall("pivot_root", here, here)
    # The old root now lies on top of the new one.
    syscall("umount2", here, _DETACH)
    os.chdir("/")


def drop_capabilities() -> None:
    head = struct.pack("=Ii", _CAPABILITIES_VERSION_3, 0)
    syscall("capset", ctypes.c_char_p(head), ctypes.c_char_p(bytes(24)))


def has_capabilities() -> bool:
    """Effective, permitted or inheritable ones."""
    head = struct.pack("=Ii", _CAPABILITIES_VERSION_3, 0)
    sets = ctypes.create_string_buffer(24)
    syscall("capget", ctypes.c_char_p(head), sets)
    return any(sets.raw)


def has_privileges_to_gain() -> bool:
    return prctl(_PR_GET_NO_NEW_PRIVS) != 1


def gain_no_privileges() -> None:
    """No program that this process runs from now on has more rights than itself."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_from_equals() -> None:
    """Processes of the same user can't look into this one."""
    prctl(_PR_SET_DUMPABLE, 0)


def raise_loopback() -> None:
    """Lets this network namespace's own loopback interface work."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", _INTERFACE_UP)
        fcntl.ioctl(any_socket, _SET_INTERFACE_FLAGS, request)


def execute(descriptor: int, words: list, environment: dict) -> None:
    """Becomes the program that is open as `descriptor`."""
    arguments = [os.fsencode(word) for word in words]
    settings = [os.fsencode(f"{name}={value}") for name, value in environment.items()]
    pointers = [(ctypes.c_char_p * (len(texts) + 1))(*texts, None) for texts in (arguments, settings)]
    syscall("execveat", descriptor, ctypes.c_char_p(b""), *pointers, _AT_EMPTY_PATH)


def close_all_but(kept) -> None:
    """Closes every descriptor beyond the standard ones but those in `kept`."""
    lowest = 3
    for descriptor in sorted(kept):
        if lowest < descriptor:
            _close_range(lowest, descriptor - 1)
        lowest = max(lowest, descriptor + 1)
    _close_range(lowest, _LAST_DESCRIPTOR)


def _close_range(first: int, last: int) -> None:
    try:
        syscall("close_range", first, last, 0)
    except OSError:
        os.closerange(first, min(last, 65536) + 1)


def pid_outside() -> int:
    """This process's number where /proc was mounted: another one than its own in a namespace that it is new in."""
    try:
        return int(os.readlink("/proc/self"))
    except (OSError, ValueError):
        return os.getpid()


def set_command_line(text: str) -> bool:
    """What `ps` and `pgrep -f` show of this process; cut to the room that the original arguments took."""
    if _LIBC is None:
        return False
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        # Fields 48 and 49 of proc(5); the first one after the name is field 3.
        start, end = int(fields[45]), int(fields[46])
    except (OSError, ValueError, IndexError):
        return False
    room = end - start
    if start <= 0 or room < 2:
        return False
    shown = text.encode("utf-8", "replace")[: room - 1]
    ctypes.memmove(start, shown + b"\0" * (room - len(shown)), room)
    return True
