"""The one place that reads a clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back; the origin means nothing."""

    def now(self) -> float: ...


class MonotonicClock:
    """The system's monotonic clock."""

    now = staticmethod(time.monotonic)


wall_clock = time.time
"""Seconds since 1970, for certificates and file dates."""
