"""Tells a handler's author which grant a failure asks for, where the sandbox was the cause."""

import errno
import json
import os
import socket

from sconce_worker.enclosure import Wish
from ts import failure_text

_RUNS_PROGRAMS = ("subprocess", "posix_spawn", "execve", "execv", "_execute_child", "_fork_exec")


def give_for(model: str, directory: str, wish: Wish) -> None:
    """From here on, tracebacks of failures that the sandbox caused end with a line on what would permit it."""
    failure_text.advice = lambda error: advice(error, model, directory, wish)


def advice(error: BaseException, model: str, directory: str, wish: Wish) -> str:
    for cause in _causes(error):
        grant = _grant(cause, directory, wish)
        if grant is not None:
            what, wanted = grant
            return (
                f"The sandbox keeps {what} from this model. Permit it with sconce_grants={json.dumps({model: wanted})}"
            )
    return ""


def _causes(error):
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _grant(error: BaseException, directory: str, wish: Wish):
    if isinstance(error, socket.gaierror):
        return None if wish.network else ("the network", {"network": True})
    if isinstance(error, KeyError):
        return _variable(error)
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.EPERM:
        if not wish.exec and _ran_a_program(error):
            return "other programs", {"exec": True}
        return None if wish.network or error.filename is not None else ("the network", {"network": True})
    return _place(error, directory)


def _ran_a_program(error: OSError) -> bool:
    at = error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_name in _RUNS_PROGRAMS or at.tb_frame.f_globals.get("__name__") == "subprocess":
            return True
        at = at.tb_next
    return False


def _place(error: OSError, directory: str):
    path = error.filename
    if not isinstance(path, str) or not path.startswith("/") or path.startswith((directory, "/tmp/", "/dev/shm/")):
        return None
    if error.errno == errno.EROFS:
        return f"writing to {path}", {"write": [os.path.dirname(path)]}
    return (path, {"read": [path]}) if error.errno in (errno.ENOENT, errno.EACCES) else None


def _variable(error: KeyError):
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    is_variable = at is not None and at.tb_frame.f_globals.get("__name__") == "os" and error.args
    return (f"the variable {error.args[0]}", {"environment": [error.args[0]]}) if is_variable else None
