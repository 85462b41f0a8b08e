"""The body of a request on its way out, beside the response that may come before it has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pycurl_redox.stream import Buffer
from pycurl_redox.upload import BytesBody
from tcpip.errors import TimedOutError
from tcpip.scheduler import Signal

if TYPE_CHECKING:
    from pycurl_redox.http1 import HttpConnection
    from pycurl_redox.message import Request, WaitFor
    from pycurl_redox.pace import Pace

SENT_WITH_HEAD = 64 * 1024
"""Octets of -d that curl sends in one piece with the head, and counts with it."""

LAST_CHUNK = b"0\r\n\r\n"
"""RFC 9112 §7.1, with no trailers."""

UPLOAD_PIECE = 256 * 1024
"""Octets read from the body at once."""


class Upload:
    """The sending side of one exchange: how far the body is."""

    __slots__ = (
        "_body_error",
        "_changed",
        "_error",
        "_now",
        "_pace",
        "_request",
        "_size",
        "_source",
        "_untold",
        "_wait_for",
        "connection",
        "goes_by_itself",
        "is_done",
    )

    def __init__(self, connection: HttpConnection, request: Request, wait_for: WaitFor | None = None) -> None:
        self.connection = connection
        self._request = request
        self._changed = Signal()
        self._error: Exception | None = None
        self._body_error: Exception | None = None
        self._untold: list[Buffer] = []
        self._pace: Pace | None = None
        self._size = UPLOAD_PIECE
        self._wait_for = wait_for
        self._source = request.body.source if request.body is not None and wait_for is not None else None
        self.is_done = request.body is None
        # curl has nothing to say of data that it sends in one piece with the head.
        self.goes_by_itself = request.body is not None and not (
            isinstance(request.body, BytesBody)
            and len(request.body) <= SENT_WITH_HEAD
            and not request.expects_continue
        )

    def hold_to(self, rate: int, now: Callable[[], float]) -> None:
        """Send no more than so many octets a second."""
        from pycurl_redox.pace import Pace

        self._pace, self._now = Pace(rate), now
        self._size = min(UPLOAD_PIECE, self._pace.piece)

    def inline(self) -> list[Buffer]:
        """Return the first piece, or the whole of a small body, to go out at once."""
        if self.is_done or self._source is not None:
            return []
        return self._next_piece()

    def tell(self) -> None:
        """Count and show what has just been written; chunks with their framing, as curl does."""
        observer = self.connection.observer
        for data in self._untold:
            if data is LAST_CHUNK:
                observer.note("Signaling end of chunked upload via terminating chunk.")
            self.connection.body_sent += len(data)
            observer.data_out(data)
        if self._untold and self.is_done and self.goes_by_itself and not self._request.is_chunked:
            observer.note("We are completely uploaded and fine")
        self._untold = []

    async def run(self, deadline: float | None) -> None:
        """Send what is left."""
        stream = self.connection.stream
        try:
            while not self.is_done:
                if self._pace is not None:
                    await self._pace.wait(self._now(), deadline)
                if self._source is not None and self._wait_for is not None:
                    from tcpip.descriptors import READABLE

                    if not await self._wait_for(self._source, READABLE, deadline):
                        raise TimedOutError("HTTP: nothing to upload in time")
                await stream.write(self._next_piece(), deadline)
                self.tell()
        except Exception as error:  # whatever it is, `finished` raises it where the response is waited for
            self._error = error
            if self._body_error is not None:
                stream.abort()  # half a request gets no answer: whoever waits for one is woken
        finally:
            self._changed.fire()

    async def finished(self, deadline: float | None) -> None:
        """Wait for `run`, when the response has come before the body was out."""
        while not self.is_done and self._error is None:
            if not await self._changed.wait(deadline):
                raise TimedOutError("HTTP: the upload")
        self.raise_error()

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def raise_body_error(self) -> None:
        """Raise what the body's own source has raised: it goes before what came of it on the connection."""
        if self._body_error is not None:
            raise self._body_error

    def _read_body(self, size: int) -> Buffer:
        assert self._request.body is not None
        try:
            return self._request.body.read(size)
        except Exception as error:
            self._body_error = error
            raise

    def _next_piece(self) -> list[Buffer]:
        """Read a piece of the body and frame it; sets `is_done` with the last one."""
        body = self._request.body
        assert body is not None
        data = self._read_body(self._size)
        if self._pace is not None:
            self._pace.passed(len(data))
        ended = not len(data)
        if not ended and body.length is not None:
            ended = body.is_at_end
        self.is_done = ended
        pieces: list[Buffer] = [data] if len(data) else []
        if self._request.is_chunked:
            if pieces:
                pieces = [b"".join([b"%x\r\n" % len(data), data, b"\r\n"])]
            if ended:
                pieces = [*pieces, LAST_CHUNK] if self.goes_by_itself else [b"".join([*pieces, LAST_CHUNK])]
        self._untold = pieces
        return pieces
