"""The sandbox of a worker: what it may use, what this machine can hold it to, and the steps into it, in their order.

Nothing of an archive is read before the last step. What can't be held is told, by name and reason, in the worker's
first frame: at the level `standard` the worker goes on, at `strict` it ends.
"""

import errno
import os
import resource
import select
import shutil
import sys
from typing import NamedTuple, Optional, Union

from sconce_worker import landlock, linux, new_root, premises, seccomp, self_test
from sconce_worker.namespaces import RootNamespaces, UserNamespaces

# What `held` in a report can name.
PROTECTIONS = (
    "user",
    "privileges",
    "calls",
    "files",
    "writes",
    "room",
    "network",
    "exec",
    "signals",
    "processes",
)
_LINK_ABOVE_BYTES = 64 << 20
_MOST_DESCRIPTORS = 1 << 16
_READ_WITHOUT_ROOT = ("/proc", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf")
_ROOMS = ("/tmp", "/var/tmp", "/dev/shm", new_root.HOME)


class Wish(NamedTuple):
    """How the gateway wants a worker enclosed."""

    level: str = "standard"
    # A user that no other process has; None: the server's.
    user: Optional[int] = None
    network: bool = False
    exec: bool = False
    # The worker is torchrun with its ranks, which talk over a loopback of their own.
    ranks: bool = False
    # The model's folder; with a `scratch`, it is copied there.
    model: str = ""
    # (name, what lies behind it), read-only.
    shown: tuple = ()
    # Folders that are really written to.
    written: tuple = ()
    devices: tuple = ()
    # Never seen, should it lie in something that is.
    hidden: tuple = ()
    # What all that it writes may take.
    roomBytes: int = 1 << 30
    # The path of a program that the worker becomes, and of no other; "" for Python.
    program: str = ""
    # A folder of this worker alone, where it can't have a root of its own.
    scratch: Optional[str] = None

    @property
    def calls(self) -> seccomp.Calls:
        return seccomp.Calls(exec=self.exec, network=self.network)


class Report(NamedTuple):
    """What holds around a worker."""

    held: list
    # Why, by the name of the protection.
    missing: dict


class Enclosures:
    """What a parent knows of its machine: how its workers are enclosed. State: settled by `begin` and `survey`."""

    def __init__(self, run_directory: str) -> None:
        self._base = os.path.join(run_directory, "root")
        self._canary = os.path.join(run_directory, "canary")
        self._run_directory = run_directory
        self._pid = os.getpid()
        self._alive = _pidfd_of_this_process()
        self._premises = premises.Premises((), (), ())
        self._own_folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self._namespaces: Optional[Union[RootNamespaces, UserNamespaces]] = None
        self._landlock = landlock.version()
        self._why_no_namespaces = ""
        self._why_no_user = ""
        # In an enclosed child: the descriptor of the program that it is to become.
        self.program = -1

    @property
    def gives_own_root(self) -> bool:
        return self._namespaces is not None

    def begin(self) -> None:
        """Finds out, by trying, which namespaces there are. Before an import starts a thread."""
        os.makedirs(self._base, mode=0o755, exist_ok=True)
        with open(self._canary, "w", encoding="ascii") as file:
            file.write("Whoever can read this can read the server's files.\n")
        os.chmod(self._canary, 0o644)
        failure = errno.EPERM
        for kind in (RootNamespaces, UserNamespaces):
            failure = _outcome_in_child(lambda kind=kind: self._rehearse(kind()))
            if failure == 0:
                self._namespaces = kind()
                return
        self._why_no_namespaces = f"this machine gives no namespaces ({os.strerror(failure)})"
        if os.geteuid() == 0:
            # Workers of another user find their models there; names that nobody can list keep everybody else out.
            models = os.path.join(self._run_directory, "models")
            os.makedirs(models, exist_ok=True)
            for folder in (self._run_directory, models):
                os.chmod(folder, 0o711)

    def survey(self, search_path: list) -> None:
        """After all imports: what every worker needs to see."""
        self._premises = premises.survey(search_path)
        self._why_no_user = self._why_not_another_user()
        for calls in ((False, False), (True, False), (False, True), (True, True)):
            # Kept: a forked child finds them made.
            seccomp.program(seccomp.Calls(*calls))

    @property
    def helpers(self) -> list:
        """Processes of the parent's that are no workers."""
        return [] if self._namespaces is None else list(self._namespaces.helpers)

    def fork(self) -> int:
        """As os.fork, into a process namespace where workers get one."""
        return os.fork() if self._namespaces is None else self._namespaces.fork()

    def forked(self) -> None:
        """In the parent, once the gateway has heard of the child: gets ready for the next one."""
        if self._namespaces is not None:
            self._namespaces.forked()

    def ended(self, pid: int) -> None:
        """In the parent: a worker has ended, and with it ends what it left."""
        if self._namespaces is not None:
            self._namespaces.ended(pid)

    def enter(self, wish: Wish, directory: str, kept) -> Report:
        """In the forked child: encloses it. `directory` is the model's, `kept` the descriptors that stay open.

        OSError where a step fails half-way: the process must end.
        """
        missing: dict = {}
        user = self._user_of(wish, directory, missing)
        if self._namespaces is None:
            missing.update(dict.fromkeys(("room", "processes"), self._why_no_namespaces))
            if wish.scratch is not None:
                _copy_model(wish.model, directory)
                if user is not None:
                    _give(wish.scratch, user)
        else:
            if not self._namespaces.gives_processes:
                missing["processes"] = "the server doesn't run as root"
            self._namespaces.separate(wish.network)
            if wish.ranks and not wish.network:
                linux.raise_loopback()
            new_root.build(self._premises, self._root_plan(wish, directory, user))
        linux.close_all_but([*kept, *([] if self._alive is None else [self._alive])])
        if wish.program:
            self.program = _opened_out_of_reach(wish.program)
        _become(user)
        linux.gain_no_privileges()
        self._stay_bound()
        linux.hide_from_equals()
        if wish.written:
            # The next worker is another user, and is to go on with what this one wrote.
            os.umask(0)
        self._restrict_files(wish, directory, missing)
        self._restrict_calls(wish, missing)
        for name, why in self_test.failures(wish, self._canary, self._pid, self._own_folder).items():
            missing[name] = missing.get(name, why)
        if wish.ranks and self._namespaces is None and not wish.network:
            missing["network"] = f"the ranks need a loopback interface, and {self._why_no_namespaces}"
        granted = {name for name in ("network", "exec") if getattr(wish, name)}
        return Report([name for name in PROTECTIONS if name not in missing and name not in granted], missing)

    def environment(self, wish: Wish) -> dict:
        """What a worker's environment says of its own room."""
        home = new_root.HOME if self.gives_own_root else (wish.scratch or "/nonexistent")
        room = {} if self.gives_own_root else {"TMPDIR": home}
        return {"HOME": home, "USER": "worker", "LOGNAME": "worker", **room}

    def _rehearse(self, namespaces: Union[RootNamespaces, UserNamespaces]) -> None:
        pid = namespaces.fork()
        if pid == 0:
            _leave_with(lambda: self._rehearse_root(namespaces))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != 0:
            raise OSError(max(code, 1), os.strerror(max(code, 1)))

    def _rehearse_root(self, namespaces: Union[RootNamespaces, UserNamespaces]) -> None:
        namespaces.separate(with_network=False)
        usual = premises.Premises((), (), ("/dev/null",))
        plan = new_root.RootPlan(self._base, 1 << 20, self._own_folder, with_processes=namespaces.gives_processes)
        new_root.build(usual, plan)

    def _why_not_another_user(self) -> str:
        if os.getuid() != 0:
            return "the server doesn't run as root"
        failure = _outcome_in_child(lambda: _become(1))
        if failure != 0:
            return f"this machine gives no other user ({os.strerror(failure)})"
        essentials = [path for path in self._premises.shown if not path.startswith(("/usr", "/lib", "/sys", "/etc"))]
        closed = premises.closed_to_others(essentials, with_way=not self.gives_own_root)
        return f"{closed} can't be read by other users" if closed else ""

    def _user_of(self, wish: Wish, directory: str, missing: dict) -> Optional[int]:
        with_way = not self.gives_own_root
        why = self._why_no_user or ("" if wish.user is not None else "the server gives none")
        if not why:
            read = [wish.model or directory, *(real for _, real in wish.shown)]
            closed = premises.closed_to_others(read, with_way=with_way)
            why = f"{closed} can't be read by other users" if closed else ""
        if why:
            missing["user"] = why
            return None
        # Never as the server's user for that: what root writes on behalf of a model may be a program that runs as root.
        closed = premises.closed_to_others(wish.written, with_way=with_way, writable=True)
        if closed:
            print(f"{closed} is granted for writing, but only its owner may write there: chmod o+rwx", file=sys.stderr)
        return wish.user

    def _root_plan(self, wish: Wish, directory: str, user: Optional[int]) -> new_root.RootPlan:
        return new_root.RootPlan(
            base=self._base,
            room_bytes=wish.roomBytes,
            directory=directory,
            shown=wish.shown,
            written=wish.written,
            devices=wish.devices,
            hidden=wish.hidden,
            with_network=wish.network,
            with_processes=self._namespaces.gives_processes,
            user=user,
        )

    def _stay_bound(self) -> None:
        """Dies with the parent; the kernel forgets that when the user changes."""
        linux.die_with_parent()
        if self._alive is None:
            return
        if select.select([self._alive], [], [], 0)[0]:
            os._exit(1)
        os.close(self._alive)

    def _restrict_files(self, wish: Wish, directory: str, missing: dict) -> None:
        if self._landlock == 0:
            return
        written = [*wish.written, *self._premises.devices, *wish.devices]
        if self.gives_own_root:
            read, written = ["/"], [*written, *_ROOMS, directory]
        else:
            read = [*self._premises.shown, *_READ_WITHOUT_ROOT, wish.model, *(real for _, real in wish.shown)]
            written += [] if wish.scratch is None else [wish.scratch]
            read += premises.network_settings() if wish.network else []
        try:
            rules = landlock.Rules(self._landlock, network=wish.network or wish.ranks)
            for path in read:
                rules.read(path)
            for path in written:
                rules.write(path)
            rules.apply()
        except OSError as error:
            missing["files"] = f"Landlock: {error.strerror}"

    def _restrict_calls(self, wish: Wish, missing: dict) -> None:
        calls = seccomp.Calls(exec=True, network=True) if wish.ranks else wish.calls._replace(program=self.program)
        try:
            seccomp.apply(seccomp.program(calls))
        except OSError as error:
            missing["calls"] = f"seccomp: {error.strerror}"


def _opened_out_of_reach(program: str) -> int:
    """A descriptor that closes when the program starts, by a number that the process can't have again."""
    opened = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = min(hard, _MOST_DESCRIPTORS) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, last + 1))
    os.dup2(opened, last, inheritable=False)
    os.close(opened)
    resource.setrlimit(resource.RLIMIT_NOFILE, (last, last))
    return last


