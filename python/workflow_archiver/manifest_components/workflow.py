"""The `workflow` entry of a manifest."""

import json
import os


class Workflow:
    """Names the workflow, its specification and the file of its functions, if it has any."""

    def __init__(self, workflow_name, spec_file, handler):
        self.workflow_name = workflow_name
        self.spec_file = os.path.basename(spec_file)
        self.handler = os.path.basename(handler) if handler else None
        self.workflow_dict = self.__to_dict__()

    def __to_dict__(self):
        named = {"workflowName": self.workflow_name, "specFile": self.spec_file}
        return {**named, "handler": self.handler} if self.handler else named

    def __str__(self):
        return json.dumps(self.workflow_dict)

    __repr__ = __str__
