"""Workers forked in advance: a spare stands in its control group already, and waits for its order.

The kernel takes some 10 ms to move a process into another group, as it waits until no processor is about to fork:
nothing to let a request wait for. A spare knows nothing of any model; what it becomes is told it when it is ordered.
"""

import json
import signal
import socket
import time
from typing import NamedTuple, Optional

from sconce_worker import descendants, linux
from sconce_worker.control_group import ControlGroup
from sconce_worker.enclosure import Enclosures
from sconce_worker.ending import leave
from sconce_worker.warden import Warden
from sconce_worker.worker_setup import ForkOrder

TITLE = "sconce_worker.spare"
# One is made when the worker that was ordered last has had the processors to itself for a while.
_MAKE_AFTER_S = 0.05
_TELL_WITHIN_S = 5
_CHUNK_BYTES = 65536


class _Spare(NamedTuple):
    pid: int
    group: ControlGroup
    # The name of the tenant's group in which its own is; "" where it is in none.
    tenant: str
    # The parent's end: the order goes in, once.
    line: socket.socket


class Spares:
    """The parent's side. State: none; due, from a worker's order on; or one, which waits.

    There are none where workers get no control groups.
    """

    def __init__(self, warden: Warden, enclosures: Enclosures, encloses: bool) -> None:
        """`encloses`: workers are ordered in sandboxes, as a rule; only such a one can be a spare then."""
        self._warden = warden
        self._enclosures = enclosures
        self._encloses = encloses
        self._waiting: Optional[_Spare] = None
        self._tenant = ""
        self._due_at_s: Optional[float] = None

    @property
    def patience_s(self) -> Optional[float]:
        """When `make` wants to be called; None: not before another worker is ordered."""
        return None if self._due_at_s is None else max(0.0, self._due_at_s - time.monotonic())

    def ordered(self, tenant: str) -> None:
        """A worker was: the next one is likely of the same tenant."""
        self._tenant = tenant
        self._due_at_s = time.monotonic() + _MAKE_AFTER_S

    def make(self, fork) -> Optional[ForkOrder]:
        """Makes one with `fork` if it is time. In the spare: gives its order, or ends it where none will come."""
        if self.patience_s != 0:
            return None
        self._due_at_s = None
        if self._waiting is not None and self._waiting.tenant == self._tenant:
            return None
        self.dismiss()
        group = self._warden.room_for_spare(self._tenant)
        if group is None:
            return None
        line, its_line = socket.socketpair()
        try:
            pid = fork(self._encloses)
        except OSError:
            # Whoever is ordered next tells of it.
            self._warden.dismiss(group)
            return None
        if pid == 0:
            line.close()
            order = _take_order(its_line, group)
            self._warden.employ(order.worker, order.limits, group)
            return order
        its_line.close()
        line.settimeout(_TELL_WITHIN_S)
        self._enclosures.forked()
        self._warden.helpers.add(pid)
        self._waiting = _Spare(pid, group, self._tenant, line)
        return None

    def employ(self, order: ForkOrder) -> Optional[int]:
        """Gives the order to the spare, and its pid; None where there is none for it."""
        spare = self._waiting
        if spare is None or spare.tenant != order.tenant or self._encloses != (order.enclosure is not None):
            return None
        try:
            spare.group.limit(order.limits.get("memoryBytes"), order.limits.get("processes"))
            spare.line.sendall(json.dumps(order._asdict()).encode("utf-8") + b"\n")
        except OSError:
            self.dismiss()
            return None
        spare.line.close()
        self._waiting = None
        self._warden.helpers.discard(spare.pid)
        self._warden.employ(order.worker, order.limits, spare.group)
        return spare.pid

    def is_one(self, pid: Optional[int]) -> bool:
        return self._waiting is not None and self._waiting.pid == pid

    def dismiss(self) -> None:
        """Ends the one that waits, or has ended."""
        if self._waiting is None:
            return
        spare, self._waiting = self._waiting, None
        spare.line.close()
        # It may not have got into its group yet. Its number is its own until `_reap` has told of its end.
        descendants.signal_to(spare.pid, signal.SIGKILL)
        self._enclosures.ended(spare.pid)
        self._warden.helpers.discard(spare.pid)
        self._warden.dismiss(spare.group)

    def let_go(self) -> None:
        """In another forked child: the line is the parent's."""
        if self._waiting is not None:
            self._waiting.line.close()


def _take_order(line: socket.socket, group: ControlGroup) -> ForkOrder:
    # A parent that has gone already shows by the end of the line.
    linux.die_with_parent()
    linux.set_command_line(TITLE)
    group.enter()
    said = b""
    while not said.endswith(b"\n"):
        chunk = line.recv(_CHUNK_BYTES)
        if not chunk:
            leave(0)
        said += chunk
    line.close()
    return ForkOrder(**json.loads(said))
