"""The filter of system calls that workers run under: built once in the parent, put on last.

It denies by name what no inference needs, with EPERM rather than a kill, so that libraries which only try fall back.
New calls are answered as by an older kernel (ENOSYS). Calls of another architecture end the process.
"""

import ctypes
import errno
import functools
import platform
import struct
from typing import NamedTuple

from sconce_worker import linux
from sconce_worker.syscall_numbers import AUDIT_ARCHES, LAST_KNOWN, number_of

# To look into, or steer, another process.
_OTHERS = "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd move_pages migrate_pages"
_MOUNTS = (
    "mount umount2 pivot_root chroot setns unshare open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick "
    "mount_setattr name_to_handle_at open_by_handle_at fanotify_init"
)
# Wide or rarely used doors into the kernel.
_KERNEL = (
    "bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd add_key request_key keyctl "
    "kexec_load kexec_file_load init_module finit_module delete_module memfd_secret personality syslog modify_ldt "
    "iopl ioperm lookup_dcookie nfsservctl uselib ustat sysfs _sysctl"
)
_MACHINE = (
    "reboot swapon swapoff acct settimeofday adjtimex clock_settime clock_adjtime quotactl quotactl_fd sethostname "
    "setdomainname vhangup"
)
_IDENTITY = "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid"
_SHARED_MEMORY = (
    "shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl "
    "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr"
)
_ALWAYS = " ".join((_OTHERS, _MOUNTS, _KERNEL, _MACHINE, _IDENTITY, _SHARED_MEMORY)).split()
_EXEC = ["execve", "execveat"]

_LOAD, _EQUAL, _GREATER, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NR_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_X32 = 0x40000000

# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FILE_TYPE, _CHARACTER, _BLOCK = 0o170000, 0o020000, 0o060000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16


class Calls(NamedTuple):
    """What a filter lets through beyond the usual."""

    exec: bool = False
    # A descriptor whose program may be run although others may not; -1: none.
    program: int = -1
    # Sockets of the internet's families, and what tells of interfaces.
    network: bool = False


@functools.lru_cache
def program(calls: Calls, machine: str = "") -> bytes:
    """The filter's instructions for this kind of machine; empty where there is none for it."""
    machine = machine or platform.machine()
    arch = AUDIT_ARCHES.get(machine)
    if arch is None:
        return b""
    code = [(_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NR_AT)]
    if machine == "x86_64":
        code += [(_ANY_BIT, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    code += [(_GREATER, 0, 1, LAST_KNOWN), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    # Not EPERM: libc then takes clone instead, whose flags can be looked at.
    code += [(_EQUAL, 0, 1, number_of("clone3", machine)), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    if not calls.exec and calls.program >= 0:
        is_other = [(_LOAD, 0, 0, _argument(0)), (_EQUAL, 1, 0, calls.program), _REFUSED]
        code += _where("execveat", machine, is_other)
    denied = _ALWAYS if calls.exec else _ALWAYS + _EXEC
    for number in sorted(filter(None, (number_of(name, machine) for name in denied))):
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    code += _where("clone", machine, [(_LOAD, 0, 0, _argument(0)), (_ANY_BIT, 0, 1, _NAMESPACES), _REFUSED])
    # Fifos may be made, devices not.
    for name, mode in (("mknod", 1), ("mknodat", 2)):
        look = [(_LOAD, 0, 0, _argument(mode)), (_AND, 0, 0, _FILE_TYPE)]
        code += _where(name, machine, [*look, (_EQUAL, 1, 0, _CHARACTER), (_EQUAL, 0, 1, _BLOCK), _REFUSED])
    look = [(_LOAD, 0, 0, _argument(1)), (_EQUAL, 1, 0, _TIOCSTI), (_EQUAL, 0, 1, _TIOCLINUX)]
    code += _where("ioctl", machine, [*look, _REFUSED])
    families = [_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK] if calls.network else [_AF_UNIX]
    checks = [(_EQUAL, len(families) - index, 0, family) for index, family in enumerate(families)]
    code += _where("socket", machine, [(_LOAD, 0, 0, _argument(0)), *checks, _REFUSED])
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


_REFUSED = (_RETURN, 0, 0, _ERRNO | errno.EPERM)


def _where(name: str, machine: str, then: list) -> list:
    """`then` for one call, which is allowed where `then` doesn't refuse it."""
    number = number_of(name, machine)
    if number is None:
        return []
    return [(_EQUAL, 0, len(then) + 1, number), *then, (_RETURN, 0, 0, _ALLOW)]


def _argument(index: int) -> int:
    """Where the lower half of an argument lies; both kinds of machine are little endian."""
    return _ARGUMENTS_AT + 8 * index


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def apply(instructions: bytes) -> None:
    """Puts the filter on this thread and all that it starts, for good. Needs no_new_privs. OSError when it can't be."""
    if not instructions:
        raise OSError(errno.ENOSYS, f"no filter for {platform.machine()}")
    told = _Program(len(instructions) // 8, instructions)
    linux.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(told))
