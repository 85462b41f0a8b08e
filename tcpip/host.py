"""The one loop: it feeds the stack, runs the tasks, sends, and waits.

    host.run(coroutine)        # on the caller's thread, to the coroutine's end

A turn gives the device its share, hands what arrived to the stack, runs what
is due and ready, and sends what may be sent.  When a turn moved nothing, the
loop waits on the device's descriptors until the earliest deadline of stack,
device and tasks, and never longer than `RECHECK`: a lost interrupt costs that
much and no more.

Threads share a host.  One of them drives for all: whoever comes while another
drives leaves its coroutine in the inbox, and takes over when the driver's own
coroutine has ended.  There is no hand-over between threads for a program that
has one.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tcpip.clock import Clock, MonotonicClock
from tcpip.device import FrameDevice
from tcpip.scheduler import Scheduler, Signal, Task
from tcpip.stack import Frame, Stack

T = TypeVar("T")

KEEP_INTERVAL = 0.25
"""Seconds between looks of the background keeper."""

RECHECK = 0.05
"""Seconds of the longest wait before rings are looked at again: interrupts may be lost."""

_FOREVER = float("inf")


class Host:
    """A stack on a device, and the thread that happens to be here.

    The host owns the device and closes it; the stack it only drives.
    """

    def __init__(self, stack: Stack, device: FrameDevice, clock: Clock | None = None) -> None:
        self.stack = stack
        self.device = device
        self.scheduler = Scheduler()
        self._clock = clock or MonotonicClock()
        self._unsent: Frame | None = None
        self._guard = threading.Lock()  # holds _driven and _inbox together
        self._driven = False
        self._inbox: list[_Job] = []
        self._waiting: list[_Job] = []
        self._abandoned = False
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._wake_fd, select.POLLIN)
        self._polled: tuple[int, ...] = ()
        self._news = Signal()
        self._closing = threading.Event()
        self.waits = 0
        self.is_closed = False

    def now(self) -> float:
        """Seconds on the clock that all deadlines are in."""
        return self._clock.now()

    # ---- running coroutines

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task beside the one that runs; only from within a coroutine of this host."""
        return self.scheduler.spawn(coroutine)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return or raise what it does; from any thread."""
        job = _Job(coroutine)
        with self._guard:
            self._inbox.append(job)
            if not self._driven:
                self._driven = job.drives = True
        try:
            if not job.drives:
                os.eventfd_write(self._wake_fd, 1)
                job.turn.acquire()  # released when the coroutine has ended, or when it is our turn to drive
            if job.drives:
                self._drive(job)
        except BaseException:
            self._abandon(job)
            raise
        finally:
            if job.drives:
                self._pass_on()
        assert job.task is not None
        return job.task.result  # type: ignore[no-any-return]

    async def configured(self, version: int, deadline: float | None) -> bool:
        """Wait until the stack has an address and a route of a family; False at the deadline."""
        while not self.stack.is_configured(version):
            if not await self._news.wait(deadline):
                return self.stack.is_configured(version)
        return True

    def keep_in_background(self) -> None:
        """Start a thread that looks after idle connections while nobody else drives.

        It looks every `KEEP_INTERVAL` seconds: soon enough for a FIN or a
        keepalive, seldom enough to cost nothing, and it holds nobody up.
        """

        def keep() -> None:
            while not self._closing.wait(KEEP_INTERVAL):
                self.keep()

        threading.Thread(target=keep, name="redox-keeper", daemon=True).start()

    def keep(self) -> None:
        """Move what can be moved now, if nobody else drives."""
        with self._guard:
            if self._driven or self.is_closed:
                return
            self._driven = True
        try:
            while self._turn():
                pass
        finally:
            self._pass_on()

    def close(self) -> None:
        """Cancel what runs, send what the tasks left behind, and close the device."""
        if self.is_closed:
            return
        self.is_closed = True
        self._closing.set()
        self.scheduler.cancel_all()
        self._turn()
        self.device.close()
        os.close(self._wake_fd)

    # ---- the loop

    def _drive(self, job: _Job) -> None:
        while not job.is_done:
            if self._inbox or self._abandoned:
                self._start_jobs()
            if not self._turn() and not job.is_done and not self.scheduler.has_ready:
                self._wait()

    def _turn(self) -> bool:
        """Move everything that can be moved now; False when nothing was."""
        now = self._clock.now()
        device, stack = self.device, self.stack
        device.service(now)
        moved = False
        for frame, flags, gso_size, token in device.receive_frames():
            stack.receive_frame(frame, flags, gso_size, now)
            device.release(token)
            moved = True
        due = stack.next_timeout()
        if due is not None and due <= now:
            stack.handle_timeout(now)
            moved = True
        while stack.next_event() is not None:
            self._news.fire()
        self.scheduler.handle_timeout(now)
        moved |= self.scheduler.run_ready()
        return self._send(self._clock.now()) or moved  # tasks have read the clock; time must not go back

    def _send(self, now: float) -> bool:
        send_frame = self.device.send_frame
        if self._unsent is not None:
            if not send_frame(*self._unsent):
                return False
            self._unsent = None
        sent = False
        for frame in self.stack.frames_to_send(now):
            if not send_frame(*frame):
                self._unsent = frame  # the ring is full; nothing more is built until it has gone
                break
            sent = True
        self.device.flush()
        return sent

    def _wait(self) -> None:
        fds = tuple(self.device.wait_fds())
        if fds != self._polled:
            self._register(fds)
        if self.device.arm():
            return
        now = self._clock.now()
        until = min(
            now + RECHECK,
            _or_forever(self.stack.next_timeout()),
            _or_forever(self.device.next_timeout()),
            _or_forever(self.scheduler.next_timeout()),
        )
        self.waits += 1
        if self._poll.poll(max(0, int((until - now) * 1000) + 1) if until > now else 0):
            try:
                os.eventfd_read(self._wake_fd)
            except BlockingIOError:
                pass

    def _register(self, fds: tuple[int, ...]) -> None:
        for fd in self._polled:
            self._poll.unregister(fd)
        for fd in fds:
            self._poll.register(fd, select.POLLIN)
        self._polled = fds

    # ---- several threads

    def _start_jobs(self) -> None:
        with self._guard:
            jobs, self._inbox = self._inbox, []
            self._abandoned = False
        for job in jobs:
            job.task = self.scheduler.spawn(_report(job))
            self._waiting.append(job)
        for job in [job for job in self._waiting if job.is_abandoned]:
            self._waiting.remove(job)
            if job.task is not None:
                job.task.cancel()

    def _pass_on(self) -> None:
        """Stop driving; the next thread that waits for its coroutine goes on."""
        with self._guard:
            self._waiting = [job for job in self._waiting if not job.is_done]
            heir = next((job for job in self._waiting + self._inbox if not job.is_abandoned), None)
            self._driven = heir is not None
            if heir is not None:
                heir.drives = True
                heir.wake()

    def _abandon(self, job: _Job) -> None:
        """Give up a coroutine whose thread was interrupted: it is cancelled by whoever drives."""
        with self._guard:
            job.is_abandoned = self._abandoned = True  # from now on nobody makes it the driver
        if job.drives:
            self._start_jobs()
        else:
            os.eventfd_write(self._wake_fd, 1)


class _Job:
    """A coroutine and the thread that waits for it."""

    __slots__ = ("coroutine", "drives", "is_abandoned", "is_done", "task", "turn")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine
        self.task: Task[Any] | None = None
        self.drives = False
        self.is_done = False
        self.is_abandoned = False
        self.turn = threading.Lock()
        self.turn.acquire()

    def wake(self) -> None:
        if self.turn.locked():
            self.turn.release()


async def _report(job: _Job) -> Any:
    try:
        return await job.coroutine
    finally:
        job.is_done = True
        job.wake()


def _or_forever(deadline: float | None) -> float:
    return _FOREVER if deadline is None else deadline
