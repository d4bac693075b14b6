"""A group of ranks: the forked child becomes torchrun, which starts each rank as a fresh process of rank.py.

torchrun gives every rank a session of its own. They die with it because each asks the kernel for that; what they
started ends as what any worker started (warden.py).
"""

import json
import os
import secrets
import tempfile
from typing import NamedTuple, Optional

from sconce_worker.enclosure import Enclosures
from sconce_worker.worker_setup import ForkOrder, begin_session, connect, connect_streams, wish_of


def launch(order: ForkOrder, parent_pid: int, enclosures: Enclosures, interpreter: str) -> None:
    """Replaces this freshly forked process by the interpreter with the arguments `order.launch`; doesn't return.

    The working directory and the search path stay the parent's, so that torchrun imports nothing of an archive.
    """
    begin_session(parent_pid)
    connect_streams(order)
    lines = [connect(order, f"data-{rank}").detach() for rank in range(order.ranks)]
    for line in lines:
        os.set_inheritable(line, True)
    wish = wish_of(order)
    report = None
    environment = dict(order.environment)
    if wish is not None:
        here = os.getcwd()
        report = enclosures.enter(wish, order.directory, lines)
        environment.update(enclosures.environment(wish))
        os.chdir(here)
    _hand_over(order, lines, report)
    inherited = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    os.execve(interpreter, [interpreter, *order.launch], {**environment, **inherited})


def _hand_over(order: ForkOrder, lines: list, report) -> None:
    """Leaves the order on descriptor 0, the one that torchrun passes on: neither arguments nor environment show it."""
    kept = {name: value for name, value in order.environment.items() if name == "PYTHONPATH"}
    facts = {
        "agent": os.getpid(),
        "order": order._replace(environment=kept, launch=(), nonce="")._asdict(),
        "place": f"sconce-{secrets.token_hex(16)}",
        "lines": lines,
        "report": None if report is None else report._asdict(),
    }
    with _nameless_file() as file:
        file.write(json.dumps(facts).encode("utf-8"))
        file.flush()
        os.dup2(file.fileno(), 0)


def _nameless_file():
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("order"), "wb")
    return tempfile.TemporaryFile()


class HandedOver(NamedTuple):
    """What `launch` left."""

    # torchrun's pid.
    agent: int
    order: ForkOrder
    # Where a rank asks for its line, and the descriptors of all lines in torchrun's process.
    place: str
    lines: list
    # What the enclosure holds; None where there is none.
    report: Optional[dict]


def read_order() -> HandedOver:
    facts = json.loads(os.pread(0, os.fstat(0).st_size, 0))
    return HandedOver(**{**facts, "order": ForkOrder(**facts["order"])})


def take_order() -> HandedOver:
    """In a rank: reads what `launch` left, and closes the way to it."""
    handed_over = read_order()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return handed_over
