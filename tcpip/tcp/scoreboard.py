"""What the peer says it has out of order: the sender's scoreboard (RFC 6675 §3, §4).

Whether an octet is lost depends on what was selectively acknowledged above
it, and that can only fall as one goes up.  So there is one `loss_edge`:
every hole below is lost, none above it is.
"""

from __future__ import annotations

from bisect import bisect_right

DUP_THRESH = 3


class Scoreboard:
    """Ranges in ascending order that neither overlap nor touch; numbers are unwrapped."""

    __slots__ = ("_ends", "_limit", "_starts", "loss_edge", "sacked")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.sacked = 0
        """Octets in all ranges."""
        self.loss_edge = 0
        """Octets in the holes below this count as lost (`IsLost`, RFC 6675 §4)."""

    def __bool__(self) -> bool:
        return bool(self._starts)

    @property
    def highest(self) -> int:
        """The end of the last range; 0 without any."""
        return self._ends[-1] if self._ends else 0

    def clear(self) -> None:
        self._starts.clear()
        self._ends.clear()
        self.sacked = 0
        self.loss_edge = 0

    def add(self, start: int, end: int) -> int:
        """Note a range that lies within what was sent; returns how many octets are news.

        A range that would be one too many is not kept: that octets are not
        known to have arrived costs a retransmission and nothing else.
        """
        starts, ends = self._starts, self._ends
        low = bisect_right(ends, start - 1)  # the first range that reaches `start`, touching included
        high = bisect_right(starts, end)  # one behind the last range that begins by `end`
        if low == high and len(starts) >= self._limit:
            return 0
        before = 0
        for i in range(low, high):
            before += ends[i] - starts[i]
        if low < high:
            start = min(start, starts[low])
            end = max(end, ends[high - 1])
        starts[low:high] = [start]
        ends[low:high] = [end]
        news = end - start - before
        self.sacked += news
        return news

    def forget_below(self, sequence: int) -> None:
        """The cumulative acknowledgment has come to `sequence`."""
        starts, ends = self._starts, self._ends
        gone = bisect_right(ends, sequence)
        for i in range(gone):
            self.sacked -= ends[i] - starts[i]
        del starts[:gone], ends[:gone]
        if starts and starts[0] < sequence:
            self.sacked -= sequence - starts[0]
            starts[0] = sequence

    def mark_losses(self, mss: int) -> None:
        """Find the loss edge: three ranges above, or more than two segments' octets."""
        octets = 0
        starts, ends = self._starts, self._ends
        for count in range(1, len(starts) + 1):
            octets += ends[-count] - starts[-count]
            if count >= DUP_THRESH or octets > (DUP_THRESH - 1) * mss:
                self.loss_edge = max(self.loss_edge, starts[-count])
                return

    def hole_after(self, sequence: int) -> tuple[int, int | None]:
        """The first octet from `sequence` on that is in no range, and where the next range begins."""
        index = bisect_right(self._starts, sequence)
        if index and self._ends[index - 1] > sequence:
            sequence = self._ends[index - 1]
        return sequence, self._starts[index] if index < len(self._starts) else None

    def octets_between(self, start: int, end: int) -> int:
        """How many octets from `start` up to `end` are in ranges."""
        total = 0
        starts, ends = self._starts, self._ends
        for i in range(bisect_right(ends, start), len(starts)):
            if starts[i] >= end:
                break
            total += min(ends[i], end) - max(starts[i], start)
        return total
