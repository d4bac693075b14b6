"""What of the machine a worker needs to see: the interpreter, what it imports from, and the system's libraries."""

import os
import sys
from typing import NamedTuple

_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_STORES = ("/nix/store", "/gnu/store")
_SETTINGS = (
    "alternatives",
    "fonts",
    "gai.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "OpenCL",
    "pki",
    "ssl",
    "vulkan",
)
_NETWORK_SETTINGS = ("hosts", "nsswitch.conf", "resolv.conf", "services")
# Processors and memory: what numerical libraries ask for.
_FACTS = ("/sys/devices/system",)
_DEVICES = ("null", "zero", "full", "random", "urandom")
# Whoever has one of these on the module search path doesn't mean all that is in it.
_TOO_MUCH = ("/", "/dev", "/etc", "/home", "/mnt", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/var")
_LOOKED_AT = 4000


class Premises(NamedTuple):
    """Paths that every worker of one parent sees, read-only."""

    # Folders and files, by the names that they are used by.
    shown: tuple
    # Names at the top that lead elsewhere, and where.
    links: tuple
    devices: tuple


def survey(search_path: list) -> Premises:
    """Of this process, after it has imported what workers need."""
    links, shown = [], []
    for name in _SYSTEM:
        path = f"/{name}"
        if os.path.islink(path):
            links.append((path, os.readlink(path)))
        elif os.path.isdir(path):
            shown.append(path)
    interpreter = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    stores = [store for store in _STORES if any(path.startswith(store) for path in interpreter)]
    wanted = [*interpreter, *search_path, *libraries, *_mapped_folders(), *stores, *_FACTS]
    wanted += [f"/etc/{name}" for name in _SETTINGS]
    for path in wanted:
        # By both names: a link on the way to it isn't there in a new root.
        shown += [os.path.abspath(path), os.path.realpath(path)] if path else []
    found = {path for path in shown if path not in (*_TOO_MUCH, os.path.expanduser("~")) and os.path.exists(path)}
    return Premises(tuple(outermost(found)), tuple(links), tuple(f"/dev/{name}" for name in _DEVICES))


def network_settings() -> list:
    return [path for path in (f"/etc/{name}" for name in _NETWORK_SETTINGS) if os.path.exists(path)]


def outermost(paths) -> list:
    """Without those that lie in another one of them, shortest names first."""
    kept: list = []
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):
        if not any(path == other or path.startswith(f"{other}/") for other in kept):
            kept.append(path)
    return kept


def _mapped_folders() -> set:
    """Where the shared libraries lie that this process has loaded."""
    folders = set()
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            path = line.rstrip("\n").partition("/")[2]
            if ".so" in path:
                folders.add(os.path.dirname(f"/{path}"))
    return folders


def closed_to_others(paths, writable: bool = False, with_way: bool = False) -> str:
    """The first file or folder that another user couldn't read (or write), or ''. The first thousands are looked at.

    `with_way`: the folders on the way to it count too.
    """
    looked_at = 0
    for top in paths:
        waiting = [*(_way_to(top) if with_way else ()), (top, True)]
        while waiting and looked_at < _LOOKED_AT:
            path, is_wanted = waiting.pop()
            looked_at += 1
            try:
                mode = os.stat(path).st_mode
                is_folder = os.path.isdir(path)
                needed = (0o5 if is_folder else 0o4) if is_wanted else 0o1
                if mode & needed != needed or (writable and path == top and not mode & 0o2):
                    return path
                if is_folder and is_wanted:
                    waiting += [(entry.path, True) for entry in os.scandir(path) if not entry.is_symlink()]
            except FileNotFoundError:
                continue
            except OSError:
                return path
    return ""


def _way_to(path: str) -> list:
    parts = path.split("/")[1:-1]
    return [("/" + "/".join(parts[: count + 1]), False) for count in range(len(parts))]
