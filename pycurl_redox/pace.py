"""How fast a transfer may be, and how slow: --limit-rate, and --speed-limit with --speed-time."""

from __future__ import annotations

from collections import deque

from tcpip.errors import TimedOutError
from tcpip.scheduler import sleep_until

STEPS = 20
"""Pieces a second: what is handed on at once is small enough for an even flow."""

SPEED_WINDOW = 5.0
"""Seconds that curl's current speed looks back."""


class Pace:
    """Holds octets back so that no more than `rate` pass in a second, on the average since the first."""

    __slots__ = ("_began", "_passed", "piece", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.piece = max(1, rate // STEPS)
        """Octets to pass on at once at most."""
        self._began: float | None = None
        self._passed = 0

    async def wait(self, now: float, deadline: float | None) -> None:
        """Wait until the next piece may pass; TimedOutError when the deadline comes first."""
        if self._began is None:
            self._began = now
        due = self._began + self._passed / self.rate
        if due <= now:
            return
        if deadline is not None and deadline < due:
            await sleep_until(deadline)
            raise TimedOutError("HTTP: the rate limit leaves no time")
        await sleep_until(due)

    def passed(self, octets: int) -> None:
        self._passed += octets


class SpeedWatch:
    """Sees whether a transfer has been slower than `limit` octets a second for `seconds` on end."""

    def __init__(self, limit: int, seconds: int) -> None:
        self.limit = limit
        self.seconds = seconds
        self._samples: deque[tuple[float, int]] = deque()
        self._slow_since: float | None = None

    def is_too_slow(self, now: float, octets: int) -> bool:
        """Take a sample, `octets` in all so far, and judge; asked about once a second."""
        samples = self._samples
        samples.append((now, octets))
        while len(samples) > 2 and samples[0][0] < now - SPEED_WINDOW:
            samples.popleft()
        began, before = samples[0]
        if now == began:
            return False
        if (octets - before) / (now - began) >= self.limit:
            self._slow_since = None
            return False
        if self._slow_since is None:
            self._slow_since = samples[-2][0]
        return now - self._slow_since >= self.seconds
