"""What was given to `send` and is not acknowledged: pieces by reference, addressed by sequence number."""

from __future__ import annotations

from bisect import bisect_right

Buffer = bytes | bytearray | memoryview

SMALL = 4096
"""Pieces below this are joined by copying, so that a writer of single octets costs no list of them."""


class SendBuffer:
    """Octets `start` to `end` of the stream, in pieces that are sliced and never joined."""

    __slots__ = ("_pieces", "_starts", "end", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self._pieces: list[Buffer] = []
        self._starts: list[int] = []

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, data: Buffer) -> None:
        """Keep `data` (octets, one each); nobody changes it any more."""
        size = len(data)
        if size < SMALL and self._pieces and len(self._pieces[-1]) < SMALL:
            self._pieces[-1] = b"".join((self._pieces[-1], data))
        else:
            self._starts.append(self.end)
            self._pieces.append(data if isinstance(data, bytes) else memoryview(data))
        self.end += size

    def acknowledge(self, sequence: int) -> None:
        """Let go of what lies before `sequence`."""
        sequence = min(sequence, self.end)
        if sequence <= self.start:
            return
        self.start = sequence
        starts = self._starts
        gone = len(starts) if sequence == self.end else bisect_right(starts, sequence) - 1
        if gone:
            del starts[:gone]
            del self._pieces[:gone]

    def slices(self, start: int, end: int) -> tuple[Buffer, ...]:
        """Views of the octets from `start` up to `end`, which lie in the buffer."""
        assert self.start <= start < end <= self.end
        starts, pieces = self._starts, self._pieces
        index = bisect_right(starts, start) - 1
        out: list[Buffer] = []
        while start < end:
            piece, base = pieces[index], starts[index]
            stop = min(end, base + len(piece))
            out.append(piece if stop - start == len(piece) else memoryview(piece)[start - base : stop - base])
            start = stop
            index += 1
        return tuple(out)
