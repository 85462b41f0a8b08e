"""A final response as its caller takes it: checked, decoded, counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.connection import Connection
from pycurl_redox.http1 import Response
from pycurl_redox.message import Head
from pycurl_redox.stream import Buffer

if TYPE_CHECKING:
    from pycurl_redox.decode import Decoder
    from pycurl_redox.fetch import Session
    from pycurl_redox.pace import Pace

CLOSE_TIME = 1.0
"""Seconds that a good-bye may take."""


class Incoming:
    """A final response: its head, and its body as the caller takes it."""

    def __init__(self, session: Session, connection: Connection, response: Response) -> None:
        self._session = session
        self._connection = connection
        self._response = response
        self._decoder: Decoder | None = None
        self._decoded: Iterator[Buffer] = iter(())
        self._is_ignored = False
        self.is_finished = False
        """All is read, or the rest given up."""
        self._pace: Pace | None = None
        self._held: Buffer = b""  # read, and held back by the pace
        self.head = response.head
        self.is_unmet = False
        """True when a condition says that there is nothing new: an empty body is then no empty file."""
        self.result = session.transfer.result

    @property
    def is_ready(self) -> bool:
        """Something of the body, or its end, is there already."""
        return self.is_finished or bool(self._connection.received) or self._connection.stream.is_stale

    @property
    def is_decoded(self) -> bool:
        """What is read is not what is on the wire, and its length is another."""
        return self._decoder is not None

    def check_head(self) -> None:
        """Find out from the head whether the body is wanted; FetchError when the transfer ends here."""
        config, head, result = self._session.transfer.config, self.head, self.result
        start = self._session.transfer.resume_from
        result.expected = self._response.content_length
        if start and head.status == 416 and self._session.transfer.method == "GET":
            self._is_ignored = True  # nothing is missing: what the server says to it is no part of the file
        if head.header(b"content-range") is not None and _range_start(head) < 0:
            start = 0  # `*`, or no number at all: no longer a resume, as curl has it
        if config.fail and head.status >= 400 and not (start and head.status == 416):
            raise errors.http_returned(head.status)
        is_bare = head.status in (204, 304) or result.expected == 0
        if start and self._session.transfer.method == "GET" and not (self._is_ignored or is_bare):
            if _range_start(head) != start and result.expected == start:
                self._session.observer.note("The entire document is already downloaded")
                self._response.is_complete = True
                self._connection.is_reusable = False
            elif _range_start(head) != start:
                raise errors.RangeError("HTTP server doesn't seem to support byte ranges. Cannot resume.")
        self.is_unmet = head.status == 304
        if config.time_condition and not config.range and head.status != 304:
            self._check_time(config.time_condition, config.condition_time)
        if not config.raw:
            self._choose_decoder()
        if config.limit_rate:
            from pycurl_redox.pace import Pace

            self._pace = Pace(config.limit_rate)

    async def read(self) -> Buffer:
        """Return the next octets, decoded, empty at the end; a view is good until the next call."""
        if self.is_finished:
            return b""
        session = self._session
        try:
            while True:
                session.check_time()  # each time round: what comes in may stand for nothing, endlessly
                for piece in self._decoded:
                    if len(piece):
                        return piece
                data = await (
                    self._response.read(session.read_deadline())
                    if self._pace is None
                    else self._slowly(self._pace)
                )
                if not len(data):
                    if self._decoder is not None and self.result.downloaded:
                        self._decoder.finish()
                    await self._finish()
                    return b""
                if self._is_ignored:
                    continue
                self._count(len(data))
                if self._decoder is None:
                    return data
                self._decoded = self._decoder.decode(data)
        except BaseException as error:
            self.is_finished = True
            session.mark("total")
            raise session.ended(self._connection, error) from error

    async def _slowly(self, pace: Pace) -> Buffer:
        """Read as --limit-rate says: a large piece is handed on in small ones."""
        session = self._session
        if not len(self._held):
            self._held = await self._response.read(session.read_deadline())
        held = memoryview(self._held)
        await pace.wait(session.network.now(), session.deadline)
        piece, self._held = held[: pace.piece], held[pace.piece :]
        pace.passed(len(piece))
        return piece

    def close(self) -> None:
        """Give up the rest of the body, and the connection with it."""
        if not self.is_finished:
            self.is_finished = True
            self._session.drop(self._connection)
            self._session.mark("total")

    async def _finish(self) -> None:
        self.is_finished = True
        session, connection = self._session, self._connection
        session.mark("total")
        session.observer.transfer_ended()
        if connection.is_reusable:
            session.observer.note(f"Connection #{connection.number} to host {connection.name} left intact")
            session.fetcher.pool.give(connection)
        else:
            session.observer.note(f"Closing connection {connection.number}")
            await connection.close(session.network.now() + CLOSE_TIME)

    def _count(self, octets: int) -> None:
        self.result.downloaded += octets
        limit = self._session.transfer.config.max_filesize
        if limit and self.result.downloaded > limit:
            raise errors.FileSizeExceededError("Maximum file size exceeded")

    def _choose_decoder(self) -> None:
        """The transfer's codings lie around the content's (RFC 9112 §6.1)."""
        codings = self.head.values_of(b"transfer-encoding")
        if codings == [b"chunked"]:
            codings = []
        if self._session.transfer.config.compressed:
            codings = self.head.values_of(b"content-encoding") + codings
        if codings:
            from pycurl_redox.decode import content_decoder

            self._decoder = content_decoder(b",".join(codings).decode("latin-1"), transfer=True)

    def _check_time(self, condition: str, moment: int) -> None:
        """RFC 9110 §13.1.3, for servers that know no conditions."""
        from pycurl_redox.dates import parse_date

        value = self.head.header(b"last-modified")
        modified = parse_date(value.decode("latin-1")) if value else None
        if not modified or not moment:
            return
        if condition == "if-unmodified-since":
            is_wanted = modified < moment
        else:
            is_wanted = modified > moment
        if not is_wanted:
            words = "old" if condition == "if-unmodified-since" else "new"
            self._session.observer.note(f"The requested document is not {words} enough")
            self.is_unmet = True
            self._response.is_complete = True
            self._connection.is_reusable = False
            self.result.status = 304


def _range_start(head: Head) -> int:
    """RFC 9110 §14.4: where the part begins that came; -1 when none did."""
    value = head.header(b"content-range") or b""
    start = next((at for at, octet in enumerate(value) if octet in b"0123456789*"), len(value))
    digits = value[start:].partition(b"-")[0].strip()  # whatever the unit is called, as in curl
    return int(digits) if digits.isdigit() else -1
