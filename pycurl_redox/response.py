"""What the library gives back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pycurl_redox.stream import Buffer

if TYPE_CHECKING:
    from pycurl_redox.message import Head
    from pycurl_redox.transfer import Result, Transfer
    from tls.certificates import Certificate


class HeaderMap(Mapping[str, str]):
    """Headers in their order; case does not matter, and a name may come several times."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def __getitem__(self, name: str) -> str:
        """All values of a name, with commas between them (RFC 9110 §5.3)."""
        values = self.values_of(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def values_of(self, name: str) -> list[str]:
        """Return each value of a name: that of Set-Cookie must not be joined."""
        wanted = name.lower()
        return [value for key, value in self.pairs if key.lower() == wanted]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.lower() for key, _ in self.pairs))

    def __len__(self) -> int:
        return len({key.lower() for key, _ in self.pairs})

    def __repr__(self) -> str:
        return f"HeaderMap({self.pairs!r})"


class Timings(NamedTuple):
    """Seconds since the call, when each step was done; 0 for a step that a kept connection spared."""

    dns: float
    connect: float
    tls: float
    first_byte: float
    total: float


class TlsInfo(NamedTuple):
    """What the handshake agreed upon."""

    version: str
    cipher_suite: str
    group: str
    alpn: str | None
    is_resumed: bool


class Response:
    """A final response; `history` has those that led to it."""

    def __init__(self, transfer: Transfer, head: Head, history: list[Head], content: bytes) -> None:
        self._result: Result = transfer.result
        self._url = transfer.url
        self._headers: HeaderMap | None = None
        self._history = history
        self.head = head
        self.status = head.status
        self.reason = head.reason.decode("latin-1")
        self.http_version = head.http_version.decode("ascii")
        self.content = content

    @property
    def url(self) -> str:
        """The URL that answered, at the end of all redirects."""
        return self._url.text()

    @property
    def headers(self) -> HeaderMap:
        if self._headers is None:
            self._headers = _header_map(self.head)
        return self._headers

    @property
    def history(self) -> list[tuple[int, HeaderMap]]:
        """Status and headers of each response that led here."""
        return [(earlier.status, _header_map(earlier)) for earlier in self._history]

    @property
    def body(self) -> bytes:
        return self.content

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def raw_head(self) -> bytes:
        """The head as it came, octet for octet."""
        return self.head.raw

    @property
    def charset(self) -> str:
        """What Content-Type says, else UTF-8."""
        for parameter in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip("\"'")
        return "utf-8"

    @property
    def text(self) -> str:
        """The body as text; octets that are none become U+FFFD."""
        try:
            return self.content.decode(self.charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Read the body as JSON; ValueError when it is none."""
        import json

        return json.loads(self.content)

    def raise_for_status(self) -> Response:
        """Raise `HttpReturnedError` for a status of 400 or more; else return the response."""
        if self.status >= 400:
            from pycurl_redox import errors

            raise errors.http_returned(self.status)
        return self

    @property
    def timings(self) -> Timings:
        """When each step was done; with a streamed body `total` is known at its end."""
        result = self._result
        return Timings(
            result.name_lookup, result.connect, result.app_connect, result.start_transfer, result.total
        )

    @property
    def remote(self) -> tuple[str, int]:
        return self._result.remote

    @property
    def local(self) -> tuple[str, int]:
        return self._result.local

    @property
    def certificate(self) -> Certificate | None:
        """The server's certificate; None over http."""
        return self._result.tls.peer_certificate if self._result.tls is not None else None

    @property
    def tls(self) -> TlsInfo | None:
        """What TLS agreed upon; None over http."""
        done = self._result.tls
        if done is None:
            return None
        from tls.config import CIPHER_SUITE_NAMES, GROUP_NAMES, VERSION_NAMES

        return TlsInfo(
            VERSION_NAMES[done.version],
            CIPHER_SUITE_NAMES[done.cipher_suite],
            GROUP_NAMES.get(done.group, f"0x{done.group:04x}"),
            done.alpn.decode("latin-1") if done.alpn is not None else None,
            done.is_resumed,
        )

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"


def _header_map(head: Head) -> HeaderMap:
    return HeaderMap([(k.decode("latin-1"), v.decode("latin-1")) for k, v in head.headers])


__all__ = ["Buffer", "HeaderMap", "Response", "Timings", "TlsInfo"]
