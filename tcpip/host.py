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
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tcpip.clock import Clock, MonotonicClock
from tcpip.device import FrameDevice
from tcpip.errors import ConnectionAbortedError, UsageError
from tcpip.scheduler import CancelledError, Scheduler, Signal, Task
from tcpip.stack import Frame, Stack

T = TypeVar("T")

KEEP_INTERVAL = 0.25
"""Seconds between looks of the background keeper."""

RECHECK = 0.05
"""Seconds of the longest wait before rings are looked at again: interrupts may be lost."""

CLOSE_TIMEOUT = 1.0
"""Seconds that `close` waits for another thread, which drives, to do it."""

_FOREVER = float("inf")


if TYPE_CHECKING:  # a Protocol costs a quarter of a millisecond at start

    class Source(Protocol):
        """What the loop waits for beside the device: sockets of the machine that are no part of the stack."""

        @property
        def fileno(self) -> int:
            """Readable when `service` has work."""
            ...

        def service(self) -> bool:
            """Wake whoever waits for what has come; False when nothing has."""
            ...

        def close(self) -> None: ...


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
        self._guard = threading.Lock()  # holds _driven, _inbox and the end of _wake_fd together
        self._driven = False
        self._driver = 0  # the thread that drives, or was the last to
        self._inbox: list[_Job] = []
        self._waiting: list[_Job] = []
        self._abandoned = False
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._wake_fd, select.POLLIN)
        self._polled: tuple[int, ...] = ()
        self._sources: tuple[Source, ...] = ()
        self._news = Signal()
        self._closing = threading.Event()
        self._shut = threading.Event()
        self.waits = 0
        self.is_closed = False
        _keep_freed_memory()

    def now(self) -> float:
        """Seconds on the clock that all deadlines are in."""
        return self._clock.now()

    # ---- running coroutines

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task beside the one that runs; only from within a coroutine of this host."""
        return self.scheduler.spawn(coroutine)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return or raise what it does; from any thread.

        `ConnectionAbortedError` when the host is closed meanwhile.
        """
        job = _Job(coroutine)
        try:
            with self._guard:
                if self.is_closed:
                    coroutine.close()
                    raise UsageError("host: it is closed")
                self._inbox.append(job)
                if not self._driven:
                    self._driven = job.drives = True
            if not job.drives:
                self._wake_driver()
                job.turn.acquire()  # released when the coroutine has ended, or when it is our turn to drive
            if job.drives:
                self._drive(job)
        except BaseException:
            self._abandon(job)
            raise
        finally:
            if job.drives:
                try:
                    self._pass_on(job)
                except BaseException:  # interrupted once more; somebody must go on nevertheless
                    self._pass_on(job)
                    raise
        task, job.task = job.task, None  # else they hold each other, and the result with them
        assert task is not None
        try:
            return task.result  # type: ignore[no-any-return]
        except CancelledError:
            why = "it is closed" if self.is_closed else "the thread that drove was interrupted"
            raise ConnectionAbortedError(f"host: cancelled: {why}") from None

    def add_source(self, source: Source) -> None:
        """Wait for a source as well, from now on; only from within a coroutine of this host."""
        self._sources = (*self._sources, source)

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
                try:
                    self.keep()
                except Exception:
                    return  # the device is beyond recovery, and says so to whoever runs something

        threading.Thread(target=keep, name="redox-keeper", daemon=True).start()

    def keep(self) -> None:
        """Move what can be moved now, if nobody else drives."""
        with self._guard:
            if self._driven or self.is_closed:
                return
            self._driven = True
            self._driver = threading.get_ident()
        try:
            while not self.is_closed and self._turn():
                pass
        finally:
            self._pass_on(None)

    def close(self) -> None:
        """Cancel what runs, send what the tasks left behind, and close the device; from any thread.

        If another thread drives, it does so, and is waited for.
        """
        with self._guard:
            if self.is_closed:
                return
            self.is_closed = True
            is_free = not self._driven
            self._driven = True
        self._closing.set()
        if is_free:
            self._shut_down()
        elif self._driver != threading.get_ident():
            self._wake_driver()
            self._shut.wait(CLOSE_TIMEOUT)

    def _shut_down(self) -> None:
        try:
            self._start_jobs()
            self.scheduler.cancel_all()
            self._turn()
        finally:
            self.scheduler.cancel_all()  # those that waited while they cleaned up
            self.device.close()
            for source in self._sources:
                source.close()
            with self._guard:
                self._shut.set()
                os.close(self._wake_fd)

    # ---- the loop

    def _drive(self, job: _Job) -> None:
        self._driver = threading.get_ident()
        while not job.is_done and not self.is_closed:
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
        for source in self._sources:
            moved |= source.service()
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
        if self._sources:
            fds += tuple(source.fileno for source in self._sources)
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
            job.task = self.scheduler.spawn(job.coroutine)
            job.task.on_end = job.end
            self._waiting.append(job)
        for job in [job for job in self._waiting if job.is_abandoned]:
            self._waiting.remove(job)
            if job.task is not None:
                job.task.cancel()

    def _pass_on(self, job: _Job | None) -> None:
        """Stop driving; the next thread that waits for its coroutine goes on.

        Where an interrupt must not come between two lines there is no call between them.
        """
        if self.is_closed and not self._shut.is_set():
            self._shut_down()
            return
        with self._guard:
            self._waiting = [job for job in self._waiting if not job.is_done]
            heir = next((job for job in self._waiting + self._inbox if not job.is_abandoned), None)
            if job is not None:
                if not job.drives:
                    return  # it is done already
                job.drives = False
            self._driven = heir is not None
            if heir is not None:
                heir.drives = True
                heir.turn.release()

    def _abandon(self, job: _Job) -> None:
        """Give up a coroutine whose thread was interrupted: it is cancelled by whoever drives."""
        with self._guard:
            job.is_abandoned = self._abandoned = True  # from now on nobody makes it the driver
        if job.drives:
            self.scheduler.wake_all()  # the interrupt may have come between a wake-up and its task
            self._start_jobs()
        else:
            self._wake_driver()

    def _wake_driver(self) -> None:
        with self._guard:
            if not self._shut.is_set():  # else the descriptor may be another's by now
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

    def end(self) -> None:
        """The task has its result: its thread may go on, if it is another one."""
        self.is_done = True
        self.wake()


def _or_forever(deadline: float | None) -> float:
    return _FOREVER if deadline is None else deadline


def _keep_freed_memory() -> None:
    """Let the C library keep some megabytes of freed memory for what arrives next.

    glibc returns the top of its heap to the kernel whenever 128 KiB of it are
    free, and gets it back page by page: seven faults for each 64 KiB received,
    a third of the processor time.  Freeing one large block, which nobody has
    touched, raises the limit to twice its size (mallopt(3), M_MMAP_THRESHOLD).
    Elsewhere this does nothing.
    """
    bytes(4 << 20)
