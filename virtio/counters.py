"""What a driver counts, and how it shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from virtio.errors import DeviceError
from virtio.queue import Virtqueue


class QueueInfo(NamedTuple):
    """One ring: chains `posted` and `used` since the driver came up, resets included."""

    size: int
    posted: int
    used: int
    outstanding: int
    available_index: int
    used_index: int
    kicks: int
    frames: int
    octets: int
    """Of the frames, without virtio-net headers."""


class Info(NamedTuple):
    """One interface; `_asdict` of it and of its queues goes to JSON."""

    features: list[str]
    status: int
    mac: str
    mtu: int
    link_up: bool
    receive: QueueInfo
    transmit: QueueInfo
    interrupts: int
    found_without_interrupt: int
    """Completions that were there although the interrupt asked for had not come."""
    rechecks: int
    resets: int
    frames_lost_in_reset: int
    lies: dict[str, int]
    """What the device was reset for."""
    dropped: dict[str, int]
    """Received frames thrown away, by what was wrong with their header."""


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
