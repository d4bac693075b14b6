"""A worker that isn't Python: the forked child encloses itself and becomes another program, which finds its line to the
gateway on descriptor 3."""

import os

from sconce_worker import frames, linux
from sconce_worker.enclosure import Enclosures
from sconce_worker.worker_setup import ForkOrder, begin_session, connect, connect_streams, wish_of

_LINE = 3


def launch(order: ForkOrder, parent_pid: int, enclosures: Enclosures) -> None:
    """Replaces this freshly forked process by `order.program`; returns only where a strict sandbox lacks something."""
    begin_session(parent_pid)
    pid = linux.pid_outside()
    data = connect(order, "data")
    connect_streams(order)
    environment = dict(order.environment)
    wish = wish_of(order)
    report = None
    if wish is not None:
        wish = wish._replace(program=order.program[0])
        report = enclosures.enter(wish, order.directory, [data.fileno()])
        environment.update(enclosures.environment(wish))
    data.sendall(frames.encode_hello(pid, "", None if report is None else report._asdict()))
    if wish is not None and wish.level == "strict" and report.missing:
        return
    os.chdir(order.directory)
    if data.fileno() == _LINE:
        os.set_inheritable(_LINE, True)
    else:
        os.dup2(data.fileno(), _LINE, inheritable=True)
    if wish is None:
        os.execve(order.program[0], list(order.program), environment)
    linux.execute(enclosures.program, list(order.program), environment)
