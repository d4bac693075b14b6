"""Makes what test archives hold and packs them.

Reads a JSON list of `{"folder", "made", "staging", "arguments"}` from stdin: runs `folder/make.py` in a process of its
own, which writes into `made`, then packs with the model archiver's own arguments. Two at a time; the first failure ends
all with its output.
"""

import json
import os
import runpy
import subprocess
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.join(os.path.dirname(os.path.dirname(HERE)), "python")
AT_ONCE = 2


def make(job) -> None:
    os.environ["SCONCE_MADE_FOLDER"] = job["made"]
    os.chdir(job["folder"])
    # `ts` comes from the source tree: makers run the same preprocessing as the handlers.
    sys.path[0:0] = [job["folder"], HERE, PYTHON]
    # A cache of their own, so that what other programs compile never holds them up.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(job["staging"], "inductor")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    runpy.run_path("make.py", run_name="__main__")


def pack(job) -> None:
    os.makedirs(job["staging"], exist_ok=True)
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            "from model_archiver.model_packaging import generate_model_archive as pack; pack()",
            *job["arguments"],
        ],
        cwd=job["folder"],
        # An archiver in the source tree is taken before an installed one.
        env={**os.environ, "TMPDIR": job["staging"], "PYTHONPATH": PYTHON},
        check=True,
    )


def run(job) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        if os.path.exists(os.path.join(job["folder"], "make.py")):
            make(job)
        pack(job)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def main() -> None:
    waiting, running = json.load(sys.stdin), {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            job = waiting.pop(0)
            running[run(job)] = job["folder"]
        child, status = os.wait()
        folder = running.pop(child)
        if status != 0:
            sys.exit(f"{folder} could not be made")


if __name__ == "__main__":
    main()
