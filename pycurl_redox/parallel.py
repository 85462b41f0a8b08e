"""Transfers side by side (-Z): coroutines on the network's one loop, so many at once.

Jobs are made when there is room for them, and one ahead, as curl does: a
pattern of a million URLs is never a list.  A job that waits for its next try
gives its place away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.descriptors import transfers_at_once
from pycurl_redox.progress import PARALLEL_INTERVAL, ParallelMeter
from tcpip.scheduler import Signal, sleep_until

if TYPE_CHECKING:
    from pycurl_redox.command import Command
    from pycurl_redox.job import Job
    from pycurl_redox.progress import Figures
    from tcpip.scheduler import Task

DEFAULT_WIDTH = 50
MAX_WIDTH = 300
"""A larger `--parallel-max`, and one below 1, is the default: curl's bounds."""

ABORTED = "Transfer aborted due to critical error in another transfer"


class SideBySide:
    """All transfers of a command at once, and the exit code of the last that failed."""

    def __init__(self, command: Command) -> None:
        wanted = command.config.parallel_max
        self._command = command
        self._network = command.network
        width = wanted if 1 <= wanted <= MAX_WIDTH else DEFAULT_WIDTH
        self._width = min(width, transfers_at_once())  # the others wait for their descriptors
        self._jobs = command.jobs()
        self._next: Job | None = None
        self._running: dict[Job, Task[None]] = {}
        self._live = 0
        self._made = 0
        self._ended: list[tuple[Job, int]] = []
        self._changed = Signal()
        self._failed: Job | None = None
        """With --fail-early: the one that ends all others."""
        self._meter: ParallelMeter | None = None

    async def run(self) -> None:
        """Run until all have ended, or one has failed with --fail-early, or the command proves wrong."""
        try:
            self._make_next()
            self._begin_more()
            self._start_meter()
            while self._running and self._failed is None:
                self._draw()
                await self._changed.wait(self._network.now() + PARALLEL_INTERVAL if self._meter else None)
                self._take_ended()
                self._begin_more()
            if self._failed is not None:
                self._abort(self._failed)
            self._draw(final=True)
        except errors.FetchError as error:
            self._report(error)
        finally:
            self._stop()
            self._command.save_cookie_jars()

    # ---- beginning

    def _make_next(self) -> None:
        """Make one job ahead; it is prepared, so that what is wrong with it is known."""
        self._next = None
        for job in self._jobs:
            self._made += 1
            if job.prepare():
                self._next = job
                return
            job.clean_up()

    def _begin_more(self) -> None:
        while self._next is not None and self._live < self._width and self._failed is None:
            job = self._next
            self._live += 1
            self._running[job] = self._network.spawn(self._perform(job))
            self._make_next()

    async def _perform(self, job: Job) -> None:
        exit_code = 0
        try:
            exit_code = await job.perform(lambda moment: self._pause(job, moment))
        finally:
            self._live -= 1
            self._ended.append((job, exit_code))
            self._changed.fire()

    async def _pause(self, job: Job, moment: float) -> None:
        """Wait until the next try of a job, in nobody's way."""
        if self._meter is not None:
            self._meter.ended(job.number, _figures(job), is_last=False)
        self._live -= 1
        self._changed.fire()
        await sleep_until(moment)
        while self._live >= self._width:
            await self._changed.wait()
        self._live += 1

    # ---- ending

    def _take_ended(self) -> None:
        ended, self._ended = self._ended, []
        for job, exit_code in ended:
            self._running.pop(job).result  # noqa: B018 - raises what nobody caught
            job.clean_up()
            if self._meter is not None:
                self._meter.ended(job.number, _figures(job), is_last=True)
            if exit_code and self._failed is None:
                self._command.exit_code = exit_code
                self._failed = job if self._command.config.fail_early else None

    def _abort(self, failed: Job) -> None:
        """Give up the others for the one that failed, and tell of each."""
        running, self._running = self._running, {}
        for job, task in running.items():
            was_done = task.is_done
            task.cancel()
            if not was_done and job.transfer is not None:
                job.finish(errors.AbortedError(ABORTED))
            job.clean_up()
        self._live = 0
        waiting, self._next = self._next, None
        self._draw(final=True)
        self._meter = None
        if waiting is not None:
            if waiting.transfer is not None and failed.error is not None:
                waiting.finish(type(failed.error)())  # curl's word for one that never began
            waiting.clean_up()

    def _stop(self) -> None:
        """Let nothing run on, and nothing stay open."""
        for job, task in self._running.items():
            task.cancel()
            job.clean_up()
        if self._next is not None:
            self._next.clean_up()

    def _report(self, error: errors.FetchError) -> None:
        """A job that cannot even be made ends all of them."""
        command = self._command
        if isinstance(error, errors.UsageError):
            command.stderr.write(error.report() if error.text else "")
        elif self._made > 1 or str(error) != error.default_text:  # curl tells the first one's once only
            command.complain(error)
        is_misused = isinstance(error, errors.UsageError) and not error.text
        if self._running or (self._made and not is_misused):  # as often as there is a transfer to blame it on
            text = (errors.ReadFailedError if error.exit_code == 26 else error).default_text
            command.complain_plainly(error.exit_code, text)
        command.exit_code = error.exit_code

    # ---- the meter

    def _start_meter(self) -> None:
        """The output of the job made last says whether a terminal would be spoilt, as in curl."""
        config = self._command.config
        job = self._next or next(reversed(self._running), None)
        if config.no_progress_meter or job is None or job.output.is_terminal:
            return
        self._meter = ParallelMeter(self._network.now())

    def _draw(self, *, final: bool = False) -> None:
        meter, now = self._meter, self._network.now()
        if meter is None or not (final or meter.is_due(now, self._rows())):
            return
        self._command.write_stderr(meter.line(now, self._rows(), self._made, self._live, final=final))

    def _rows(self) -> Iterator[tuple[int, Figures]]:
        for job in self._running:
            yield job.number, _figures(job)
        if self._next is not None:
            yield self._next.number, _NOTHING


_NOTHING: Figures = ((0, None), (0, None))


def _figures(job: Job) -> Figures:
    if job.transfer is None:
        return _NOTHING
    result = job.transfer.result
    return (result.downloaded, result.expected), (result.uploaded, result.to_upload)
