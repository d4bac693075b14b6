"""For the makers: where they are and where what they make goes."""

import json
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = pathlib.Path(os.environ["SCONCE_MADE_FOLDER"])


def json_file(name: str, value) -> None:
    (FOLDER / name).write_text(json.dumps(value))
