"""A snapshot of a driver, for those who look on."""

from __future__ import annotations

from typing import NamedTuple


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
