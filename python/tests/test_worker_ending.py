"""How a worker ends, and what TS_BENCHMARK leaves."""

import pathlib
import pstats
import subprocess
import sys

import pytest

from sconce_worker import profiling

HOME = pathlib.Path(__file__).parents[1]


def _run(code):
    return subprocess.run(
        [sys.executable, "-c", f"import sys\nfrom sconce_worker.ending import leave\n{code}"],
        env={"PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_leaving_waits_for_threads_runs_what_was_registered_and_writes_what_was_printed():
    done = _run(
        "import atexit, threading, time\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "atexit.register(print, 'registered')\n"
        "ThreadPoolExecutor(2).submit(time.sleep, 0.05)\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
        "print('printed')\n"
        "leave(7)\n"
    )
    assert done.returncode == 7
    assert done.stdout.split() == ["printed", "thread", "registered"]
    assert done.stderr == ""


@pytest.mark.parametrize("streams", ["None", "object()"])
def test_leaving_works_whatever_stands_for_the_streams(streams):
    assert _run(f"sys.stdout = sys.stderr = {streams}\nleave(0)").returncode == 0


@pytest.mark.parametrize(("value", "wanted"), [("True", True), ("true", True), ("TRUE", True), ("1", False)])
def test_a_profile_is_wanted_by_the_words_that_torchserve_knows(monkeypatch, value, wanted):
    monkeypatch.setenv("TS_BENCHMARK", value)
    assert profiling.is_wanted() is wanted


def test_a_profile_adds_up_its_calls_and_replaces_what_lies_there(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    path = tmp_path / "profile.prof"
    path.symlink_to(elsewhere)
    profiler = profiling.Profiler(str(path))

    assert profiler.run(sorted, [2, 1]) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        profiler.run(divmod, 1, 0)

    assert elsewhere.read_text() == "precious"
    called = {name for _, _, name in pstats.Stats(str(path)).stats}
    assert {"<built-in method builtins.sorted>", "<built-in method builtins.divmod>"} <= called
    assert [entry.name for entry in tmp_path.iterdir() if entry not in (path, elsewhere)] == []
