"""Starts and stops the server from Python and registers models with it, for tests and notebooks."""

import contextlib
import queue
import subprocess
import sys
import threading

from ts.server_command import torchserve_command

MANAGEMENT_ADDRESS = "http://localhost:8081"
STARTED = "Model server started"
QUEUE_LIMIT_LINES = 1000


class _Echo(threading.Thread):
    """Prints the server's lines and keeps the latest-but-unread ones in `lines`, with None behind the last.

    Not a daemon: a server whose output nobody reads any more would lose it, or stand still.
    """

    def __init__(self, process: subprocess.Popen) -> None:
        super().__init__(name="torchserve output")
        self.lines: queue.Queue = queue.Queue(maxsize=QUEUE_LIMIT_LINES)
        self._process = process

    def run(self) -> None:
        with self._process:
            for line in self._process.stdout:
                self._print(line)
                self._keep(line)
        self._end()

    def _print(self, line: str) -> None:
        # Naming the stream holds on to it: a test runner may put another in its place meanwhile, or have closed it.
        with contextlib.suppress(ValueError):
            print(line.strip(), file=sys.stdout)

    def _keep(self, line: str) -> None:
        try:
            self.lines.put_nowait(line)
        except queue.Full:
            # Whoever doesn't read wants no lines; the newest are the ones to lose, so that the order has no gap before.
            return

    def _end(self) -> None:
        while True:
            try:
                self.lines.put_nowait(None)
                return
            except queue.Full:
                self._drop_all()

    def _drop_all(self) -> None:
        while not self.lines.empty():
            self.lines.get_nowait()


def start(
    model_store=None,
    snapshot_file=None,
    no_config_snapshots=False,
    plugin_folder=None,
    disable_token=False,
    models=None,
    enable_model_api=False,
) -> queue.Queue:
    """Stops a running server, starts one and waits until it serves; gives a queue of the lines that it prints next.

    `snapshot_file` is a config.properties, `models` one `--models` value. The queue holds at most 1000 lines and ends
    with None. When the server ends before it serves, the queue is at its end already.
    """
    stop()
    command = [torchserve_command(), "--start"]
    for flag, value in (
        ("--model-store", model_store),
        ("--plugins-path", plugin_folder),
        ("--ts-config", snapshot_file),
        ("--models", models),
    ):
        command += [flag, str(value)] if value else []
    for flag, is_wanted in (
        ("--no-config-snapshots", no_config_snapshots),
        ("--disable-token-auth", disable_token),
        ("--enable-model-api", enable_model_api),
    ):
        command += [flag] if is_wanted else []

    # The server inherits the pipe from the command, which ends at once.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    for line in process.stdout:
        print(line.strip())
        if STARTED in line:
            break
    echo = _Echo(process)
    echo.start()
    return echo.lines


def stop(wait=True) -> None:
    """Stops the server, if one runs; waits until it has ended, a minute at most, unless told not to."""
    subprocess.run([torchserve_command(), "--stop", *(["--foreground"] if wait else [])], check=False)


def register_model(model_name, url):
    """Registers the archive at `url` with one worker and waits for it; gives the server's answer."""
    return register_model_with_params(
        (("model_name", model_name), ("url", url), ("initial_workers", "1"), ("synchronous", "true"))
    )


def register_model_with_params(params):
    """Posts to the management API at its default address; gives a `requests.Response`. Needs the package requests."""
    import requests

    return requests.post(f"{MANAGEMENT_ADDRESS}/models", params=params)
