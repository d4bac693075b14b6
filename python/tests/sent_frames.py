"""What a worker sends, decoded as the gateway decodes it."""

import struct


class Wire:
    """Keeps what is sent, as (type, batch id, final or code, [(index, last, status)])."""

    def __init__(self):
        self.frames = []

    def __call__(self, frame):
        kind = frame[4]
        if kind == 0x84:
            self.frames.append((kind, *struct.unpack_from("<IH", frame, 5)))
            return
        batch_id, is_final, _, count = struct.unpack_from("<IBIH", frame, 5)
        at = 16
        parts = []
        for _ in range(count):
            parts.append(struct.unpack_from("<HBH", frame, at))
            at += 5 + 4 + struct.unpack_from("<I", frame, at + 5)[0]
            headers = struct.unpack_from("<H", frame, at)[0]
            at += 2
            for _ in range(2 * headers + 1):
                at += 4 + struct.unpack_from("<I", frame, at)[0]
        assert at == len(frame)
        self.frames.append((kind, batch_id, is_final, parts))

    def lasts(self):
        """Of each frame of parts, which of them are the last of their requests."""
        return [[bool(is_last) for _, is_last, _ in parts] for *_, parts in self.frames]
