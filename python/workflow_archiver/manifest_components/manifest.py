"""WAR-INF/MANIFEST.json as a whole."""

import json

from model_archiver.creation_time import created_on
from workflow_archiver import __version__


class Manifest:
    """The manifest of a workflow archive; its text form is what is written."""

    def __init__(self, workflow):
        self.creation_time = created_on()
        self.workflow = workflow
        self.archiver_version = __version__
        self.manifest_dict = self.__to_dict__()

    def __to_dict__(self):
        return {
            "createdOn": self.creation_time,
            "workflow": self.workflow.__to_dict__(),
            "archiverVersion": self.archiver_version,
        }

    def __str__(self):
        return json.dumps(self.manifest_dict, indent=2)

    __repr__ = __str__
