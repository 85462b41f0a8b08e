"""The retransmission time-out of one flow (RFC 6298)."""

from __future__ import annotations

from tcpip.usernet.segments import HALF, MASK

MIN_RTO, FIRST_RTO, MAX_RTO = 0.2, 1.0, 60.0
_NONE = -1


class RetransmissionTimeout:
    """Measures one segment at a time, none that was sent twice; `value` is the time-out in seconds."""

    __slots__ = ("_end", "_start", "_unbacked", "_variance", "srtt", "value")

    def __init__(self) -> None:
        self.value = self._unbacked = FIRST_RTO
        self.srtt = self._variance = 0.0
        self._end = _NONE
        self._start = 0.0

    def begin(self, end: int, now: float) -> None:
        """Note that a segment which ends at `end` is sent for the first time; measured if none is yet."""
        if self._end == _NONE:
            self._end, self._start = end, now

    def cancel(self) -> None:
        """Forget the segment: something was sent again, and an answer may be to either (§3)."""
        self._end = _NONE

    def back_off(self) -> None:
        self.value = min(self.value * 2, MAX_RTO)
        self._end = _NONE

    def acknowledge(self, ack: int, now: float) -> None:
        """Take progress.

        Deviates from RFC 6298 §5.7: progress ends the doubling, as in Linux,
        since on a bad wire a sample may be minutes away.
        """
        if self._end != _NONE and ack - self._end & MASK < HALF:
            self._sample(now - self._start)
        self.value = self._unbacked

    def _sample(self, rtt: float) -> None:
        self._end = _NONE
        if self.srtt == 0.0:
            self.srtt, self._variance = rtt, rtt / 2
        else:
            self._variance += (abs(self.srtt - rtt) - self._variance) / 4
            self.srtt += (rtt - self.srtt) / 8
        self._unbacked = min(max(self.srtt + 4 * self._variance, MIN_RTO), MAX_RTO)
