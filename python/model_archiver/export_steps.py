"""What both archivers refuse, and what they tell of an archive that can't be written.

`kind` is what messages call the thing, model or workflow; `refusal` is the class of the archiver's own error.
"""

import logging
import os
import re
from contextlib import contextmanager

_NAME = r"[A-Za-z0-9][A-Za-z0-9_\-.]*"


def check_name(name: str, kind: str, refusal: type) -> None:
    """Raises `refusal` for a name that can't be a file's everywhere."""
    if not re.fullmatch(_NAME, name):
        raise refusal(
            f"{kind.capitalize()} name contains special characters.\n"
            f"The allowed regular expression filter for {kind} name is: ^{_NAME}$"
        )


def check_export_folder(export_path: str, refusal: type) -> None:
    """Raises `refusal` for what is no folder."""
    if not os.path.isdir(os.path.abspath(export_path)):
        raise refusal(f"Given export-path {export_path} is not a directory. Point to a valid export-path directory.")


def check_may_be_written(file: str, overwrite: bool, kind: str, refusal: type) -> None:
    """Raises `refusal` for an archive that is there, or with `overwrite` warns of it."""
    if not os.path.exists(file):
        return
    if not overwrite:
        raise refusal(
            f"{file} already exists.\n"
            f"Please specify --force/-f option to overwrite the {kind} archive output file.\n"
            "See -h/--help for more details."
        )
    logging.warning("Overwriting %s ...", file)


@contextmanager
def failure_told(folder: str, name: str, kind: str):
    """Logs that the archive `name` can't be written into `folder`, when that is so, and lets the error pass."""
    try:
        yield
    except OSError:
        logging.error(
            'Failed to save the %s-archive to %s-path "%s". Check the file permissions and retry.', kind, kind, folder
        )
        raise
    except Exception:
        logging.error("Failed to convert %s to the %s-archive.", name, kind)
        raise


def is_wanted_file(name: str, excluded: set, suffix: str) -> bool:
    """Whether a file of this name is one that users mean to pack; `suffix` is that of archives."""
    return name not in excluded and not name.endswith((".pyc", ".DS_Store", suffix))
