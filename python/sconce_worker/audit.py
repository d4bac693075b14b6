"""The exact memory of a family of processes, each shared page counted once: found out by a process of its own, because
the kernel may keep who asks waiting for as long as one of the family likes."""

import os

from sconce_worker import linux


class Audit:
    """State: pending until `result` gives a number. The process is a child of the caller, who reaps it."""

    def __init__(self, pids: list) -> None:
        """OSError when there is no descriptor or no process to be had."""
        self._answer, answer = os.pipe()
        os.set_blocking(self._answer, False)
        caller = os.getpid()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(answer)
            self.close()
            raise
        if self.pid == 0:
            linux.die_with_parent()
            if os.getppid() == caller:
                os.write(answer, b"%d" % sum(map(_own_bytes, pids)))
            os._exit(0)
        os.close(answer)

    def result(self):
        """Bytes, or None while it isn't known. Not to be asked again once it is; 0 when the process came to nothing."""
        try:
            text = os.read(self._answer, 32)
        except BlockingIOError:
            return None
        self.close()
        return int(text or 0)

    def close(self) -> None:
        os.close(self._answer)


def _own_bytes(pid: int) -> int:
    """What would be free if the process were not there: without files, and its share of what several have."""
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith(("Pss_Anon:", "Pss_Shmem:", "SwapPss:")):
                    total += int(line.split()[1]) * 1024
    except OSError:
        return 0
    return total
