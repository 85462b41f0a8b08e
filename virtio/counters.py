"""What a driver counts; `info.py` shows it."""

from __future__ import annotations

from collections.abc import Sequence

from virtio.errors import DeviceError
from virtio.queue import Virtqueue


class QueueCounters:
    """One ring's counts that outlive its resets."""

    __slots__ = ("kicks", "posted_before", "used_before")

    def __init__(self) -> None:
        self.kicks = 0
        self.posted_before = 0
        self.used_before = 0


class Counters:
    """Of one driver; frames and octets are counted where they pass."""

    def __init__(self) -> None:
        self.interrupts = 0
        self.found_without_interrupt = 0
        self.rechecks = 0
        self.resets = 0
        self.lies: dict[str, int] = {}
        self.queues = (QueueCounters(), QueueCounters())

    def lied(self, error: DeviceError) -> None:
        self.lies[error.lie] = self.lies.get(error.lie, 0) + 1

    def keep(self, rings: Sequence[Virtqueue]) -> None:
        """Add up rings that are about to be replaced."""
        for counters, ring in zip(self.queues, rings, strict=True):
            counters.posted_before += ring.posted
            counters.used_before += ring.used
