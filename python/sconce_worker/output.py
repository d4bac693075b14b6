"""The worker's own standard output: line by line, except where many lines are known to come at once."""

import contextlib
import logging
import sys


class OutputHandler(logging.StreamHandler):
    """Writes log lines to standard output; a flush that `gathered` holds back comes at its end."""

    is_held = False

    def flush(self) -> None:
        if not OutputHandler.is_held:
            super().flush()


@contextlib.contextmanager
def gathered():
    """Lines written meanwhile leave together."""
    stream = sys.stdout
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is None:  # a handler has put something of its own there
        yield
        return
    OutputHandler.is_held = True
    reconfigure(line_buffering=False)
    try:
        yield
    finally:
        OutputHandler.is_held = False
        reconfigure(line_buffering=True)
        stream.flush()
