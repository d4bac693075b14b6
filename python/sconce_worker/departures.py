"""What a handler that streams hears of clients that go away meanwhile."""

import threading


class Departures:
    """After each part, names in `context.cancelled_request_ids` the requests of a batch that nobody waits for any more.

    Nothing is taken from the gateway's frames once the batch is closed, whatever threads a handler left behind.
    """

    def __init__(self, reader, context, send_parts) -> None:
        self._reader = reader
        self._context = context
        self._send_parts = send_parts
        self._lock = threading.Lock()
        self._is_open = True
        context.cancelled_request_ids = ()

    def send_parts(self, entries: list) -> None:
        self._send_parts(entries)
        with self._lock:
            if self._is_open:
                self._note(self._reader.take_cancels())

    def close(self) -> None:
        with self._lock:
            self._is_open = False

    def _note(self, request_ids: list) -> None:
        # A word on an earlier batch may come late.
        mine = set((self._context.request_ids or {}).values())
        gone = [request_id for request_id in request_ids if request_id in mine]
        if gone:
            self._context.cancelled_request_ids = (*self._context.cancelled_request_ids, *gone)
