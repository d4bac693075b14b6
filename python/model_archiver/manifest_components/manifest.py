"""MAR-INF/MANIFEST.json as a whole."""

import json
from enum import Enum

from model_archiver import __version__
from model_archiver.creation_time import created_on


class RuntimeType(Enum):
    """What runs the handler."""

    PYTHON = "python"
    PYTHON3 = "python3"
    LSP = "LSP"


class Manifest:
    """The manifest of a model archive; its text form is what is written. Raises ValueError for an unknown runtime."""

    def __init__(self, runtime, model):
        self.creation_time = created_on()
        self.runtime = RuntimeType(runtime)
        self.model = model
        self.archiver_version = __version__
        self.manifest_dict = self.__to_dict__()

    def __to_dict__(self):
        return {
            "createdOn": self.creation_time,
            "runtime": self.runtime.value,
            "model": self.model.__to_dict__(),
            "archiverVersion": self.archiver_version,
        }

    def __str__(self):
        return json.dumps(self.manifest_dict, indent=2)

    __repr__ = __str__
