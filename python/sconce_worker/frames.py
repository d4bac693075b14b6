"""The wire between gateway and worker: frames of u32 length, u8 type and payload; every number is little endian.

The length counts type and payload. A text is a u32 length and UTF-8; bytes are a u32 length and the bytes. The
gateway's side is `src/backends/python/frames.ts`; `test/contract/frame-vectors.json` binds both.
"""

import json
import select
import struct
from collections import deque
from typing import Optional

# Gateway to worker.
LOAD = 0x01
BATCH = 0x02
STOP = 0x03
CANCEL = 0x04
# Worker to gateway.
HELLO = 0x81
LOADED = 0x82
PARTS = 0x83
BATCH_ERROR = 0x84
BATCH_DONE = 0x85

_HEAD = struct.Struct("<IB")
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_BATCH_HEAD = struct.Struct("<IH")
_PARTS_HEAD = struct.Struct("<IBIH")
_PART_HEAD = struct.Struct("<HBH")
_ERROR_HEAD = struct.Struct("<IH")

_U32_MAX = 0xFFFFFFFF
_ROOM_BYTES = 256 * 1024


class FrameError(Exception):
    """Bytes that are no frame."""


class FrameReader:
    """Reads frames from a socket into one buffer, which grows to a long frame and shrinks back afterwards.

    A payload is a view of that buffer: it is valid until the next `fill`.
    """

    def __init__(self, connection) -> None:
        self._connection = connection
        self._start = 0
        self._end = 0
        self._wanted = 0
        self._poll = None
        self._held: deque = deque()
        self._use(bytearray(_ROOM_BYTES))

    def _use(self, buffer: bytearray) -> None:
        self._buffer = buffer
        self._view = memoryview(buffer)

    def take(self) -> Optional[tuple]:
        """The next frame that lies ready, as (type, payload), or None. Never waits."""
        return self._held.popleft() if self._held else self._parsed()

    def take_cancels(self) -> list:
        """The request ids of CANCEL frames that have come by now; other frames stay for `take`. Never waits."""
        request_ids: list = []
        while True:
            frame = self._parsed()
            if frame is None:
                if not self.wait(0) or not self.fill():
                    return request_ids
            elif frame[0] == CANCEL:
                request_ids += decode_cancel(frame[1])
            else:
                # At most the batches that the gateway sends ahead.
                self._held.append((frame[0], bytes(frame[1])))

    def _parsed(self) -> Optional[tuple]:
        available = self._end - self._start
        if available < 5:
            self._wanted = 5
            return None
        length, kind = _HEAD.unpack_from(self._buffer, self._start)
        if length < 1:
            raise FrameError("a frame without a type")
        if available < 4 + length:
            self._wanted = 4 + length
            return None
        payload = self._view[self._start + 5 : self._start + 4 + length]
        self._start += 4 + length
        return kind, payload

    def wait(self, milliseconds: int) -> bool:
        """Waits that long at most; True when there is something to `fill` with, if only the end of the connection."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._connection, select.POLLIN)
        return bool(self._poll.poll(milliseconds))

    def fill(self) -> bool:
        """Waits for bytes from the gateway; False when it has closed the connection."""
        self._make_room()
        try:
            count = self._connection.recv_into(self._view[self._end :])
        except ConnectionError:
            return False
        self._end += count
        return count > 0

    def _make_room(self) -> None:
        pending = self._end - self._start
        wanted = max(self._wanted, pending + 1)
        size = len(self._buffer)
        if wanted > size:
            grown = bytearray(wanted)
            grown[:pending] = self._view[self._start : self._end]
            self._use(grown)
        elif size > _ROOM_BYTES >= wanted:
            small = bytearray(_ROOM_BYTES)
            small[:pending] = self._view[self._start : self._end]
            self._use(small)
        elif pending == 0:
            pass
        elif self._start + wanted > size or self._end == size:
            self._buffer[:pending] = self._buffer[self._start : self._end]
        else:
            return
        self._start = 0
        self._end = pending


def decode_load(payload) -> dict:
    return json.loads(str(payload, "utf-8"))


def decode_batch(payload) -> tuple:
    """Gives (batch id, requests); the values of parameters are views of `payload`."""
    try:
        batch_id, count = _BATCH_HEAD.unpack_from(payload, 0)
        at = _BATCH_HEAD.size
        requests = []
        for _ in range(count):
            request_id, at = _text(payload, at)
            (header_count,) = _U16.unpack_from(payload, at)
            at += 2
            headers = []
            for _ in range(header_count):
                name, at = _text(payload, at)
                value, at = _text(payload, at)
                headers.append((name, value))
            (parameter_count,) = _U16.unpack_from(payload, at)
            at += 2
            parameters = []
            for _ in range(parameter_count):
                name, at = _text(payload, at)
                content_type, at = _text(payload, at)
                end = at + 4 + _U32.unpack_from(payload, at)[0]
                parameters.append((name, content_type, payload[at + 4 : end]))
                at = end
            requests.append({"requestId": request_id, "headers": headers, "parameters": parameters})
    except (struct.error, UnicodeDecodeError) as error:
        raise FrameError(f"a broken batch: {error}") from error
    # A text or value cut short leaves `at` beyond the end.
    if at != len(payload):
        raise FrameError("a batch of another length than its parts")
    return batch_id, requests


def decode_cancel(payload) -> list:
    """The ids of requests that nobody waits for any more."""
    request_ids = []
    try:
        (count,) = _U16.unpack_from(payload, 0)
        at = 2
        for _ in range(count):
            request_id, at = _text(payload, at)
            request_ids.append(request_id)
    except (struct.error, UnicodeDecodeError) as error:
        raise FrameError(f"a broken list of requests: {error}") from error
    if at != len(payload):
        raise FrameError("a list of another length than its requests")
    return request_ids


def _text(payload, at: int) -> tuple:
    end = at + 4 + _U32.unpack_from(payload, at)[0]
    return str(payload[at + 4 : end], "utf-8"), end


def encode_hello(pid: int, python: str, report: Optional[dict] = None) -> bytes:
    """`report`: what the worker's enclosure holds, where it has one."""
    told = {} if report is None else {"sandbox": report}
    return _json_frame(HELLO, {"pid": pid, "python": python, **told})


