"""Resident memory of processes, for the server's list of workers."""

import logging
import os

logger = logging.getLogger(__name__)


def get_cpu_usage(pid) -> int:
    """Resident bytes of the process; 0 with a log line when there is no such process."""
    try:
        with open(f"/proc/{int(pid)}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        logger.error("Failed get process for pid: %s", pid, exc_info=True)
        return 0


def check_process_mem_usage(stdin) -> None:
    """Reads one line of comma-separated process ids and prints `{pid}:{resident bytes}` for each."""
    for pid in stdin.readline().strip().split(","):
        if pid:
            logger.info("%s:%d", pid, get_cpu_usage(pid))
