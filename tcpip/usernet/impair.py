"""A bad wire between device and gateway: loss, delay, jitter, duplication and rate, repeatable from a seed.

A `Wire` is one direction.  Frames are numbered from 1 as they come, so that
a test can lose exactly the n-th.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from tcpip.usernet.port import NetHeader, Port, cut, scatter

_MASK64 = (1 << 64) - 1


class Impairment(NamedTuple):
    """What happens to frames of one direction; fractions from 0 to 1, seconds, octets a second."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    """Up to so much more delay, frame by frame: frames overtake each other."""
    rate: float | None = None
    drop: Collection[int] = ()
    """Numbers of frames to lose, the first is 1."""
    max_frames: int = 4_096
    """Frames on the way at most; a sender waits (to the guest) or loses (from the guest) what is beyond."""


class ImpairConfig(NamedTuple):
    """Both directions, and the seed that repeats them."""

    seed: int = 0
    from_guest: Impairment = Impairment()
    to_guest: Impairment = Impairment()


class Chance:
    """Numbers from 0 to 1 out of a seed (SplitMix64); the same on every Python and machine."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK64

    def next(self) -> float:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK64
        z = self._state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK64
        return ((z ^ z >> 31) >> 11) / (1 << 53)


class Wire:
    """One direction: frames go in at `offer`, and come out of `take_due` when their time has come."""

    def __init__(self, impairment: Impairment, seed: int) -> None:
        self._impairment = impairment
        self._chance = Chance(seed)
        self._on_the_way: list[tuple[float, int, bytes, NetHeader]] = []
        self._is_free_at = 0.0
        self._order = 0
        self.frames_in = 0
        self.frames_lost = 0

    @property
    def is_full(self) -> bool:
        return len(self._on_the_way) >= self._impairment.max_frames

    def offer(self, frame: bytes, header: NetHeader, now: float) -> None:
        """Put a frame on the wire, or lose it."""
        bad = self._impairment
        self.frames_in += 1
        lost = bad.loss > 0.0 and self._chance.next() < bad.loss
        if lost or self.frames_in in bad.drop or self.is_full:
            self.frames_lost += 1
            return
        self._schedule(frame, header, now)
        if bad.duplicate > 0.0 and self._chance.next() < bad.duplicate:
            self._schedule(frame, header, now)

    def take_due(self, now: float, deliver: Callable[[bytes, NetHeader], bool]) -> None:
        """Hand on what is due, in the order of its times, until `deliver` says that it has no room."""
        waiting = self._on_the_way
        while waiting and waiting[0][0] <= now:
            if not deliver(waiting[0][2], waiting[0][3]):
                return
            heapq.heappop(waiting)

    def next_timeout(self) -> float | None:
        return self._on_the_way[0][0] if self._on_the_way else None

    def clear(self) -> None:
        self._on_the_way.clear()

    def _schedule(self, frame: bytes, header: NetHeader, now: float) -> None:
        bad = self._impairment
        due = now + bad.delay
        if bad.rate is not None:
            self._is_free_at = max(self._is_free_at, now) + len(frame) / bad.rate
            due += self._is_free_at - now
        if bad.jitter > 0.0:
            due += bad.jitter * self._chance.next()
        self._order += 1
        heapq.heappush(self._on_the_way, (due, self._order, frame, header))


class ImpairedPort:
    """A `Port` whose frames take the bad wire on their way to the real one."""

    def __init__(self, port: Port, wire: Wire) -> None:
        self._port = port
        self._wire = wire
        self._buffer = bytearray(65_536 + 256)
        self.now = 0.0
        self.is_blocked = False

    def rx_room(self, size: int) -> Sequence[memoryview] | None:
        if self._wire.is_full or size > len(self._buffer):
            return None
        return (memoryview(self._buffer)[:size],)

    def rx_done(self, length: int, header: NetHeader) -> None:
        self._wire.offer(bytes(memoryview(self._buffer)[:length]), header, self.now)

    def deliver_due(self, now: float) -> None:
        """Pass on to the real port what is due and fits."""
        self.now = now
        self.is_blocked = False
        self._wire.take_due(now, self._deliver)

    def _deliver(self, frame: bytes, header: NetHeader) -> bool:
        views = self._port.rx_room(len(frame))
        if views is None:
            self.is_blocked = True
            return False
        scatter(views, frame)
        self._port.rx_done(len(frame), header)
        return True


class CapturingPort:
    """A `Port` that shows each finished frame to a listener."""

    def __init__(self, port: Port, on_frame: Callable[[bool, Sequence[memoryview]], None]) -> None:
        self._port = port
        self._on_frame = on_frame
        self._views: Sequence[memoryview] = ()

    def rx_room(self, size: int) -> Sequence[memoryview] | None:
        views = self._port.rx_room(size)
        self._views = views or ()
        return views

    def rx_done(self, length: int, header: NetHeader) -> None:
        self._on_frame(False, cut(self._views, length))
        self._port.rx_done(length, header)
