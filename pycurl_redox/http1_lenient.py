"""Heads that h11 refuses and curl takes; loaded only when one of them comes by.

Sent: HTTP/1.0, targets with raw octets, odd header names and values.
Received: reason phrases and field values with any octets, odd status codes,
transfer codings other than chunked, HTTP/2 as the name of the version, which
some servers write where they speak HTTP/1.1.
"""

from __future__ import annotations

from pycurl_redox import errors
from pycurl_redox.message import AsTyped, Head, Headers


def build_head(method: bytes, target: bytes, http_version: bytes, headers: Headers) -> bytes:
    """Write a head as it is given; only what would end a line early is refused."""
    lines = [b"%s %s HTTP/%s" % (method, target, http_version)]
    for name, value in headers:
        lines.append(name + (b": " if value and not isinstance(value, AsTyped) else b":") + value)
    for line in lines:
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise errors.UsageError("HTTP: a line end or NUL inside a request line or header", 43)
    return b"\r\n".join(lines) + b"\r\n\r\n"


class BadLineError(errors.WeirdReplyError):
    """A head with a line that is none; `good` octets stand before it."""

    def __init__(self, text: str, good: int) -> None:
        super().__init__(text)
        self.good = good


def excess(block: bytes, before: int, max_line: int, max_head: int) -> tuple[int, errors.FetchError] | None:
    """Return how much of a head came before it went too far, and the error; None while it has not.

    How the octets were cut makes no difference: a line counts when it is whole.
    """
    *lines, begun = block.split(b"\n")
    good = 0
    for line in lines:
        if len(line) > max_line:
            return good, errors.TooLargeError()
        good += len(line) + 1
        if before + good > max_head:
            text = f"Too large response headers: {before + good} > {max_head}"
            return good, errors.ReceiveFailedError(text)
    return (good, errors.TooLargeError()) if len(begun) > max_line else None


def parse_head(raw: bytes) -> Head:
    """Read a block of whole lines; FetchError with curl's exit code for what curl refuses as well."""
    if b"\0" in raw:
        raise BadLineError("Nul byte in header", raw.rfind(b"\n", 0, raw.index(b"\0")) + 1)
    lines = [line.rstrip(b"\r") for line in raw.split(b"\n")]
    version, status, reason = _parse_status_line(lines[0])
    headers: Headers = []
    good = raw.find(b"\n") + 1
    for line in lines[1:]:
        if not line:
            break
        line_end = raw.find(b"\n", good) + 1
        if line[:1] in (b" ", b"\t") and headers:
            name, value = headers[-1]
            headers[-1] = (name, value + b" " + line.strip())
            good = line_end
            continue
        name, colon, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            raise BadLineError("Header without colon", good)
        if name == b"content-length" and not value[:1].isdigit():
            raise BadLineError("Invalid Content-Length: value", good)
        headers.append((name, value))
        good = line_end
    return Head(version, status, reason, headers, raw)


def _parse_status_line(line: bytes) -> tuple[bytes, int, bytes]:
    """`HTTP/1.x NNN anything`; three digits are read and what follows is the reason."""
    version, _, rest = line[len(b"HTTP/") :].partition(b" ")
    rest = rest.lstrip(b" ")
    digits = 0
    while digits < 3 and rest[digits : digits + 1].isdigit():
        digits += 1
    if version == b"2.0":
        version = b"2"
    if version not in (b"1.0", b"1.1", b"2") or not digits:
        raise errors.UnsupportedProtocolError(
            f"Unsupported HTTP version{_shown(version, digits)} in response"
        )
    if int(rest[:digits]) < 100 or rest[digits : digits + 1].isdigit():
        raise errors.UnsupportedProtocolError("Unsupported response code in HTTP response")
    return version, int(rest[:digits]), rest[digits:].strip()


def _shown(version: bytes, digits: int) -> str:
    """A version is told of when it is one, and stands before a status; before HTTP/2 they have two digits."""
    if not digits:
        return ""
    if len(version) == 3 and version[:1].isdigit() and version[1:2] == b"." and version[2:].isdigit():
        return f" ({version.decode()})"
    return f" ({version.decode()}.0)" if len(version) == 1 and version.isdigit() and version > b"1" else ""
