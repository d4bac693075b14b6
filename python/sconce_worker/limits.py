"""The limits that a worker sets itself before it runs anything of an archive, and can't raise again."""

import os
import resource
from typing import NamedTuple, Optional

from sconce_worker import descendants, linux


class Limits(NamedTuple):
    """What a worker and all that it starts may use. None: no limit."""

    memoryBytes: Optional[int] = None
    # Processes and threads together.
    processes: Optional[int] = None
    # The longest file that it may write.
    fileBytes: Optional[int] = None
    openFiles: Optional[int] = None


def set_resource_limits(limits: Limits) -> None:
    """Files, descriptors, and no core dumps."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, limits.fileBytes)
    _lower(resource.RLIMIT_NOFILE, limits.openFiles)


def be_watched(limits: Limits) -> None:
    """For a worker without a control group: whatever it starts stays below it, where the parent looks."""
    linux.adopt_orphans()
    if limits.processes is None or os.getuid() == 0:
        return
    # The kernel counts all of the user's threads, and doesn't count at all for root: this only bounds what can
    # happen between two looks.
    there = descendants.threads_of_user()
    if there > 0:
        _lower(resource.RLIMIT_NPROC, there + limits.processes)


def _lower(kind: int, limit: Optional[int]) -> None:
    if limit is None:
        return
    _, hard = resource.getrlimit(kind)
    wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (wanted, wanted))
