"""The end of a worker."""

import atexit
import contextlib
import os
import sys
import threading


def leave(code: int) -> None:
    """Ends the process as the interpreter would: threads, what was registered for the exit, and the streams.

    But the modules aren't taken apart, which takes a process with torch several tenths of a second and writes to every
    page that it shares with its parent.
    """
    # Both are what the interpreter calls; executors end their threads in the first.
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a handler may have put anything there
            stream.flush()
    os._exit(code)
