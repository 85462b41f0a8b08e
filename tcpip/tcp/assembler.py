"""What came out of order, until the gap before it is filled (RFC 9293 §3.10.7.4; RFC 2018 §4).

The first octets to come win: a segment that overlaps what is here already
adds its other octets only, so that nobody can change data behind the back of
a checker that saw the first copy.
"""

from __future__ import annotations

from collections.abc import MutableSequence

SMALL = 1024


def append_chunk(chunks: MutableSequence[bytes], data: bytes) -> None:
    """Add to a list of chunks; small ones are joined, so that single octets cost no object each."""
    if chunks and len(chunks[-1]) + len(data) <= SMALL:
        chunks[-1] += data
    else:
        chunks.append(data)


class _Range:
    __slots__ = ("chunks", "end", "start")

    def __init__(self, start: int, data: bytes) -> None:
        self.start = start
        self.end = start + len(data)
        self.chunks = [data]


class Assembler:
    """Ranges in ascending order that neither overlap nor touch; bounded by count and by the window."""

    __slots__ = ("_limit", "_ranges", "_recent", "octets")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ranges: list[_Range] = []
        self._recent: list[_Range] = []
        self.octets = 0

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def clear(self) -> None:
        self._ranges.clear()
        self._recent.clear()
        self.octets = 0

    def add(self, start: int, payload: memoryview) -> None:
        """Copy the octets that are news; more ranges than the limit are dropped, and the peer sends again."""
        ranges = self._ranges
        end = start + len(payload)
        at, index = start, self._first_ending_after(start)
        touched: _Range | None = None
        while at < end:
            following = ranges[index] if index < len(ranges) else None
            stop = end if following is None else min(end, following.start)
            if stop > at:
                filled = self._fill(index, at, bytes(payload[at - start : stop - start]))
                if filled is None:
                    return
                index, touched = filled
                at = touched.end
            else:
                assert following is not None
                touched = following
                at = following.end
            index += 1
        if touched is not None:
            self._note_recent(touched)

    def take(self, sequence: int) -> list[bytes]:
        """Remove and return the chunks that begin at `sequence`, which has just been reached."""
        if not self._ranges or self._ranges[0].start > sequence:
            return []
        first = self._ranges.pop(0)
        if first in self._recent:
            self._recent.remove(first)
        self.octets -= first.end - first.start
        if first.end <= sequence:
            return self.take(sequence)
        return _drop_front(first.chunks, sequence - first.start)

    def sack_blocks(self) -> list[tuple[int, int]]:
        """At most four blocks, the one that came last first (RFC 2018 §4); numbers unwrapped."""
        blocks = [(r.start, r.end) for r in self._recent]
        for r in reversed(self._ranges[-4:]):
            if len(blocks) < 4 and r not in self._recent:
                blocks.append((r.start, r.end))
        return blocks

    def _first_ending_after(self, sequence: int) -> int:
        index = len(self._ranges)
        while index and self._ranges[index - 1].end > sequence:  # arrivals are near the end
            index -= 1
        return index

    def _fill(self, index: int, start: int, data: bytes) -> tuple[int, _Range] | None:
        """Put octets that overlap nothing before range `index`; join them with what they touch."""
        ranges = self._ranges
        left = ranges[index - 1] if index else None
        if left is not None and left.end == start:
            append_chunk(left.chunks, data)
            left.end += len(data)
            index -= 1
        elif len(ranges) < self._limit:
            left = _Range(start, data)
            ranges.insert(index, left)
        else:
            return None
        self.octets += len(data)
        if index + 1 < len(ranges) and ranges[index + 1].start == left.end:
            right = ranges.pop(index + 1)
            left.chunks += right.chunks
            left.end = right.end
            if right in self._recent:
                self._recent.remove(right)
        return index, left

    def _note_recent(self, touched: _Range) -> None:
        if touched in self._recent:
            self._recent.remove(touched)
        self._recent.insert(0, touched)
        del self._recent[4:]


def _drop_front(chunks: list[bytes], octets: int) -> list[bytes]:
    while octets and octets >= len(chunks[0]):
        octets -= len(chunks.pop(0))
    if octets:
        chunks[0] = chunks[0][octets:]
    return chunks
