"""The retransmission time-out (RFC 6298)."""

from __future__ import annotations

_GRANULARITY = 0.001


class RtoEstimator:
    """Smoothed round trip and its variation; doubles at each expiry until a new sample comes."""

    __slots__ = ("_max", "_min", "backoffs", "rto", "rttvar", "srtt")

    def __init__(self, initial: float, minimum: float, maximum: float) -> None:
        self.srtt = 0.0
        """0 until the first sample."""
        self.rttvar = 0.0
        self.rto = initial
        self.backoffs = 0
        self._min = minimum
        self._max = maximum

    def take_sample(self, rtt: float) -> None:
        """A round trip of a segment that was sent once (Karn), or that a timestamp tells apart."""
        if self.srtt == 0.0 and self.rttvar == 0.0:  # (2.2)
            self.srtt = rtt
            self.rttvar = rtt / 2
        else:  # (2.3)
            self.rttvar += (abs(self.srtt - rtt) - self.rttvar) / 4
            self.srtt += (rtt - self.srtt) / 8
        self.backoffs = 0
        self.rto = min(max(self.srtt + max(_GRANULARITY, 4 * self.rttvar), self._min), self._max)

    def back_off(self) -> None:
        """The timer ran out (5.5)."""
        self.backoffs += 1
        self.rto = min(self.rto * 2, self._max)

    def restart_after_syn(self) -> None:
        """A SYN had to be repeated, and data begins without a sample (5.7)."""
        if self.backoffs and self.srtt == 0.0:
            self.backoffs = 0
            self.rto = min(3.0, self._max)
