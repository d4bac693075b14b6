"""TS_BENCHMARK: a cProfile of what a worker computes, in the file that TorchServe names."""

import cProfile
import os
import tempfile

PROFILE_PATH = "/tmp/tsPythonProfile.prof"


def is_wanted() -> bool:
    return os.environ.get("TS_BENCHMARK") in ("True", "true", "TRUE")


class Profiler:
    """Adds up all calls that go through it and writes the file anew after each. Workers replace one another's."""

    def __init__(self, path: str = PROFILE_PATH) -> None:
        self._path = path
        self._profile = cProfile.Profile()

    def run(self, call, *args):
        """What the call gives. Of coroutines, which overlap, only the loading of their model goes through here."""
        try:
            return self._profile.runcall(call, *args)
        finally:
            self._write()

    def _write(self) -> None:
        # Everybody on the machine knows the name: what lies there, a link for instance, is replaced, not written to.
        descriptor, made = tempfile.mkstemp(dir=os.path.dirname(self._path))
        os.close(descriptor)
        self._profile.dump_stats(made)
        os.replace(made, self._path)
