"""What goes between HTTP and its callers: requests, heads, bodies, and who watches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from pycurl_redox.stream import Buffer

Headers = list[tuple[bytes, bytes]]

CONTINUE_WAIT = 1.0  # seconds that curl waits for a 100


class AsTyped(bytes):
    """A header's value with all that stood behind the colon: it goes out as it was typed."""

    __slots__ = ()


class Body(Protocol):
    """What a request carries; read once, and again from the start after `rewind`."""

    @property
    def source(self) -> int | None:
        """A descriptor that has to be waited for before each `read`; None when there is always something."""

    @property
    def length(self) -> int | None:
        """Octets in all, None when nobody knows before the end."""

    def read(self, size: int) -> Buffer:
        """Return up to `size` octets, empty at the end."""

    @property
    def is_at_end(self) -> bool:
        """True when all of a known length is read."""

    def rewind(self) -> None:
        """Start again; FetchError (exit 65) when that cannot be."""


class Observer:
    """Sees what passes on the wire; this one looks away."""

    is_tunnel = False
    """Set while heads are a proxy's answers to CONNECT."""
    traces_tls = False
    """Whether TLS is to tell of each message."""

    def header_out(self, data: bytes) -> None: ...
    def data_out(self, data: Buffer) -> None: ...
    def head_in(self, head: Head) -> None: ...
    def data_in(self, data: Buffer) -> None: ...
    def trailer_in(self, line: bytes) -> None: ...
    def file_header(self, line: bytes) -> None: ...
    def tls_message(self, outgoing: bool, length: int) -> None: ...
    def note(self, text: str) -> None: ...
    def transfer_began(self) -> None: ...
    def hop_ended(self, received: int, expected: int | None) -> None: ...
    def transfer_ended(self) -> None: ...

    def aside(self) -> Observer:
        """Return who sees a request that only serves this transfer, such as one for a name."""
        return Observer()


class Request(NamedTuple):
    """One request as it goes out: the headers in their order, framing ones included."""

    method: bytes
    target: bytes
    headers: Headers
    body: Body | None = None
    is_chunked: bool = False
    expects_continue: bool = False
    http_version: bytes = b"1.1"
    wants_no_body: bool = False
    """`-I`, whatever the method is called: the body of the response is not read."""


class Head:
    """A response's status line and headers; `raw` is the block as it arrived, the empty line included.

    The names of `headers` are in lower case.
    """

    __slots__ = (
        "_first",
        "goes_on",
        "headers",
        "http_version",
        "is_too_long",
        "notes",
        "raw",
        "reason",
        "status",
    )

    def __init__(self, http_version: bytes, status: int, reason: bytes, headers: Headers, raw: bytes) -> None:
        self.http_version = http_version
        self.status = status
        self.reason = reason
        self.headers = headers
        self.raw = raw
        self.goes_on = False
        """A challenge that is answered: the response comes to nothing, and is no failure."""
        self.is_too_long = False
        """It announces a body that is longer than anyone wants."""
        self.notes: list[tuple[bytes, list[str]]] = []
        """What `-v` says ahead of headers, by their names and in their order; b"" is the line at the end."""
        self._first = dict(reversed(headers))

    @property
    def is_whole(self) -> bool:
        """The empty line at its end has come."""
        return self.raw.endswith((b"\n\r\n", b"\n\n"))

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, whose name is given in lower case."""
        return self._first.get(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Head) and (self.raw, self.headers) == (other.raw, other.headers)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Head({self.raw!r})"

    def values_of(self, name: bytes) -> list[bytes]:
        """Return every value of a header, whose name is given in lower case."""
        if name not in self._first:
            return []
        return [value for key, value in self.headers if key == name]

    def original_headers(self) -> Headers:
        """Return the headers with their names as they were spelled."""
        pairs = (line.partition(b":") for line in self.lines()[1:] if line[:1] not in b" \t")
        return [(name.strip(), value.strip()) for name, colon, value in pairs if colon]

    def lines(self) -> list[bytes]:
        """Return the block line by line, line ends included."""
        return [line + b"\n" for line in self.raw.split(b"\n")[:-1]]


WaitFor = Callable[[int, int, float | None], Awaitable[bool]]
"""`NetworkLike.wait_for`"""


class Policy(NamedTuple):
    """What the caller lets a response do."""

    http09_allowed: bool = False
    ignore_content_length: bool = False
    raw: bool = False  # chunked framing is handed on as it is
    max_length: int = 0  # of any body that a head announces, were it of no use; 0 is no limit
    continue_wait: float = CONTINUE_WAIT
    rate: int = 0  # octets a second at most, each way; 0 is no limit
    wait_for: WaitFor | None = None  # waits for a body that is a pipe; None: its `read` waits
