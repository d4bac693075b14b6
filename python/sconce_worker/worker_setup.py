"""Makes a worker of a freshly forked child: its session, its channels to the gateway, its environment and paths.

Nothing of an archive is imported or read here. The sandbox belongs between `enter` and the first frame.
"""

import faulthandler
import logging
import os
import signal
import socket
import sys
from typing import NamedTuple

from sconce_worker import linux
from sconce_worker.output import OutputHandler


class ForkOrder(NamedTuple):
    """What the gateway wants of a new worker."""

    # Key of the worker in the words between gateway and parent.
    worker: int
    # One-time secret that the worker shows on its three connections.
    nonce: str
    # Unix socket on which the gateway listens.
    socket_path: str
    # What `ps` shows.
    title: str
    environment: dict
    # Goes in front of the interpreter's own module search path.
    python_path: list
    # Working directory: the unpacked model.
    directory: str
    # What the worker may use; see Limits.
    limits: dict = {}  # noqa: RUF012


def enter(order: ForkOrder, parent_pid: int, interpreter_path: list) -> socket.socket:
    """Turns this process into the worker of `order`; gives its data connection.

    `interpreter_path` is the module search path without what PYTHONPATH added to it. Ends the process when the
    parent has gone meanwhile.
    """
    # A session of its own: what the model starts dies with it, and a signal from a terminal doesn't reach it.
    os.setsid()
    linux.die_with_parent()
    if os.getppid() != parent_pid:
        os._exit(1)
    _reset_signals()
    data = _connect(order, "data")
    _replace_streams(_connect(order, "stdout"), _connect(order, "stderr"))
    linux.set_command_line(order.title)
    os.environ.clear()
    os.environ.update(order.environment)
    os.chdir(order.directory)
    sys.path[:] = _unique([os.path.abspath(entry) for entry in order.python_path if entry] + interpreter_path)
    sys.argv[:] = ["model_service_worker.py"]
    _reseed()
    # A crash in native code leaves the Python stack among its last words.
    faulthandler.enable(file=sys.stderr)
    handlers = [OutputHandler(sys.stdout)]
    logging.basicConfig(handlers=handlers, format="%(message)s", level=logging.INFO, force=True)
    return data


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _connect(order: ForkOrder, channel: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(order.socket_path)
    connection.sendall(f"{order.worker} {order.nonce} {channel}\n".encode("ascii"))
    return connection


def _replace_streams(stdout: socket.socket, stderr: socket.socket) -> None:
    for connection, descriptor in ((stdout, 1), (stderr, 2)):
        os.dup2(connection.fileno(), descriptor)
        connection.close()
    # A line leaves at once, so that the log has it when the next one crashes the process.
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _line_stream(1)
    sys.stderr = sys.__stderr__ = _line_stream(2)


def _line_stream(descriptor: int):
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _unique(entries: list) -> list:
    return list(dict.fromkeys(entries))


def _reseed() -> None:
    """Forked generators are equal ones; `random` sees to itself, numpy's global one doesn't."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
