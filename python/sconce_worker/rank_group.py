"""A group of ranks: the forked child becomes torchrun, which starts each rank as a fresh process of rank.py.

torchrun gives every rank a session of its own. They die with it because each asks the kernel for that; what they
started ends as what any worker started (warden.py).
"""

import json
import os
import sys
import tempfile

from sconce_worker.worker_setup import ForkOrder, begin_session, connect_streams


def launch(order: ForkOrder, parent_pid: int) -> None:
    """Replaces this freshly forked process by the interpreter with the arguments `order.launch`; doesn't return.

    The working directory and the search path stay the parent's, so that torchrun imports nothing of an archive.
    """
    begin_session(parent_pid)
    connect_streams(order)
    _hand_over(order)
    inherited = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    os.execve(sys.executable, [sys.executable, *order.launch], {**order.environment, **inherited})


def _hand_over(order: ForkOrder) -> None:
    """Leaves the order on descriptor 0, the one that torchrun passes on: neither arguments nor environment show it."""
    kept = {name: value for name, value in order.environment.items() if name == "PYTHONPATH"}
    facts = {"agent": os.getpid(), "order": order._replace(environment=kept, launch=())._asdict()}
    with _nameless_file() as file:
        file.write(json.dumps(facts).encode("utf-8"))
        file.flush()
        os.dup2(file.fileno(), 0)


def _nameless_file():
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("order"), "wb")
    return tempfile.TemporaryFile()


def take_order() -> tuple:
    """In a rank: gives torchrun's pid and the order that `launch` left, and closes the way to it."""
    facts = json.loads(os.pread(0, os.fstat(0).st_size, 0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return facts["agent"], ForkOrder(**facts["order"])
