"""The `torchserve` command as a Python entry point."""

import os
import sys

from ts.server_command import torchserve_command


def start() -> None:
    """Becomes the `torchserve` command with this program's arguments: doesn't return."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = torchserve_command()
    os.execv(command, [command, *sys.argv[1:]])


if __name__ == "__main__":
    start()
