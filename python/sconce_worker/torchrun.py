"""torchrun, except that a store which it opens for this machine alone listens on the loopback interface alone.

PyTorch's own listens on all of them, asks nobody who he is, and what the launcher finds in it, it unpickles.
"""

import socket
import sys

from sconce_worker import rank_lines
from sconce_worker.rank_group import read_order

_LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1"}
_NAMES = ("host_name", "port", "world_size", "is_master", "timeout", "wait_for_workers", "multi_tenant")


def loopback_store(store_class):
    """`torch.distributed.TCPStore`, narrowed to the loopback interface where its host is that."""

    class LoopbackStore(store_class):
        def __init__(self, *args, **options) -> None:
            options.update(zip(_NAMES, args))
            address = _LOOPBACK.get(options["host_name"])
            listener = _listener(address, options["port"]) if address and options.get("is_master") else None
            if listener is None:
                super().__init__(**options)
                return
            with listener:
                port = listener.getsockname()[1]
                super().__init__(**{**options, "port": port, "master_listen_fd": listener.fileno()})
                # The store's from here on.
                listener.detach()

    return LoopbackStore


def _listener(address: str, port: int):
    try:
        return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError:
        # Somebody has the port: the store itself knows whether it may share it, or what to say.
        return None


def main() -> None:
    handed_over = read_order()
    rank_lines.hand_out(handed_over.place, handed_over.lines)
    import torch.distributed

    if torch.distributed.is_available():
        # Before the modules that take it from there.
        torch.distributed.TCPStore = loopback_store(torch.distributed.TCPStore)
    from torch.distributed.run import main as run

    run()


if __name__ == "__main__":
    sys.exit(main())
