"""The `model` entry of a manifest."""

import json
import os


def _base(path):
    return os.path.basename(path) if path else None


class Model:
    """Names the model and the files of the archive that make it. What is absent is left out of the manifest."""

    def __init__(
        self,
        model_name,
        serialized_file,
        handler,
        model_file=None,
        model_version=None,
        extensions=None,
        requirements_file=None,
        config_file=None,
    ):
        self.model_name = model_name
        self.serialized_file = _base(serialized_file)
        self.model_file = model_file
        self.model_version = model_version
        self.extensions = extensions
        self.handler = os.path.basename(handler)
        self.requirements_file = requirements_file
        self.config_file = _base(config_file)
        self.model_dict = self.__to_dict__()

    def __to_dict__(self):
        entries = {
            "serializedFile": self.serialized_file,
            "handler": self.handler,
            "modelFile": _base(self.model_file),
            "modelVersion": self.model_version,
            "extensions": self.extensions,
            "requirementsFile": _base(self.requirements_file),
            "configFile": self.config_file,
        }
        return {"modelName": self.model_name, **{key: value for key, value in entries.items() if value}}

    def __str__(self):
        return json.dumps(self.model_dict)

    __repr__ = __str__
