"""The loop without a stack: tasks, time, and descriptors of the machine."""

from __future__ import annotations

import select
from collections.abc import Coroutine
from typing import Any, TypeVar

from tcpip.clock import Clock, MonotonicClock
from tcpip.descriptors import Descriptors
from tcpip.scheduler import Scheduler, Task

T = TypeVar("T")


class BareLoop:
    """Runs coroutines on one thread, as a `tcpip.host.Host` does."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.descriptors = Descriptors()
        self._scheduler = Scheduler()
        self._clock = clock or MonotonicClock()
        self._poll = select.poll()
        self._poll.register(self.descriptors.fileno, select.POLLIN)

    def now(self) -> float:
        return self._clock.now()

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task beside the one that runs."""
        return self._scheduler.spawn(coroutine)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return or raise what it does."""
        scheduler = self._scheduler
        task = scheduler.spawn(coroutine)
        try:
            while not task.is_done:
                scheduler.handle_timeout(self._clock.now())
                if not scheduler.run_ready():
                    self._wait(scheduler.next_timeout())
        finally:
            scheduler.cancel_all()
        return task.result

    def close(self) -> None:
        self.descriptors.close()

    def _wait(self, until: float | None) -> None:
        left = None if until is None else max(0.0, until - self._clock.now()) * 1000
        self._poll.poll(left if left is None else int(left) + 1)
        self.descriptors.service()
