import subprocess
import sys
import types

import pytest
import torch

from sconce_worker import torch_load


@pytest.fixture
def unwrapped():
    original = torch.load
    yield original
    torch.load = original


@pytest.fixture
def no_override(monkeypatch):
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)


def an_old_torch():
    """torch before 2.6, whose load takes everything unless told otherwise; gives what it was called with."""
    calls = []

    def load(f, map_location=None, pickle_module=None, *, weights_only=False, mmap=None, **pickle_load_args):
        calls.append(weights_only)

    old = types.ModuleType("torch")
    old.__version__ = "2.4.1+cpu"
    old.load = load
    return old, calls


def test_weights_only_is_the_default_of_an_old_torch(no_override):
    old, calls = an_old_torch()
    torch_load.wrap(old)

    old.load("file")
    old.load("file", weights_only=False)
    old.load("file", pickle_module=object())

    assert calls == [True, False, False]


def test_torchs_own_way_out_holds_for_an_old_torch(monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    old, calls = an_old_torch()
    torch_load.wrap(old)

    old.load("file")

    assert calls == [False]


def test_a_handler_that_turns_it_off_is_told_of_once_a_place(tmp_path, caplog, unwrapped, no_override):
    torch.save({"a": torch.ones(2)}, tmp_path / "weights.pt")
    torch_load.wrap(torch)
    torch_load.wrap(torch)

    with caplog.at_level("WARNING"):
        for _ in range(3):
            torch.load(tmp_path / "weights.pt", weights_only=False)
            torch.load(tmp_path / "weights.pt")

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "torch.load without weights_only (test_worker_torch_load.py, line " in told[0]


def test_a_torch_that_is_imported_later_is_watched_too(tmp_path):
    program = (
        "import logging, sys; logging.basicConfig(format='%(message)s', stream=sys.stdout)\n"
        "from sconce_worker import torch_load\n"
        "assert 'torch' not in sys.modules\n"
        "torch_load.watch(); torch_load.watch()\n"
        "import torch\n"
        f"torch.save(1, {str(tmp_path / 'w.pt')!r})\n"
        f"print(torch.load({str(tmp_path / 'w.pt')!r}, weights_only=False))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": "python"}
    )

    assert "torch.load without weights_only (<string>, line 7)" in done.stdout
    assert done.stdout.endswith("1\n")
