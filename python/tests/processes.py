"""Whether a process lives, and waiting for what comes soon."""

import time
from pathlib import Path


def lives(pid) -> bool:
    """False of a process that has ended, reaped or not. Reads /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds) -> None:
    """Fails when it doesn't hold within 10 seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
