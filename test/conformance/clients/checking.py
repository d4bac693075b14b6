"""Runs checks and tells each on a line of JSON."""

import json
import traceback

CHECKS = []


def check(name):
    """Registers a function as a check under a sentence."""

    def register(function):
        CHECKS.append((name, function))
        return function

    return register


def run():
    for name, function in CHECKS:
        try:
            function()
            print(json.dumps({"name": name, "ok": True}), flush=True)
        except Exception:
            print(
                json.dumps(
                    {
                        "name": name,
                        "ok": False,
                        "because": traceback.format_exc(limit=-2),
                    }
                ),
                flush=True,
            )


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def refused(call, words, status=None):
    """Checks that a call of tritonclient fails with a text that holds `words`."""
    try:
        call()
    except Exception as error:
        text = str(error)
        if words not in text or (status is not None and status not in text):
            raise AssertionError(f"{text!r} does not hold {words!r} and {status!r}") from error
        return
    raise AssertionError("was not refused")
