"""Holds the parent's workers to their limits and ends them whole: by a control group each, or by looking after them."""

import contextlib
import os
import sys
import time
from typing import Optional

from sconce_worker import descendants
from sconce_worker.control_group import ControlGroup, remove_tree
from sconce_worker.limits import Limits, be_watched, set_resource_limits
from sconce_worker.watch import Watch

_LOOK_EVERY_S = 0.25
_CLEAR_EVERY_S = 0.02
_CLOSE_WITHIN_S = 1.0


class _Kept:
    def __init__(self, limits: Limits, group: Optional[ControlGroup], inside: bool = False) -> None:
        self.limits = limits
        self.group = group
        # The worker is in its group since before it was ordered.
        self.inside = inside
        self.pid: Optional[int] = None
        # In place of a group, once the worker is there.
        self.watch: Optional[Watch] = None
        self.struck: Optional[str] = None


class Warden:
    """One per parent. Of each worker, in this order: prepare, enter (in the worker) and forked (in the parent), ended.

    For a spare: room_for_spare, then `employ` in place of `prepare`, in the parent and in the spare; or `dismiss`.

    Invariant: a process that is neither a worker nor below one, nor in a worker's group, is a leftover and is killed.
    """

    def __init__(self, bases: dict, helpers=()) -> None:
        """`bases`: the server's folder of control groups by controller; empty where there are none.

        `helpers`: children of the parent that are no workers.
        """
        self._bases = bases
        self.helpers = set(helpers)
        self._spares = 0
        self._kept: dict = {}
        self._leaving: list = []
        self._next_look = 0.0

    @property
    def patience_s(self) -> Optional[float]:
        """When `look` wants to be called again; None: not before something happens."""
        if self._leaving:
            return _CLEAR_EVERY_S
        return _LOOK_EVERY_S if any(kept.group is None for kept in self._kept.values()) else None

    def prepare(self, worker: int, limits: dict, tenant: str = "") -> None:
        """`tenant`: the name of its tenant's group; "" where it has none."""
        wanted = Limits(**limits)
        group = None
        if self._bases:
            group = ControlGroup(self._bases, f"worker-{worker}", tenant)
            try:
                group.make(wanted.memoryBytes, wanted.processes)
            except OSError as error:
                group.remove()
                group = None
                print(f"Worker {worker} gets no control group and is watched instead: {error}", file=sys.stderr)
        if group is None:
            _go_first()
        self._kept[worker] = _Kept(wanted, group)

    def room_for_spare(self, tenant: str) -> Optional[ControlGroup]:
        """A group for a worker that hasn't been ordered yet; None where there are none."""
        if not self._bases:
            return None
        self._spares += 1
        group = ControlGroup(self._bases, f"spare-{os.getpid()}-{self._spares}", tenant)
        try:
            group.make()
        except OSError:
            group.remove()
            return None
        return group

    def employ(self, worker: int, limits: dict, group: ControlGroup) -> None:
        """The spare in this group is that worker from now on."""
        self._kept[worker] = _Kept(Limits(**limits), group, inside=True)

    def dismiss(self, group: ControlGroup) -> None:
        """Ends a spare that is no worker."""
        group.kill()
        if not group.remove():
            self._leaving.append(group)

    def group_of(self, worker: int) -> str:
        """Its name below the server's own; "" where it has none."""
        group = self._kept[worker].group
        return "" if group is None else group.name

    def enter(self, worker: int) -> None:
        """In the forked worker: takes its limits upon itself. OSError: it must not go on."""
        kept = self._kept[worker]
        if kept.group is None:
            be_watched(kept.limits)
        elif not kept.inside:
            kept.group.enter()
        set_resource_limits(kept.limits)

    def forked(self, worker: int, pid: int) -> None:
        kept = self._kept[worker]
        kept.pid = pid
        if kept.group is None:
            kept.watch = Watch(pid, kept.limits)

    def unborn(self, worker: int) -> None:
        kept = self._kept.pop(worker)
        if kept.group is not None:
            kept.group.remove()

    def end(self, worker: int) -> None:
        """SIGKILL to the worker and all that it started."""
        kept = self._kept[worker]
        if kept.group is not None:
            kept.group.kill()
        elif kept.pid is not None:
            descendants.end([kept.pid])

    def ended(self, worker: int) -> str:
        """The worker's process has ended and isn't reaped yet: ends what it left and tells which limit it struck.

        `memory`, `tenant-memory`, `machine-memory` and `processes` as the kernel or a look has it; `none`; `unknown`
        where nobody saw.
        """
        kept = self._kept.pop(worker)
        if kept.watch is not None:
            kept.watch.close()
        if kept.group is None:
            self._end_leftovers(kept.pid)
            return kept.struck or "unknown"
        struck = kept.group.struck()
        kept.group.kill()
        if not kept.group.remove():
            self._leaving.append(kept.group)
        return struck

    def look(self) -> None:
        """Ends the watched workers that exceed a limit, and leftovers; removes the groups of those that have gone."""
        self._leaving = [group for group in self._leaving if not _cleared(group)]
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_EVERY_S
        watched = [kept for kept in self._kept.values() if kept.watch is not None]
        for kept in watched:
            kept.struck = kept.struck or kept.watch.look()
            if kept.struck is not None:
                descendants.end([kept.pid])
        if watched:
            self._end_leftovers(None)

    def close(self, with_bases: bool) -> None:
        """Removes what is left of the groups once the workers have ended; with the server's own when it has gone."""
        deadline = time.monotonic() + _CLOSE_WITHIN_S
        groups = self._leaving + [kept.group for kept in self._kept.values() if kept.group is not None]
        while groups and time.monotonic() < deadline:
            groups = [group for group in groups if not _cleared(group)]
            # Their dead belong to the parent now, and hold the group until they are reaped.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            if groups:
                time.sleep(0.002)
        for base in set(self._bases.values()) if with_bases else ():
            # Another parent of the same server may still be at it; the last one succeeds.
            remove_tree(base)

    def _end_leftovers(self, ended: Optional[int]) -> None:
        known = {kept.pid for kept in self._kept.values()} | self.helpers
        known.update(kept.watch.helper for kept in self._kept.values() if kept.watch is not None)
        for kept in self._kept.values():
            known.update([] if kept.group is None else kept.group.members())
        strangers = [pid for pid in descendants.children_of(os.getpid()) if pid not in known and pid != ended]
        if strangers:
            descendants.end(strangers)


def _go_first() -> None:
    """Where the rights suffice, this process runs before ordinary ones, but not what it forks: a look has to get its
    turn while hundreds of processes want the processor."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def _cleared(group: ControlGroup) -> bool:
    group.kill()
    return group.remove()
