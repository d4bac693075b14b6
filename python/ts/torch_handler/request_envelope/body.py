"""Gives the handler the requests' bodies alone."""

from ts.torch_handler.request_envelope.base import BaseEnvelope


class BodyEnvelope(BaseEnvelope):
    """The handler gets a list of `data` or `body` values; its results pass as they are."""

    def parse_input(self, data):
        return [row.get("data") or row.get("body") for row in data]

    def format_output(self, data):
        return data
