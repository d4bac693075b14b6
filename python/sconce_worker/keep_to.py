"""Keeps a running process to some processors, with all its threads and what they start: `keep_to PID 0,2,3`.

A thread that comes while this looks is made by one that is bound already, or is found in the next round.
"""

import contextlib
import os
import sys


def keep(pid: int, processors: set) -> None:
    """OSError: no such process, or not this user's."""
    bound: set = set()
    while True:
        threads = {int(name) for name in os.listdir(f"/proc/{pid}/task")} - bound
        if not threads:
            return
        for thread in threads:
            # One may have ended meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, processors)
        bound |= threads


if __name__ == "__main__":
    keep(int(sys.argv[1]), {int(number) for number in sys.argv[2].split(",")})
