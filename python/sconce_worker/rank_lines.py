"""How ranks come by their lines to the gateway: torchrun's process has them all and hands each rank its own.

A rank could not open one itself: the gateway's socket is out of its sight. torchrun passes no descriptor on but the
first three, so a rank asks on a socket without a place in the file system, whose other end looks at who is asking.
"""

import os
import re
import socket
import struct
import threading

_CREDENTIALS = struct.Struct("=iII")
_PARENT = re.compile(r"^PPid:\s+(\d+)$", re.MULTILINE)
_PATIENCE_S = 120


def hand_out(name: str, lines: list) -> None:
    """In torchrun's process: gives the descriptor `lines[n]` to its child that is rank n, each once, and closes it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"\0{name}")
    listener.listen(len(lines))
    for line in lines:
        os.set_inheritable(line, False)
    threading.Thread(target=_serve, args=(listener, dict(enumerate(lines))), daemon=True).start()


def _serve(listener: socket.socket, waiting: dict) -> None:
    with listener:
        while waiting:
            asking, _ = listener.accept()
            with asking:
                line = waiting.pop(int(asking.recv(16)), None) if _is_child(asking) else None
                if line is not None:
                    socket.send_fds(asking, [b"yours"], [line])
                    os.close(line)


def _is_child(asking: socket.socket) -> bool:
    credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    with open(f"/proc/{_CREDENTIALS.unpack(credentials)[0]}/status", encoding="ascii", errors="replace") as file:
        parent = _PARENT.search(file.read())
    return parent is not None and int(parent.group(1)) == os.getpid()


def ask(name: str, rank: int) -> socket.socket:
    """In a rank: its line. OSError when torchrun has gone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(_PATIENCE_S)
        asking.connect(f"\0{name}")
        asking.send(str(rank).encode("ascii"))
        _, descriptors, _, _ = socket.recv_fds(asking, 16, 1)
    if not descriptors:
        raise ConnectionError("torchrun handed out no line")
    return socket.socket(fileno=descriptors[0])
