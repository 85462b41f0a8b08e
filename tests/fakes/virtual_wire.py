"""A wire on a virtual clock between things that are driven by the five verbs.

It loses, delays, reorders and duplicates from a seed.  Time moves by jumping
to the next arrival or the next deadline, so that hours pass in a blink, and a
thing whose `next_timeout` lies is found out: a deadline that does nothing
makes the clock stand still, and a lost one lets the run stall.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Endpoint(Protocol[T]):
    """What hangs on an end of the wire; an adapter names its verbs like this."""

    def emit(self, now: float) -> Iterable[T]: ...
    def accept(self, item: T, now: float) -> None: ...
    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...


class Quality(NamedTuple):
    """What a direction does to what it carries; chances from 0 to 1, times in seconds."""

    delay: float = 0.005
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    drop_numbers: frozenset[int] = frozenset()
    """The items, counted from 1, that are lost whatever the chances say."""
    per_second: float | None = None
    """How many items a second fit through; later ones queue."""


class Stalled(AssertionError):
    """Nobody has a deadline, nothing is under way, and what was waited for has not come."""


class BusyLoop(AssertionError):
    """The clock stood still while deadlines were handled again and again."""


class VirtualWire(Generic[T]):
    def __init__(
        self,
        left: Endpoint[T],
        right: Endpoint[T],
        seed: int = 0,
        quality: Quality = Quality(),  # noqa: B008
        back: Quality | None = None,
        start: float = 0.0,
    ) -> None:
        self.ends = (left, right)
        self.qualities = (quality, quality if back is None else back)
        self.chance = random.Random(seed)
        self.now = start
        self.sent = [0, 0]
        self.lost = [0, 0]
        self.watch: Callable[[int, T, float], None] | None = None
        """Called with the direction (0: from the left), the item and the time of each one sent."""
        self._free_at = [start, start]
        self._under_way: list[tuple[float, int, int, T]] = []
        self._count = 0

    def run(self, until: Callable[[], bool], limit: float = 3600.0) -> float:
        """Let time pass until the condition holds; returns how much passed.  Stalled at the limit too."""
        begin, still = self.now, 0
        while True:
            self._collect()
            if until():
                return self.now - begin
            following = self._next()
            if following is None:
                raise Stalled(f"at {self.now:.3f}: nothing is under way and nobody has a deadline")
            if following > begin + limit:
                raise Stalled(f"nothing after {limit} seconds")
            still = still + 1 if following <= self.now else 0
            if still > 100:
                raise BusyLoop(f"at {self.now:.6f}")
            self.now = max(self.now, following)
            self._turn()

    def run_for(self, seconds: float) -> None:
        """Let so much time pass, whether anything happens or not."""
        end = self.now + seconds
        still = 0
        self._collect()
        while (following := self._next()) is not None and following <= end:
            still = still + 1 if following <= self.now else 0
            if still > 100:
                raise BusyLoop(f"at {self.now:.6f}")
            self.now = max(self.now, following)
            self._turn()
            self._collect()
        self.now = end

    def _collect(self) -> None:
        for direction, end in enumerate(self.ends):
            for item in end.emit(self.now):
                self._carry(direction, item)

    def _carry(self, direction: int, item: T) -> None:
        quality = self.qualities[direction]
        self.sent[direction] += 1
        if self.watch is not None:
            self.watch(direction, item, self.now)
        if self.sent[direction] in quality.drop_numbers or self.chance.random() < quality.loss:
            self.lost[direction] += 1
            return
        leaves = self.now
        if quality.per_second is not None:
            leaves = max(self.now, self._free_at[direction])
            self._free_at[direction] = leaves + 1 / quality.per_second
        copies = 2 if self.chance.random() < quality.duplicate else 1
        for _ in range(copies):
            self._count += 1
            at = leaves + quality.delay + self.chance.random() * quality.jitter
            heapq.heappush(self._under_way, (at, self._count, direction, item))

    def _next(self) -> float | None:
        times = [t for end in self.ends if (t := end.next_timeout()) is not None]
        if self._under_way:
            times.append(self._under_way[0][0])
        return min(times, default=None)

    def _turn(self) -> None:
        while self._under_way and self._under_way[0][0] <= self.now:
            _, _, direction, item = heapq.heappop(self._under_way)
            self.ends[1 - direction].accept(item, self.now)
        for end in self.ends:
            deadline = end.next_timeout()
            if deadline is not None and deadline <= self.now:
                end.handle_timeout(self.now)
