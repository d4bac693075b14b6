"""A look at a worker that has no control group, and at all below it: do they exceed a limit together?"""

import os
from typing import Optional

from sconce_worker import descendants
from sconce_worker.audit import Audit
from sconce_worker.limits import Limits

# In looks: so long may an audit take, and so long is the pause after one that found nothing.
_AUDIT_WITHIN = 20
_AUDIT_PAUSE = 4


class Watch:
    """State: an audit under way, or the looks that must pass before the next one.

    A look costs 50 microseconds a process. What several processes share counts several times in it; only when their sum
    exceeds the limit is an audit worth its milliseconds.
    """

    def __init__(self, pid: int, limits: Limits) -> None:
        self.pid = pid
        self._limits = limits
        self._audit: Optional[Audit] = None
        self._looks = 0

    @property
    def helper(self) -> Optional[int]:
        """The process of the audit."""
        return None if self._audit is None else self._audit.pid

    def look(self) -> Optional[str]:
        """Which limit is exceeded: `memory`, `processes` or None."""
        inherited_bytes = descendants.size_of(os.getpid()).memory_bytes
        threads = together = 0
        family = []
        for pid, size in descendants.sizes_of_family(self.pid):
            family.append(pid)
            threads += size.threads
            together += size.memory_bytes
            if self._limits.processes is not None and threads > self._limits.processes:
                return "processes"
            if self._limits.memoryBytes is not None and size.memory_bytes - inherited_bytes > self._limits.memoryBytes:
                return "memory"
        if self._limits.memoryBytes is None:
            return None
        return self._look_closer(family, together - inherited_bytes, self._limits.memoryBytes)

    def close(self) -> None:
        if self._audit is not None:
            self._audit.close()

    def _look_closer(self, family: list, at_most: int, limit: int) -> Optional[str]:
        if self._audit is None:
            self._looks = max(0, self._looks - 1)
            if at_most > limit and self._looks == 0:
                self._begin_audit(family)
            return None
        self._looks += 1
        found = self._audit.result()
        if found is None:
            # Whoever keeps the kernel from telling isn't given the benefit of the doubt.
            return "memory" if self._looks > _AUDIT_WITHIN else None
        self._audit = None
        self._looks = _AUDIT_PAUSE
        return "memory" if found > limit else None

    def _begin_audit(self, family: list) -> None:
        try:
            self._audit = Audit(family)
        except OSError:
            # Somebody has taken the last process or descriptor: no reason for the parent of all workers to fall.
            self._looks = _AUDIT_PAUSE
