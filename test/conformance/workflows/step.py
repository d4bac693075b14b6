"""A node of a workflow: does what the request asks of it by its name, and notes that it was here."""

import json


class StepHandler:
    def initialize(self, context):
        self.node = context.model_name.rsplit("__", 1)[-1]

    def handle(self, data, context):
        return [self.step(row["body"]) for row in data]

    def step(self, body):
        wish = body if isinstance(body, dict) else json.loads(bytes(body))
        do = wish.get(self.node, "")
        if do == "raise":
            raise ValueError("asked to")
        if do == "list":
            return "[1]"
        return json.dumps({**wish, "trail": [*wish.get("trail", []), self.node]})
