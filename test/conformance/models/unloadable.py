"""Fails when it is loaded."""


def handle(data, context):
    raise RuntimeError("asked to fail at load")
