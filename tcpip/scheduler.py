"""Coroutines that wait for conditions with a deadline, and nothing else.

A task suspends in one place only, `Signal.wait`.  Whoever changes what a
task may wait for fires the signal; the host's loop then runs the task when
its turn comes.  An idle task costs nothing: there is no list of conditions
to go through, and deadlines lie in one heap.

    async def read(self, deadline):
        while not self.connection.readable:
            if not await self.changed.wait(deadline):
                raise TimedOutError(...)

Nothing here reads a clock: `now` comes from the loop (`tcpip.host`).
"""

from __future__ import annotations

import heapq
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


FOREIGN_LOOP = (
    "this coroutine waits for its own network's loop, and another loop, such as asyncio's, cannot run it: "
    "have it run by the client (Client.gather) or by the network"
)
"""What asyncio, which calls what it gets a bad yield, is told."""


class CancelledError(BaseException):
    """Thrown into a task that is cancelled; a BaseException, so that `except Exception` lets it pass."""


class Signal:
    """Something that tasks wait for.  Firing wakes all that wait now; there is no memory of it."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Task[Any]] = []

    def fire(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for task in waiters:
                task._wake(True)

    @types.coroutine
    def wait(self, deadline: float | None = None) -> Generator[tuple[Signal, float | None], bool, bool]:
        """Suspend until the signal fires (True) or the deadline passes (False).

        A True says that something changed, not that the condition holds: ask
        again, in a loop.
        """
        try:
            return (yield self, deadline)
        except RuntimeError as error:
            if "bad yield" not in str(error):
                raise
            raise RuntimeError(FOREIGN_LOOP) from None


class Task(Generic[T]):
    """A coroutine on its way; made by `Scheduler.spawn`."""

    __slots__ = (
        "_awaited",
        "_cancelled_while_running",
        "_coroutine",
        "_deadline",
        "_entry",
        "_error",
        "_outcome",
        "_ready",
        "_result",
        "_scheduler",
        "finished",
        "is_done",
        "on_end",
    )

    def __init__(self, scheduler: Scheduler, coroutine: Coroutine[Any, Any, T]) -> None:
        self._scheduler = scheduler
        self._coroutine = coroutine
        self._awaited: Signal | None = None
        self._deadline: float | None = None
        self._entry: _Entry | None = None  # this task's place in the heap of deadlines
        self._ready = False
        self._outcome: bool | None = None  # what a coroutine is sent first
        self._result: T | None = None
        self._error: BaseException | None = None
        self._cancelled_while_running = False
        self.is_done = False
        self.finished = Signal()
        self.on_end: Callable[[], None] | None = None
        """Called when the result is there; for whoever is no task, and may be another thread."""

    @property
    def result(self) -> T:
        """What the coroutine returned; raises what it raised."""
        assert self.is_done, "the task is still on its way"
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    async def join(self, deadline: float | None = None) -> T:
        """Wait for the end of the task and return or raise its result; TimeoutError at the deadline."""
        while not self.is_done:
            if not await self.finished.wait(deadline):
                raise TimeoutError
        return self.result

    def cancel(self) -> None:
        """Throw `CancelledError` into the coroutine where it waits, and run it until it has cleaned up.

        A task that runs now (it cancels itself, or one whose cleaning up
        cancels it) gets the error where it waits next.
        """
        if self.is_done:
            return
        if getattr(self._coroutine, "cr_running", False):
            self._cancelled_while_running = True
            return
        self._leave()
        self._advance(CancelledError())

    def _wake(self, fired: bool) -> None:
        if not self._ready and not self.is_done:
            self._ready = True
            self._outcome = fired
            self._awaited = None
            self._deadline = None
            self._scheduler._ready.append(self)

    def _leave(self) -> None:
        """Stop waiting: the signal must not hold a task that waits no more."""
        if self._awaited is not None:
            self._awaited._waiters.remove(self)
            self._awaited = None
        self._deadline = None

    def _advance(self, error: BaseException | None = None) -> None:
        self._ready = False
        try:
            if error is not None:
                signal, deadline = self._coroutine.throw(error)
            else:
                signal, deadline = self._coroutine.send(self._outcome)
        except StopIteration as stop:
            self._end(stop.value, None)
        except (KeyboardInterrupt, SystemExit):
            self._end(None, CancelledError())
            raise
        except BaseException as failure:
            self._end(None, failure)
        else:
            self._awaited = signal
            signal._waiters.append(self)
            if deadline is not None:
                self._deadline = deadline
                self._scheduler._note_deadline(deadline, self)
            if self._cancelled_while_running:
                self._cancelled_while_running = False
                self.cancel()

    def _end(self, result: T | None, error: BaseException | None) -> None:
        self.is_done = True
        self._result = result
        self._error = error
        self._scheduler._tasks.discard(self)
        self.finished.fire()
        if self.on_end is not None:
            self.on_end()


class Scheduler:
    """Runs tasks in turn; driven by a loop that has the clock and does the waiting."""

    def __init__(self) -> None:
        self._tasks: set[Task[Any]] = set()
        self._ready: deque[Task[Any]] = deque()
        self._deadlines: list[_Entry] = []
        self._count = 0

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a coroutine; it first runs in the next `run_ready`."""
        task = Task(self, coroutine)
        self._tasks.add(task)
        task._ready = True
        self._ready.append(task)
        return task

    def run_ready(self) -> bool:
        """Run each task that is ready now once; True when there was any."""
        count = len(self._ready)
        for _ in range(count):
            task = self._ready.popleft()
            if task._ready and not task.is_done:
                task._advance()
        return count > 0

    def next_timeout(self) -> float | None:
        """The earliest deadline of a waiting task; None when nobody has one."""
        heap = self._deadlines
        while heap and not _is_live(heap[0]):
            _forget(heapq.heappop(heap))
        return heap[0][0] if heap else None

    def handle_timeout(self, now: float) -> None:
        """Wake the tasks whose deadline has come."""
        while (deadline := self.next_timeout()) is not None and deadline <= now:
            task = self._deadlines[0][2]
            task._leave()
            task._wake(False)

    def wake_all(self) -> None:
        """Let every task ask again what it waits for; after an interrupt, which may have lost a wake-up."""
        for task in self._tasks:
            signal, task._awaited = task._awaited, None
            if signal is not None and task in signal._waiters:
                signal._waiters.remove(task)
            if task._outcome is not None or not task._ready:  # not before its first step
                task._outcome = True
            task._deadline = None
            task._ready = True
        self._ready = deque(self._tasks)

    def cancel_all(self) -> None:
        """Cancel every task, so that each closes what it holds."""
        for task in list(self._tasks):
            task.cancel()

    def _note_deadline(self, deadline: float, task: Task[Any]) -> None:
        if task._entry is not None and task._entry[0] == deadline:
            return  # a reader that waits again and again until the same moment keeps its place
        self._count += 1
        task._entry = (deadline, self._count, task)
        heapq.heappush(self._deadlines, task._entry)
        if len(self._deadlines) > 64 + 4 * len(self._tasks):  # moving deadlines leave stale entries
            stale = [entry for entry in self._deadlines if not _is_live(entry)]
            self._deadlines = [entry for entry in self._deadlines if _is_live(entry)]
            heapq.heapify(self._deadlines)
            for entry in stale:
                _forget(entry)


_Entry = tuple[float, int, Task[Any]]


def _is_live(entry: _Entry) -> bool:
    task = entry[2]
    return task._entry is entry and task._deadline == entry[0]


def _forget(entry: _Entry) -> None:
    if entry[2]._entry is entry:
        entry[2]._entry = None


async def sleep_until(deadline: float) -> None:
    """Let time pass."""
    signal = Signal()
    while await signal.wait(deadline):
        pass
