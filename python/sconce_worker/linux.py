"""What only Linux can do for a process, asked of libc; each call says whether it worked and does nothing elsewhere."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


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