def _become(user: Optional[int]) -> None:
    """Another user without any rights; or the same one without capabilities."""
    if user is None:
        linux.drop_capabilities()
        return
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _copy_model(source: str, target: str) -> None:
    """The worker's own copy, to write to; what is large is there by a link."""
    for path, folders, files in os.walk(source):
        place = os.path.join(target, os.path.relpath(path, source))
        os.makedirs(place, exist_ok=True)
        for name in [*files, *(folder for folder in folders if os.path.islink(os.path.join(path, folder)))]:
            found = os.path.join(path, name)
            if os.path.islink(found) or os.path.getsize(found) > _LINK_ABOVE_BYTES:
                os.symlink(os.path.realpath(found), os.path.join(place, name))
            else:
                shutil.copyfile(found, os.path.join(place, name))


def _give(folder: str, user: int) -> None:
    for path, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(os.path.join(path, name), user, user, follow_symlinks=False)


def _pidfd_of_this_process() -> Optional[int]:
    try:
        return os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return None


def _outcome_in_child(act) -> int:
    """0, or the number of the OSError that `act` raised in a process of its own."""
    pid = os.fork()
    if pid == 0:
        _leave_with(act)
    status = os.waitpid(pid, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EINTR


def _leave_with(act) -> None:
    code = errno.EIO
    try:
        act()
        code = 0
    except OSError as error:
        code = error.errno or errno.EIO
    finally:
        os._exit(code)
