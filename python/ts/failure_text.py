"""How a handler's failure is told to its author: in the model log, and in the answer where the server says so."""

import functools
import sysconfig
import traceback

__all__ = ["failure_text", "one_line", "request_lines", "text_of", "user_traceback"]

# The way from the worker to the handler: the same in every traceback, and nobody's to mend.
_OWN_MODULES = {"ts.service", "ts.async_service", "ts.model_loader", "ts.protocol.predict_response"}
_IMPORT_MODULES = {
    "importlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "_frozen_importlib",
    "_frozen_importlib_external",
}
# What would help against an error, in a line; the worker sets it where it knows.
advice = None
_FIRST_LINES = 80
_LAST_LINES = 120
_LINE_CHARACTERS = 1000
_IDS_A_LINE = 8


def failure_text(headline: str, told: str, request_ids=None) -> str:
    """The headline, what is told of the error, and the ids of the requests that failed; several lines."""
    return "\n".join([headline, told, *request_lines(request_ids)])


def request_lines(request_ids) -> list:
    """`request_id=A request_id=B`, eight to a line, from {index: id}: a search for an `x-request-id` finds them."""
    ids = list((request_ids or {}).values())
    chunks = [ids[at : at + _IDS_A_LINE] for at in range(0, len(ids), _IDS_A_LINE)]
    return [" ".join(f"request_id={request_id}" for request_id in chunk) for chunk in chunks]


def user_traceback(error: BaseException) -> str:
    """The traceback and its causes, from the first frame that isn't ours on; at most 200 lines of 1,000 characters.

    Never raises an Exception, whatever the error's class makes of being looked at.
    """
    return "\n".join([_traceback(error), *_advice(error)])


def _advice(error: BaseException) -> list:
    try:
        line = "" if advice is None else advice(error)
    except Exception:  # whatever the error's class does when it is looked at
        line = ""
    return [line] if line else []


def _traceback(error: BaseException) -> str:
    try:
        told = traceback.TracebackException(type(error), error, _from_the_handler_on(error.__traceback__))
        text = "".join(told.format())
    except Exception:  # an error without a text of its own is still told by its class
        text = f"{type(error).__name__} (its traceback cannot be shown)"
    return _bounded(text.rstrip("\n").split("\n"))


def one_line(error: BaseException) -> str:
    """The error as the last line of a traceback shows it, in one line of at most 1,000 characters."""
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    text = text_of(error)
    return " ".join(f"{name}: {text}".split() if text else [name])[:_LINE_CHARACTERS]


def text_of(error: BaseException) -> str:
    """The error's own text; for one whose class fails to give it, what Python's tracebacks say."""
    try:
        return str(error)
    except Exception:  # whatever a handler's class does there
        return "<exception str() failed>"


def _from_the_handler_on(frames):
    """`frames` without those that lead to the handler; all of them for an error of ours, none for one of the import."""
    at = frames
    innermost = None
    while at is not None and _leads_to_handler(_module_of(at)):
        innermost = at
        at = at.tb_next
    if at is not None or innermost is None:
        return _without_base_handler(at)
    # A missing module or a syntax error: no frame says more than the error itself.
    return None if _module_of(innermost) in _IMPORT_MODULES else frames


def _without_base_handler(frames):
    """Without BaseHandler's (and an envelope's) call of the author's own step; where it is no such call, all frames."""
    at = frames
    while at is not None and _module_of(at).startswith("ts."):
        at = at.tb_next
    return frames if at is None or _is_of_a_library(at) else at


def _is_of_a_library(at) -> bool:
    return at.tb_frame.f_code.co_filename.startswith((*_library_folders(), "<"))


@functools.cache
def _library_folders() -> tuple:
    paths = sysconfig.get_paths()
    return tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def _module_of(at) -> str:
    name = at.tb_frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


def _leads_to_handler(module: str) -> bool:
    return module in _OWN_MODULES or module in _IMPORT_MODULES or module.startswith("sconce_worker.")


def _bounded(lines: list) -> str:
    left_out = len(lines) - _FIRST_LINES - _LAST_LINES
    if left_out > 0:
        lines = [*lines[:_FIRST_LINES], f"  … {left_out} lines left out …", *lines[-_LAST_LINES:]]
    return "\n".join(line if len(line) <= _LINE_CHARACTERS else f"{line[:_LINE_CHARACTERS]} …" for line in lines)
