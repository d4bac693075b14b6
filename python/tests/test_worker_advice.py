"""Which grant a failure in the sandbox asks for."""

import errno
import os
import socket
import subprocess

import pytest

from sconce_worker.advice import advice
from sconce_worker.enclosure import Wish
from ts import failure_text


def told(act, wish=None):
    try:
        act()
    except Exception as error:
        return advice(error, "m", "/models/m", wish or Wish())
    raise AssertionError("nothing was raised")


def _refused(*arguments, **_):
    raise OSError(*arguments)


def test_a_program_that_may_not_run_asks_for_exec(monkeypatch):
    monkeypatch.setattr(subprocess.Popen, "_execute_child", lambda *_, **__: _refused(errno.EPERM, "", "/bin/true"))
    line = told(lambda: subprocess.run(["/bin/true"], check=False))
    assert line.endswith('Permit it with sconce_grants={"m": {"exec": true}}')
    assert told(lambda: subprocess.run(["/bin/true"], check=False), Wish(exec=True)) == ""


def test_a_socket_or_a_name_that_is_refused_asks_for_the_network():
    wanted = 'sconce_grants={"m": {"network": true}}'
    assert wanted in told(lambda: _refused(errno.EPERM, "Operation not permitted"))

    def resolve():
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    assert wanted in told(resolve)


def test_what_a_library_made_of_the_refusal_is_looked_through():
    def download():
        try:
            _refused(errno.EPERM, "Operation not permitted")
        except OSError as error:
            raise RuntimeError("no connection") from error

    assert '"network": true' in told(download)


def test_a_file_outside_asks_to_be_read_and_one_of_the_model_does_not():
    assert '{"m": {"read": ["/data/labels.txt"]}}' in told(lambda: _refused(errno.ENOENT, "", "/data/labels.txt"))
    assert told(lambda: _refused(errno.ENOENT, "", "/models/m/labels.txt")) == ""
    assert told(lambda: _refused(errno.ENOENT, "", "labels.txt")) == ""
    assert '{"m": {"write": ["/data"]}}' in told(lambda: _refused(errno.EROFS, "", "/data/out.txt"))


def test_a_variable_that_is_not_there_asks_for_it_and_a_key_of_another_dict_does_not():
    assert '{"m": {"environment": ["SURELY_UNSET"]}}' in told(lambda: os.environ["SURELY_UNSET"])
    assert told(lambda: {}["SURELY_UNSET"]) == ""


def test_an_ordinary_error_asks_for_nothing():
    assert told(lambda: 1 / 0) == ""


@pytest.mark.parametrize("answer", ["a line", ""])
def test_the_traceback_ends_with_it(monkeypatch, answer):
    monkeypatch.setattr(failure_text, "advice", lambda error: answer)
    lines = failure_text.user_traceback(ValueError("x")).split("\n")
    assert lines[-1] == (answer or "ValueError: x")