def encode_loaded(code: int, message: str, last_line: str, traceback: str = "") -> bytes:
    told = {"traceback": traceback} if traceback else {}
    return _json_frame(LOADED, {"code": code, "message": message, "lastLine": last_line, **told})


def _json_frame(kind: int, value: dict) -> bytes:
    text = json.dumps(value).encode("utf-8")
    return _HEAD.pack(1 + len(text), kind) + text


def encode_parts(batch_id: int, is_final: bool, handler_micros: int, parts: list) -> bytes:
    """One PARTS frame; a part is (index, is last of its request, status, phrase, headers as dict, body)."""
    pieces = [b"", _PARTS_HEAD.pack(batch_id, is_final, min(handler_micros, _U32_MAX), len(parts))]
    for index, is_last, status, phrase, headers, body in parts:
        pieces.append(_PART_HEAD.pack(index, is_last, status))
        _add_text(pieces, phrase)
        pieces.append(_U16.pack(len(headers)))
        for name, value in headers.items():
            _add_text(pieces, name)
            _add_text(pieces, value)
        pieces.append(_U32.pack(len(body)))
        pieces.append(body)
    return _frame(PARTS, pieces)


def encode_batch_error(batch_id: int, code: int, message: str, handler_micros: int) -> bytes:
    pieces = [b"", _ERROR_HEAD.pack(batch_id, code)]
    _add_text(pieces, message)
    pieces.append(_U32.pack(min(handler_micros, _U32_MAX)))
    return _frame(BATCH_ERROR, pieces)


def encode_batch_done(batch_id: int) -> bytes:
    """What a rank that doesn't answer says when it has computed a batch."""
    return _HEAD.pack(1 + _U32.size, BATCH_DONE) + _U32.pack(batch_id)


def _add_text(pieces: list, text: str) -> None:
    encoded = text.encode("utf-8", "replace")
    pieces.append(_U32.pack(len(encoded)))
    pieces.append(encoded)


def _frame(kind: int, pieces: list) -> bytes:
    pieces[0] = _HEAD.pack(1 + sum(map(len, pieces)), kind)
    return b"".join(pieces)
