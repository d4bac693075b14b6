"""One rank of a group: a fresh process of torchrun that becomes a worker with a data connection of its own."""

import os
import sys

from sconce_worker import linux, rank_lines, seccomp, worker
from sconce_worker.rank_group import take_order
from sconce_worker.worker_setup import NEEDED_BY_MODELS, interpreter_path, open_streams, settle, wish_of


def main() -> int:
    linux.die_with_parent()
    agent, order, place, _, report = take_order()
    if os.getppid() != agent:
        return 1
    local_rank = int(os.environ["LOCAL_RANK"])
    for name in NEEDED_BY_MODELS:
        __import__(name)
    search_path = interpreter_path()
    data = rank_lines.ask(place, local_rank)
    open_streams()
    os.environ.update(order.environment)
    wish = wish_of(order)
    if wish is not None and "calls" not in report["missing"]:
        # torchrun had to start programs; a rank needn't.
        seccomp.apply(seccomp.program(wish.calls._replace(network=True)))
    settle(order, search_path)
    return worker.run(data, local_rank, report=report, wish=wish)


if __name__ == "__main__":
    sys.exit(main())
