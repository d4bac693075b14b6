"""A root of its own for a worker: what it needs to see, read-only, and room to write that nobody else sees."""

import contextlib
import os
import sys
from typing import NamedTuple, Optional

from sconce_worker import linux
from sconce_worker.premises import Premises, network_settings, outermost

# Files and folders together: many small ones cost the kernel's memory, not the room's.
_MOST_ENTRIES = 250_000
_QUIET = linux.NO_SUID | linux.NO_DEVICES
_MACHINE_FACTS = ("cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "sys", "uptime", "version", "vmstat")
_SHUT = "/.shut"
# What a folder may hold beside a hidden file: each is a mount.
_MOST_AROUND = 1000
_OVER = "/.over"
# Of the root alone: a folder of the machine that is granted for writing may lie over any of the usual places.
HOME = "/.home"


class RootPlan(NamedTuple):
    """What a worker's root holds beside the premises."""

    # A folder to build it on.
    base: str
    # Bytes that all its writing may take.
    room_bytes: int
    # The model: the worker may write there, and the folder stays as it is.
    directory: str
    # (name in the root, what lies behind it) of files and folders, read-only.
    shown: tuple = ()
    # Folders that are really written to.
    written: tuple = ()
    devices: tuple = ()
    # What must not be seen, should it lie in something that is.
    hidden: tuple = ()
    with_network: bool = False
    # The process is in a process namespace of its own.
    with_processes: bool = True
    # Who writes; None: the process as it is.
    user: Optional[int] = None


def build(premises: Premises, plan: RootPlan) -> None:
    """In a mount namespace of its own: makes the root and enters it. OSError leaves the process of no further use."""
    linux.mount(None, "/", None, linux.RECURSIVE | linux.SLAVE)
    options = f"size={plan.room_bytes},nr_inodes={_MOST_ENTRIES},mode=755"
    linux.mount("sconce", plan.base, "tmpfs", _QUIET, options)
    root = plan.base
    _make_settings(root, plan)
    for name in ("/tmp", "/dev/shm", "/var/tmp"):
        _make_room(root, name, 0o1777)
    for path, target in premises.links:
        os.symlink(target, root + path)
    for path, real in _shown(premises, plan):
        # What is shut may have something in it that is shown, for which there has to be a place.
        _bind(real, root + path, _QUIET if real.startswith(root) else linux.READ_ONLY | _QUIET)
    for path in (*premises.devices, *plan.devices):
        with contextlib.suppress(FileNotFoundError):
            _bind(path, root + path, linux.NO_SUID)
    for link, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target if target[0] == "/" else f"/proc/self/{target}", f"{root}/dev/{link}")
    for path in plan.written:
        if os.path.isdir(path):
            _bind(path, root + path, _QUIET)
        else:
            print(f"{path} is granted for writing and is no folder", file=sys.stderr)
    _shut_in_written(root, plan)
    _lay_over(root, plan)
    _make_proc(f"{root}/proc", plan)
    _make_room(root, HOME, 0o700)
    if plan.user is not None:
        os.chown(root + HOME, plan.user, plan.user)
    # The root itself, not what is mounted in it.
    linux.mount(None, root, None, linux.REMOUNT | linux.BIND | linux.READ_ONLY | _QUIET)
    linux.change_root(root)


def _shut_in_written(root: str, plan: RootPlan) -> None:
    """An empty folder over the server's run directory in what is written to, with a way to what is laid in it."""
    run_directory = os.path.realpath(os.path.dirname(plan.base))
    for path in map(_plain, plan.written):
        real = os.path.realpath(path)
        if run_directory.startswith(f"{real}/"):
            _bind(_shut_place(plan, run_directory), root + path + run_directory[len(real) :], _QUIET)


def _make_settings(root: str, plan: RootPlan) -> None:
    user = os.getuid() if plan.user is None else plan.user
    group = os.getgid() if plan.user is None else plan.user
    os.mkdir(f"{root}/etc")
    texts = {
        "passwd": f"worker:x:{user}:{group}:worker:{HOME}:/usr/sbin/nologin\n",
        "group": f"worker:x:{group}:\n",
    }
    if not plan.with_network:
        texts["hosts"] = "127.0.0.1 localhost\n::1 localhost\n"
    for name, text in texts.items():
        with open(f"{root}/etc/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _make_room(root: str, name: str, mode: int) -> None:
    path = root + name
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)
    # A mount of its own, so that it stays writable when the root no longer is.
    linux.mount(path, path, None, linux.BIND)


