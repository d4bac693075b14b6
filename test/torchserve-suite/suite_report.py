"""A pytest plugin that writes each test's outcome as a line of JSON to the file that SUITE_REPORT names.

The line is there as soon as the test has ended, so that a run that had to be killed tells how far it came.

What a test downloads of download.pytorch.org by an address that a library holds comes from SUITE_DOWNLOADS.
"""

import json
import os
import subprocess
import urllib.request

WHY_LIMIT_CHARACTERS = 300
WEIGHTS = "https://download.pytorch.org"
_worst = {}
_urlopen = urllib.request.urlopen


def _open_here(request, *arguments, **options):
    url = request if isinstance(request, str) else request.full_url
    if url.startswith(WEIGHTS):
        request = os.environ["SUITE_DOWNLOADS"] + url[len(WEIGHTS) :]
    return _urlopen(request, *arguments, **options)


urllib.request.urlopen = _open_here


def pytest_runtest_logreport(report):
    outcome = report.outcome
    if report.when != "call" and outcome == "passed":
        outcome = None
    known = _worst.get(report.nodeid)
    if outcome == "failed" or known is None:
        _worst[report.nodeid] = {"outcome": outcome, "why": _why(report)} if outcome else known
    if report.when == "teardown":
        _write({"test": report.nodeid, **(_worst.pop(report.nodeid) or {"outcome": "failed", "why": "never ran"})})


def pytest_collectreport(report):
    if report.outcome == "failed":
        _write({"test": f"{report.nodeid} (collection)", "outcome": "failed", "why": _why(report)})


def pytest_unconfigure():
    # A test that leaves its server running reads its output in a thread, and would keep this process for ever.
    subprocess.run(["torchserve", "--stop", "--foreground"], check=False)


def _why(report):
    if report.outcome == "skipped":
        return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)[:WHY_LIMIT_CHARACTERS]
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else str(report.longrepr or ""))[:WHY_LIMIT_CHARACTERS]


def _write(line):
    with open(os.environ["SUITE_REPORT"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
