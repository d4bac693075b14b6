"""A parent process as the gateway has it, and its workers' lines."""

import json
import pathlib
import socket
import subprocess
import sys

HOME = pathlib.Path(__file__).parents[1]


def _greeting(connection):
    """The first line and no byte more: the worker's first frame may follow at once."""
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    return line.decode()


class ParentProcess:
    """Ready when made."""

    def __init__(self, run_directory, *options):
        self.run_directory = run_directory
        # A worker ends when its connections do.
        self._kept = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(run_directory / "s"))
        self.server.listen()
        self.server.settimeout(10)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-u", "-m", "sconce_worker.parent"),
                *("--run-directory", run_directory, "--without-torch"),
                *options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=HOME,
            env={"PYTHONPATH": str(HOME)},
        )
        assert self.event()["event"] == "ready"

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.server.close()

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def event(self):
        return json.loads(self.process.stdout.readline())

    def fork(self, directory, launch=(), **over):
        """Orders a worker, or what `launch` makes of it; gives its pid and its connections by name. `over`: more of the
        order."""
        self.tell(
            do="fork",
            order={
                "worker": 5,
                "nonce": "n",
                "socket_path": str(self.run_directory / "s"),
                "title": "t",
                "environment": {"PYTHONPATH": "/of/the/model", "KEPT": "yes"} if launch else {},
                "python_path": [str(HOME)],
                "directory": str(directory),
                "launch": launch,
                **over,
            },
        )
        forked = self.event()
        assert forked["event"] == "forked"
        self.group = forked["group"]
        channels = {}
        self._kept.append(channels)
        for _ in range(2 if launch else 3):
            connection, _ = self.server.accept()
            connection.settimeout(10)
            key, nonce, name = _greeting(connection).split()
            assert (key, nonce) == (str(over.get("worker", 5)), "n")
            channels[name] = connection
        return forked["pid"], channels