def _make_proc(path: str, plan: RootPlan) -> None:
    os.mkdir(path)
    if plan.with_processes:
        linux.mount("proc", path, "proc", _QUIET | linux.NO_EXEC | linux.READ_ONLY)
        return
    # What there is of the machine, and of all its processes this one alone.
    own = f"{path}/{os.getpid()}"
    _bind(f"/proc/{os.getpid()}", own, _QUIET | linux.NO_EXEC)
    os.symlink(str(os.getpid()), f"{path}/self")
    os.symlink("self/mounts", f"{path}/mounts")
    for name in _MACHINE_FACTS:
        with contextlib.suppress(FileNotFoundError):
            _bind(f"/proc/{name}", f"{path}/{name}", linux.READ_ONLY | _QUIET | linux.NO_EXEC)


def _shown(premises: Premises, plan: RootPlan) -> list:
    """(name, real) of all that is bound, what contains others first; what is hidden is none of it."""
    real = {_plain(path): _plain(behind) for path, behind in plan.shown if os.path.exists(behind)}
    real.update((path, path) for path in (*premises.shown, *(network_settings() if plan.with_network else ())))
    hidden = {path for named in plan.hidden for path in (named, os.path.realpath(named))}
    entries: dict = {}
    waiting = outermost(real)
    while waiting:
        top = waiting.pop()
        entries[top] = real[top]
        unseen: set = set()
        # A name may be a link on the way to it, to what is hidden by another name.
        for begin in (top, os.path.realpath(real[top])):
            unseen.update(top + path[len(begin) :] for path in hidden if path == begin or path.startswith(f"{begin}/"))
        for path in sorted(unseen):
            _leave_out(plan, path, unseen, entries)
            # Whatever is shown below a hidden folder was meant to be seen.
            waiting += outermost(name for name in real if name.startswith(f"{path}/") and name not in entries)
    return [(path, entries[path]) for path in sorted(entries, key=lambda path: path.count("/"))]


def _plain(path: str) -> str:
    """What is hidden in it is told by its name: `/data/` is `/data`, and so is `//data`."""
    return "/" + os.path.normpath(path).lstrip("/")


def _leave_out(plan: RootPlan, path: str, unseen: set, entries: dict) -> None:
    above = path
    while above not in entries:
        above = os.path.dirname(above)
    if entries[above].startswith(plan.base + _SHUT):
        return
    if path == above or os.path.isdir(entries[above] + path[len(above) :]):
        entries[path] = _shut_place(plan, entries[above] + path[len(above) :])
        return
    folder = os.path.dirname(path)
    # Its folder may be still to come.
    while folder != above and not os.path.isdir(entries[above] + folder[len(above) :]):
        folder = os.path.dirname(folder)
    _open_around(plan, folder, entries[above] + folder[len(above) :], unseen, entries)


def _open_around(plan: RootPlan, folder: str, behind: str, unseen: set, entries: dict) -> None:
    """A folder with a file in it that must not be seen is shown by all else that it holds.

    Not by something on top of the file: that would come off when the file is renewed, and show the new one.
    """
    place = _place(plan)
    os.mkdir(place)
    os.chmod(place, 0o755)
    entries[folder] = place
    try:
        found = list(os.scandir(behind))
    except OSError:
        return
    if len(found) > _MOST_AROUND:
        print(f"{folder} has too much in it beside files of the server: nothing of it is shown", file=sys.stderr)
        return
    for entry in found:
        name = os.path.join(folder, entry.name)
        if name in unseen or name in entries:
            continue
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), os.path.join(place, entry.name))
        elif entry.is_dir() or entry.is_file():
            entries[name] = entry.path


def _shut_place(plan: RootPlan, path: str) -> str:
    """Something empty of the same kind that nobody may read."""
    place = _place(plan)
    if os.path.isdir(path):
        os.mkdir(place, 0o711)
    else:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o000))
    return place


def _place(plan: RootPlan) -> str:
    """The name of a new entry of the root's own that stands for one of the machine's."""
    os.makedirs(plan.base + _SHUT, mode=0o711, exist_ok=True)
    return f"{plan.base}{_SHUT}/{len(os.listdir(plan.base + _SHUT))}"


def _bind(source: str, target: str, flags: int) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o644))
    linux.mount(source, target, None, linux.BIND | linux.RECURSIVE)
    linux.restrict_mount(target, flags)


def _lay_over(root: str, plan: RootPlan) -> None:
    """The model's folder as the worker may write to it: what it writes lies in the root's own room."""
    target = root + plan.directory
    os.makedirs(target, exist_ok=True)
    upper, work = f"{root}{_OVER}/upper", f"{root}{_OVER}/work"
    os.makedirs(upper)
    os.makedirs(work)
    os.chmod(root + _OVER, 0o700)
    if plan.user is not None:
        os.chown(upper, plan.user, plan.user)
    options = f"lowerdir={_escaped(plan.directory)},upperdir={_escaped(upper)},workdir={_escaped(work)}"
    try:
        linux.mount("overlay", target, "overlay", _QUIET, options)
    except OSError:
        # Without such a file system the model is there to be read.
        _bind(plan.directory, target, linux.READ_ONLY | _QUIET)


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
