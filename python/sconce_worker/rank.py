"""One rank of a group: a fresh process of torchrun that becomes a worker with a data connection of its own."""

import os
import sys

from sconce_worker import linux, worker
from sconce_worker.rank_group import take_order
from sconce_worker.worker_setup import NEEDED_BY_MODELS, connect, interpreter_path, open_streams, settle


def main() -> int:
    linux.die_with_parent()
    agent, order = take_order()
    if os.getppid() != agent:
        return 1
    local_rank = int(os.environ["LOCAL_RANK"])
    for name in NEEDED_BY_MODELS:
        __import__(name)
    search_path = interpreter_path()
    data = connect(order, f"data-{local_rank}")
    open_streams()
    os.environ.update(order.environment)
    settle(order, search_path)
    return worker.run(data, local_rank)


if __name__ == "__main__":
    sys.exit(main())
