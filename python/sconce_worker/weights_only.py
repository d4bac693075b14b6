"""Tells, without unpickling, what `torch.load` would refuse in a file of weights."""

import pickletools
import re
import sys
import zipfile

_MAX_PICKLE_BYTES = 64 * 1024 * 1024
_MAX_NAMES = 5
# What a file of tensors consists of. Newer releases of torch allow a little more, none of them less.
_HARMLESS = re.compile(
    r"collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(bytearray|set|complex)"
    r"|torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2"
    r"|torch(\.cuda|\.sparse)*\.\w*(Storage|Tensor)"
    r"|torch\.(Size|device|dtype|storage\.\w+|serialization\._get_layout|nn\.parameter\.\w+)"
    r"|torch\.(bool|half|double|short|long|(b|q|qu|u|)(float|int|complex|bits)\w*|per_\w+)"
    r"|torch\.(distributed|jit\._pickle)\.\S+"
)
_STRINGS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE")
_MEMO_WRITES = ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT")
_MEMO_READS = ("GET", "BINGET", "LONG_BINGET")


def refused_globals(path: str) -> list:
    """Up to five names that `weights_only` refuses in a file of `torch.save`; none for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickles = [name for name in names if name.endswith("/data.pkl")]
            if len(pickles) != 1 or any(name.endswith("/constants.pkl") for name in names):
                return []
            if archive.getinfo(pickles[0]).file_size > _MAX_PICKLE_BYTES:
                return []
            content = archive.read(pickles[0])
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return []
    try:
        found = sorted(name for name in _named_globals(content) if not _is_allowed(name))
    except ValueError:
        return []
    return found[:_MAX_NAMES]


def _is_allowed(name: str) -> bool:
    if _HARMLESS.fullmatch(name):
        return True
    # Where torch is here already, its own word counts as well.
    unpickler = sys.modules.get("torch._weights_only_unpickler")
    allowed = getattr(unpickler, "_get_allowed_globals", dict)
    try:
        return name in allowed()
    except Exception:  # nothing of torch's that is private is sure to stay as it is
        return False


def _named_globals(content: bytes) -> set:
    """The names that the opcodes import. Strings are followed through the memo, as far as names need it."""
    found = set()
    strings: list = []
    memo: dict = {}
    last = None
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name == "GLOBAL":
            found.add(argument.replace(" ", "."))
        elif name == "STACK_GLOBAL" and len(strings) >= 2:
            found.add(".".join(strings[-2:]))
        if name in _STRINGS:
            last = argument
            strings.append(argument)
        elif name in _MEMO_WRITES:
            memo[len(memo) if argument is None else argument] = last
        elif name in _MEMO_READS:
            last = memo.get(argument)
            if last is not None:
                strings.append(last)
        else:
            last = None
    return found
