"""What comes first in a workflow and what comes last; each notes that it was here."""

import json


def pre(data, context):
    if data is None:
        return None
    return [json.dumps({**wish_of(data[0]["body"]), "trail": ["pre"]})]


def post(data, context):
    if data is None:
        return None
    return [json.dumps({"post of": {name: wish_of(value)["trail"] for name, value in sorted(data[0].items())}})]


def wish_of(value):
    return value if isinstance(value, dict) else json.loads(bytes(value))
