"""Deadlines of many things in one heap, moved lazily.

An owner's deadline moves with every segment, mostly further away.  Moving it
later costs an assignment: its entry of the heap stays where it is, and is put
right when it comes to the top.  Idle owners cost nothing.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar


class Timed:
    """Base of what has a deadline in `Timers`; None means none."""

    __slots__ = ("deadline", "queued")

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.queued: float | None = None
        """When the owner's one valid entry of the heap comes up; other entries are leftovers."""


T = TypeVar("T", bound=Timed)


class Timers(Generic[T]):
    """A heap of owners; `next_timeout` is exact."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0
        self._limit = 64

    def set(self, owner: T, deadline: float | None) -> None:
        """Move an owner's deadline; None takes it away."""
        owner.deadline = deadline
        if deadline is not None and (owner.queued is None or deadline < owner.queued):
            self._push(owner, deadline)

    def next_timeout(self) -> float | None:
        """The earliest deadline."""
        heap = self._heap
        while heap:
            when, _, owner = heap[0]
            if when == owner.queued:
                if when == owner.deadline:
                    return when
                heapq.heappop(heap)
                owner.queued = None
                if owner.deadline is not None:
                    self._push(owner, owner.deadline)
            else:
                heapq.heappop(heap)
        return None

    def pop_due(self, now: float) -> T | None:
        """Take out an owner whose deadline has come; it has none afterwards."""
        when = self.next_timeout()
        if when is None or when > now:
            return None
        owner = heapq.heappop(self._heap)[2]
        owner.deadline = owner.queued = None
        return owner

    def _push(self, owner: T, deadline: float) -> None:
        owner.queued = deadline
        self._count += 1
        heapq.heappush(self._heap, (deadline, self._count, owner))
        if len(self._heap) > self._limit:
            self._sweep()

    def _sweep(self) -> None:
        """Drop leftovers, so that the heap stays in proportion to its owners."""
        seen: dict[int, tuple[float, int, T]] = {}
        for entry in self._heap:
            if entry[0] == entry[2].queued:
                seen[id(entry[2])] = entry
        self._heap = list(seen.values())
        heapq.heapify(self._heap)
        self._limit = 64 + 2 * len(self._heap)
