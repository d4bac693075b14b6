"""What becomes of a batch on a rank other than the first: it computes, and only says that it has done so."""

import logging

from sconce_worker import frames


class SilentAnswer:
    """Stands in for a BatchAnswer on a rank whose results nobody reads."""

    __slots__ = ("_batch_id", "_rank", "_send")

    def __init__(self, rank: int, send, batch_id: int) -> None:
        self._rank = rank
        self._send = send
        self._batch_id = batch_id

    def send_parts(self, entries: list) -> None:
        """Drops intermediate answers."""

    def end(self, result) -> None:
        """Says that the batch is over, whatever its outcome: the first rank has its own."""
        logging.info("skip sending response at rank %d", self._rank)
        self._send(frames.encode_batch_done(self._batch_id))
