"""Makes a worker of a freshly forked child: its session, its channels to the gateway, its environment and paths.

Nothing of an archive is imported or read here, and the sandbox (enclosure.py) is closed before anything is. A child
whose order has a `launch` becomes torchrun instead (rank_group.py), and each of its ranks does the rest by itself
(rank.py).
"""

import faulthandler
import logging
import os
import signal
import socket
import sys
from typing import NamedTuple, Optional

from sconce_worker import late_site, linux
from sconce_worker.enclosure import Enclosures, Report, Wish
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
    # Processors to be bound to; empty: all that the parent may use.
    cores: tuple = ()
    # Arguments of an interpreter that starts a group of ranks in this process's place; empty for a worker alone.
    launch: tuple = ()
    # The name of its tenant's control group; "" where it has none.
    tenant: str = ""
    # What the worker may use; see Limits.
    limits: dict = {}  # noqa: RUF012
    # The words of another program that becomes the worker, its path first; empty for Python.
    program: tuple = ()
    # How many ranks a group has.
    ranks: int = 0
    # How it is enclosed; see enclosure.Wish. None: not at all.
    enclosure: Optional[dict] = None


# Modules of an archive must not be taken for these, so they are there before any model is.
NEEDED_BY_MODELS = ("ts.context", "ts.service", "ts.model_loader", "ts.metrics.configured_cache")


class Entered(NamedTuple):
    """A worker that is ready to load its model."""

    data: socket.socket
    # As the rest of the machine numbers it.
    pid: int
    # What the enclosure holds; None where there is none.
    report: Optional[Report]


def enter(
    order: ForkOrder, parent_pid: int, interpreter_path: list, enclosures: Enclosures, environment: str = ""
) -> Entered:
    """Turns this process into the worker of `order`.

    `interpreter_path` is the module search path without what PYTHONPATH added to it; `environment`: the interpreter of
    the virtual environment that it is to be in, if it isn't yet. Ends the process when the parent has gone meanwhile.
    """
    begin_session(parent_pid)
    pid = linux.pid_outside()
    data = connect(order, "data")
    connect_streams(order)
    linux.set_command_line(order.title)
    os.environ.clear()
    os.environ.update(order.environment)
    wish = wish_of(order)
    report = None
    if wish is not None:
        report = enclosures.enter(wish, order.directory, [data.fileno()])
        os.environ.update(enclosures.environment(wish))
    packages = late_site.take_up(environment) if environment else []
    settle(order, [*interpreter_path, *packages])
    _reseed()
    return Entered(data, pid, report)


def wish_of(order: ForkOrder) -> Optional[Wish]:
    return None if order.enclosure is None else Wish(**order.enclosure)


def begin_session(parent_pid: int) -> None:
    """A session of its own: what the model starts dies with it, and a signal from a terminal doesn't reach it."""
    os.setsid()
    linux.die_with_parent()
    # From a process namespace the parent has no number; the enclosure looks whether it lives.
    if os.getppid() not in (parent_pid, 0):
        os._exit(1)
    _reset_signals()


def settle(order: ForkOrder, interpreter_path: list) -> None:
    """The last step before a model is loaded: the model's directory and search path, the log, and word of crashes."""
    enter_model(order.directory, order.python_path, interpreter_path)
    # A crash in native code leaves the Python stack among its last words.
    faulthandler.enable(file=sys.stderr)
    handlers = [OutputHandler(sys.stdout)]
    logging.basicConfig(handlers=handlers, format="%(message)s", level=logging.INFO, force=True)


def enter_model(directory: str, python_path: list, interpreter_path: list) -> None:
    """The working directory, the search path and the arguments that a model's code finds."""
    os.chdir(directory)
    sys.path[:] = dict.fromkeys([*(os.path.abspath(entry) for entry in python_path if entry), *interpreter_path])
    sys.argv[:] = ["model_service_worker.py"]


def interpreter_path() -> list:
    """The module search path without this process's PYTHONPATH and working directory."""
    added = {os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    added.add(os.getcwd())
    return [entry for entry in sys.path if entry and os.path.abspath(entry) not in added]


def bind(cores: list) -> None:
    """To these processors, with all that it becomes and starts; none: to those that it has."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def connect(order: ForkOrder, channel: str) -> socket.socket:
    """A connection to the gateway that has shown its secret."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(order.socket_path)
    connection.sendall(f"{order.worker} {order.nonce} {channel}\n".encode("ascii"))
    return connection


def connect_streams(order: ForkOrder) -> None:
    """Standard output and error go to the gateway from here on."""
    for channel, descriptor in (("stdout", 1), ("stderr", 2)):
        connection = connect(order, channel)
        os.dup2(connection.fileno(), descriptor)
        connection.close()
    open_streams()


def open_streams() -> None:
    """Makes Python's standard streams of descriptors 0 to 2, whatever these have become."""
    # A line leaves at once, so that the log has it when the next one crashes the process.
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _line_stream(1)
    sys.stderr = sys.__stderr__ = _line_stream(2)


def _line_stream(descriptor: int):
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _reseed() -> None:
    """Forked generators are equal ones; `random` sees to itself, numpy's global one doesn't."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
