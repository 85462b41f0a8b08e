"""Chunked bodies on their way in (RFC 9112 §7.1), read as leniently as curl reads them.

    decoder.receive_data(data)
    while (event := decoder.next_event()) is not None:
        ...

A line may end with a bare LF, and whatever stands between a size and the end
of its line is passed over: extensions, blanks, and what is neither.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from pycurl_redox import errors
from pycurl_redox.http1 import MAX_HEAD
from pycurl_redox.stream import Buffer

if TYPE_CHECKING:
    from pycurl_redox.http1 import HttpConnection

MAX_SIZE_DIGITS = 16
"""Leading zeros count, as in curl."""
MAX_SIZE = (1 << 63) - 1
MAX_TRAILER = 4095
"""Octets of one trailer line, as in curl."""

_HEX = b"0123456789abcdefABCDEF"
_CR, _LF = 0x0D, 0x0A


class Trailer(NamedTuple):
    """One line behind the last chunk, without its end."""

    line: bytes


class _State(Enum):
    SIZE = auto()
    SIZE_LINE = auto()
    """Behind the digits, on the way to the LF."""
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    TRAILER_END = auto()
    """Behind a trailer's CR: nothing but LF."""
    LAST_LF = auto()
    ENDED = auto()


class ChunkDecoder:
    """Octets in; out come views of the body's, good until the next input, and trailers."""

    def __init__(self) -> None:
        self._state = _State.SIZE
        self._data = memoryview(b"")
        self._at = 0
        self._line = bytearray()
        """What has come of a size or a trailer."""
        self._left = 0

    @property
    def has_ended(self) -> bool:
        return self._state is _State.ENDED

    @property
    def may_end(self) -> bool:
        """All has come but the very last LF, which curl does not miss when the connection ends."""
        return self._state is _State.LAST_LF

    @property
    def unused(self) -> memoryview:
        """What has come behind the body's end."""
        return self._data[self._at :]

    def receive_data(self, data: Buffer) -> None:
        """Take the next octets, once `next_event` has returned None."""
        self._data = memoryview(data)
        self._at = 0

    def next_event(self) -> memoryview | Trailer | None:
        """Return a piece of the body or a trailer; None for need of data, and at the end."""
        while self._at < len(self._data) and not self.has_ended:
            event = self._step()
            if event is not None:
                return event
        return None

    def _step(self) -> memoryview | Trailer | None:
        octet = self._data[self._at]
        match self._state:
            case _State.SIZE:
                self._read_size()
            case _State.SIZE_LINE:
                self._at += 1
                if octet == _LF:
                    self._state = _State.DATA if self._left else _State.TRAILER
            case _State.DATA:
                return self._take()
            case _State.DATA_END:
                self._at += 1
                if octet == _LF:
                    self._state = _State.SIZE
                elif octet != _CR:
                    raise _fault("Malformed encoding found")
            case _State.TRAILER:
                return self._read_trailer()
            case _State.TRAILER_END | _State.LAST_LF:
                if octet != _LF:
                    raise _fault("Malformed encoding found")
                self._at += 1
                self._state = _State.TRAILER if self._state is _State.TRAILER_END else _State.ENDED
            case _State.ENDED:
                pass
        return None

    def _read_size(self) -> None:
        octet = self._data[self._at]
        if octet in _HEX:
            if len(self._line) == MAX_SIZE_DIGITS:
                raise _fault("Too long hexadecimal number")
            self._line.append(octet)
            self._at += 1
            return
        size = int(self._line, 16) if self._line else MAX_SIZE + 1
        if size > MAX_SIZE:
            raise _fault("Illegal or missing hexadecimal sequence")
        self._line.clear()
        self._left = size
        self._state = _State.SIZE_LINE

    def _take(self) -> memoryview:
        piece = self._data[self._at : self._at + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        if not self._left:
            self._state = _State.DATA_END
        return piece

    def _read_trailer(self) -> Trailer | None:
        octet = self._data[self._at]
        if octet not in (_CR, _LF):
            if len(self._line) == MAX_TRAILER:
                raise _fault("Out of memory")
            self._line.append(octet)
            self._at += 1
            return None
        if not self._line:
            self._at += octet == _CR
            self._state = _State.LAST_LF
            return None
        line = bytes(self._line)
        self._line.clear()
        self._at += octet == _CR
        self._state = _State.TRAILER_END
        return Trailer(line)


class ChunkedReader:
    """The body of one response, in chunks."""

    __slots__ = ("_connection", "_decoder", "_framing", "is_empty", "left", "length")

    def __init__(self, connection: HttpConnection) -> None:
        self._connection = connection
        self._decoder = ChunkDecoder()
        self._framing = 0
        """Octets that have come since the last of the body: extensions and trailers have to end somewhere."""
        self.length: int | None = None
        self.left: int | None = None
        self.is_empty = False

    async def read(self, deadline: float | None) -> Buffer:
        while not self._decoder.has_ended:
            event = self._next_event()
            if isinstance(event, Trailer):
                self._take_trailer(event.line)
            elif event is not None:
                self._framing = 0
                return event
            elif self._decoder.has_ended:
                self._connection.received += self._decoder.unused
            elif not len(data := await self._receive(deadline)):
                break
            else:
                self._framing += len(data)
                if self._framing > MAX_HEAD:
                    self._connection.is_reusable = False
                    raise _fault(f"More than {MAX_HEAD} octets without data")
        return b""

    def _take_trailer(self, line: bytes) -> None:
        if b"\0" in line or not (b":" in line or line[0] in b" \t"):
            self._connection.is_reusable = False
            raise errors.BadArgumentError("Failed reading the chunked-encoded stream")
        self._connection.observer.trailer_in(line + b"\r\n")

    def _next_event(self) -> memoryview | Trailer | None:
        try:
            return self._decoder.next_event()
        except errors.FetchError:
            self._connection.is_reusable = False
            raise

    async def _receive(self, deadline: float | None) -> Buffer:
        """Give the decoder what comes next and return it; empty where nothing is missing at the end."""
        connection = self._connection
        if connection.received:
            data: Buffer = connection.take_received()
        else:
            data = await connection.read_framed(deadline)
            if not len(data):
                connection.is_reusable = False
                if self._decoder.may_end:
                    return data
                raise errors.chunked_transfer_closed()
        connection.observer.data_in(data)
        self._decoder.receive_data(data)
        return data


class RawChunkedReader(ChunkedReader):
    """--raw: the framing is read for its end, and handed on as it is."""

    __slots__ = ("_failure",)

    def __init__(self, connection: HttpConnection) -> None:
        super().__init__(connection)
        self._failure: errors.FetchError | None = None

    async def read(self, deadline: float | None) -> Buffer:
        if self._failure is not None:
            raise self._failure
        if self._decoder.has_ended:
            return b""
        data = await self._receive(deadline)
        try:
            while self._next_event() is not None:
                pass
        except errors.FetchError as error:
            self._failure = error  # what stands before the fault is handed on
            return data
        if not self._decoder.has_ended:
            return data
        beyond = self._decoder.unused
        self._connection.received += beyond
        return data[: len(data) - len(beyond)]


def _fault(what: str) -> errors.ReceiveFailedError:
    return errors.ReceiveFailedError(f"{what} in chunked-encoding")
