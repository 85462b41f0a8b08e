"""A transfer that is tried again: what its file holds, and how the next try goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.resume import BrokenBody, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycurl_redox.config import OperationConfig
    from pycurl_redox.message import Head
    from pycurl_redox.output import Output
    from pycurl_redox.transfer import Transfer


class Continuation:
    """Between the tries of one transfer: decides what of its output stays.

    `note` is for `-v`, `thrown_away` is told how many octets are given up.
    """

    def __init__(
        self,
        config: OperationConfig,
        output: Output,
        note: Callable[[str], None],
        thrown_away: Callable[[int], None],
    ) -> None:
        self._config = config
        self._output = output
        self._note = note
        self._thrown_away = thrown_away
        self._broken: BrokenBody | None = None
        self._head: Head | None = None
        """Of the body that this try has begun to write."""
        self._resumed = 0
        """Octets written that -C counts in already."""
        self.asks_for_whole = False
        """The answer was of no use: another is to be had at once, and without a range."""

    def headers(self) -> list[str]:
        """What the next request says more than the first."""
        return self._broken.headers() if self._broken is not None else []

    def begin(self) -> None:
        """Begin a try."""
        self._head = None
        self.asks_for_whole = False

    def left_out(self, head: Head, expected: int | None) -> int | None:
        """Take a head that came: how much of its body is there already; None when none of it is wanted."""
        broken = self._broken
        goes_on_otherwise = self._config.continue_at is not None or self._config.include
        if broken is not None and goes_on_otherwise and not (200 <= head.status < 300 or head.status == 416):
            return None
        if broken is None or goes_on_otherwise:
            self._head = head
            return 0
        verdict = broken.judge(head)
        self._note(f"{broken.held} bytes are here already; the answer is {verdict.value}")
        if verdict is Verdict.NO_BODY:
            return None
        if verdict is Verdict.MISMATCH:
            broken.validator = None
            self.asks_for_whole = True
            self._start_over()
            return None
        limit = self._config.max_filesize
        if limit and verdict is Verdict.REST and broken.held + (expected or 0) > limit:
            raise errors.FileSizeExceededError("Maximum file size exceeded")
        if verdict is Verdict.OTHER:
            self._start_over()
        self._head = head
        return broken.held if verdict is Verdict.SAME else 0

    def ended(self, transfer: Transfer, error: errors.FetchError | None) -> errors.FetchError | None:
        """End a try; return its error, or that of the body that is broken still."""
        head, output, broken = self._head, self._output, self._broken
        if head is None:
            return error or (broken.error if broken is not None else None)
        if error is None or not 200 <= head.status < 300:
            self._broken = None
        elif output.written and output.is_regular and not output.is_starting_over:
            if broken is None or head.status != 206:
                broken = self._broken = BrokenBody(head, output.written, error)
            broken.held, broken.error = output.written, error
            if not self._may_ask_for_rest(transfer):
                broken.validator = None
        return error

    def plan(self, transfer: Transfer) -> None:
        """Make ready for another try: WriteFailedError where what was written cannot be taken back."""
        broken = self._broken
        if broken is not None and self._config.continue_at is not None and transfer.method == "GET":
            transfer.resume_from += self._output.written - self._resumed
            self._resumed = self._output.written
        elif broken is None or broken.validator is None:
            self._start_over()

    def _may_ask_for_rest(self, transfer: Transfer) -> bool:
        """What was written is what a range counts, and the user has no part of the request in hand."""
        config = self._config
        if transfer.method != "GET" or config.compressed or config.tr_encoding or config.raw:
            return False
        if config.include:
            return False
        if config.range or config.continue_at is not None or config.time_condition or config.etag_compare:
            return False
        names = {line.partition(":")[0].strip().lower() for line in config.headers}
        return not names & {"range", "if-range"}

    def _start_over(self) -> None:
        output = self._output
        if output.path is None:
            output.written = 0
        elif output.written and not output.is_starting_over:
            output.start_over(keeps=self._broken is not None)
            self._thrown_away(output.written)
