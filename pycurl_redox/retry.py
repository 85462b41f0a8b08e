"""Whether a transfer that failed is tried again, and when: --retry and what goes with it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from pycurl_redox import errors
from tcpip.clock import wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycurl_redox.config import OperationConfig
    from pycurl_redox.transfer import Transfer

HTTP_PROBLEM = ": HTTP error"
TOO_LATE = "The Retry-After: time would make this command line exceed the maximum allowed time for retries."
RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)
FIRST_DELAY = 1.0
LAST_DELAY = 600.0


class Retries:
    """The tries that one transfer has left, and the waits between them, each twice as long as the last."""

    def __init__(self, config: OperationConfig, began: float) -> None:
        self._config = config
        self._began = began
        self._left = config.retry
        self._delay = FIRST_DELAY

    def wait(
        self,
        transfer: Transfer,
        error: errors.FetchError | None,
        now: float,
        complain: Callable[[errors.FetchError], None],
        warn: Callable[[str], None],
    ) -> float | None:
        """Return how long to wait before the next try, and say why there is one; None when there is none."""
        config = self._config
        if not self._left:
            return None
        problem = self._problem(transfer, error)
        if problem is None:
            return None
        wait = float(config.retry_delay) or self._delay
        longest, spent = config.retry_max_time or inf, now - self._began
        if spent >= longest:
            return None  # a wait of one's own may end later, as in curl; only the server's is judged before
        header = transfer.result.header(b"retry-after") if problem == HTTP_PROBLEM else None
        if header and (after := retry_after(header, wall_clock())):
            wait = after
            if spent + wait > longest:
                warn(TOO_LATE)
                return None
        if error is not None:
            complain(error)
        warn(f"Problem {problem}. Will retry in {wait:.0f} seconds. {self._left} retries left.")
        self._left -= 1
        self._delay = min(self._delay * 2, LAST_DELAY)
        return wait

    def _problem(self, transfer: Transfer, error: errors.FetchError | None) -> str | None:
        """Say why another try may help, in curl's words."""
        config, status = self._config, transfer.result.status
        if isinstance(error, errors.OperationTimedOutError):
            return ": timeout"
        if isinstance(error, errors.ResolveFailedError | errors.ProxyResolveError):
            return ": timeout"
        if isinstance(error, errors.ConnectFailedError) and error.was_refused and config.retry_connrefused:
            return ": connection refused"
        if status in RETRIED_STATUSES and (error is None or isinstance(error, errors.HttpReturnedError)):
            return HTTP_PROBLEM
        if error is not None and config.retry_all_errors:
            return "(retrying all errors)"
        return None


def retry_after(value: bytes, now: float) -> float | None:
    """RFC 9110 §10.2.3: seconds, or a date; None for what is neither, or is over."""
    if value.isdigit():
        return float(value) if len(value) < 10 else None
    from pycurl_redox.dates import parse_date

    moment = parse_date(value.decode("latin-1"))
    return float(moment - int(now)) if moment is not None and moment > now else None
