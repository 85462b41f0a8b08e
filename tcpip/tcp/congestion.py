"""How much may be under way: congestion control behind one interface (RFC 5681, RFC 6582, RFC 6928).

The connection counts what is in the network and asks for `window`; what was
lost and when recovery ends it knows itself, and says so.
"""

from __future__ import annotations

from typing import Protocol


class CongestionControl(Protocol):
    """All in octets.  `flight`: sent and not acknowledged when the event happened."""

    window: int
    ssthresh: int

    def __init__(self, mss: int, limit: int) -> None:
        """`limit` is what could ever be under way: the window never grows beyond it."""
        ...

    def on_ack(self, acked: int, flight: int, now: float) -> None:
        """So many octets were acknowledged for the first time, out of recovery."""
        ...

    def on_loss(self, flight: int, now: float) -> None:
        """Fast retransmit begins: once for all losses of a window."""
        ...

    def on_recovered(self, flight: int, now: float) -> None:
        """All that was under way at `on_loss` has arrived."""
        ...

    def on_timeout(self, flight: int, now: float) -> None:
        """The retransmission timer ran out the first time for this octet."""
        ...

    def on_idle(self) -> None:
        """Nothing was sent for longer than the RTO (RFC 5681 §4.1)."""
        ...


class NewReno:
    """Slow start and congestion avoidance, halving for each window with a loss."""

    __slots__ = ("_limit", "_mss", "initial_window", "ssthresh", "window")

    def __init__(self, mss: int, limit: int) -> None:
        self._mss = mss
        self._limit = limit
        self.initial_window = min(10 * mss, max(2 * mss, 14_600))  # RFC 6928 §2
        self.window = self.initial_window
        self.ssthresh = limit

    def on_ack(self, acked: int, flight: int, now: float) -> None:
        """Grow, unless the window was not what held the sender back (RFC 9293 §3.8.2, RFC 7661 §4.1).

        Counting octets leaves nothing to gain by splitting ACKs (RFC 3465
        §3).  Deviates from its limit of two segments an ACK: merged segments
        are acknowledged many at a time, and pacing is the device's.
        """
        window = self.window
        if flight * 2 < window:
            return
        if window < self.ssthresh:
            window += acked
        else:
            window += max(1, self._mss * min(acked, window) // window)
        self.window = min(window, self._limit)

    def on_loss(self, flight: int, now: float) -> None:
        self.ssthresh = max(flight // 2, 2 * self._mss)  # RFC 5681 §3.1, equation 4
        self.window = self.ssthresh

    def on_recovered(self, flight: int, now: float) -> None:
        self.window = min(self.ssthresh, max(flight, self._mss) + self._mss)  # RFC 6582 §3.2, step 3

    def on_timeout(self, flight: int, now: float) -> None:
        self.ssthresh = max(flight // 2, 2 * self._mss)
        self.window = self._mss

    def on_idle(self) -> None:
        self.window = min(self.window, self.initial_window)
