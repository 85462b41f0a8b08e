"""A body that broke off, and the rest of it: ranges and their conditions (RFC 9110 §13.1.5, §14).

    broken = BrokenBody(head, held, error)
    request.headers += broken.headers()           # empty: the whole has to be asked for
    match broken.judge(head_of_the_answer): ...

Octets are added only to octets of the same representation.  A strong validator
says so; without one, or against the server's word, the body is taken from its
beginning again.  What is held is given up when another whole body has begun,
and not before.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurl_redox.errors import FetchError
    from pycurl_redox.message import Head


class Verdict(Enum):
    """What an answer to the next try is."""

    REST = "the rest"
    SAME = "the whole of the same, whose beginning is left out"
    OTHER = "another whole, which takes their place"
    MISMATCH = "neither the rest nor the whole, which is asked for"
    NO_BODY = "an error, and they are kept"


class BrokenBody:
    """What is held of a body whose transfer broke off, and what the server said of the whole."""

    def __init__(self, head: Head, held: int, error: FetchError) -> None:
        self.held = held
        """Octets of it that are on disk."""
        self.error = error
        """How the last try that brought some of it ended."""
        self.validator = strong_validator(head)
        self._length = _length(head)
        self._ranges_refused = (head.header(b"accept-ranges") or b"").strip().lower() == b"none"

    def headers(self) -> list[str]:
        """What asks for the rest; nothing where that could not be trusted to be of the same body."""
        if not self.held or self.validator is None or self._ranges_refused:
            return []
        return [f"Range: bytes={self.held}-", f"If-Range: {self.validator.decode('latin-1')}"]

    def judge(self, head: Head) -> Verdict:
        """Compare an answer with what is held."""
        if head.status == 206 and self.headers():
            return Verdict.REST if self._is_rest(head) else Verdict.MISMATCH
        if head.status == 416 and self.headers():
            return Verdict.MISMATCH
        if not 200 <= head.status < 300:
            return Verdict.NO_BODY
        is_same = self.validator is not None and strong_validator(head) == self.validator
        return Verdict.SAME if is_same and head.status == 200 else Verdict.OTHER

    def _is_rest(self, head: Head) -> bool:
        """RFC 9110 §14.4, §15.3.7.2: one part, from where we stand to the end of what we began with."""
        found = content_range(head.header(b"content-range") or b"")
        if found is None:
            return False
        first, last, length = found
        if first != self.held or last + 1 != length or self._length not in (None, length):
            return False
        if _length_of_part(head) not in (None, length - first):
            return False
        name = b"etag" if (self.validator or b"").startswith(b'"') else b"last-modified"
        return head.header(name) in (None, self.validator)


def strong_validator(head: Head) -> bytes | None:
    """RFC 9110 §8.8: the ETag if it is strong; Last-Modified if there is no ETag and it is old enough.

    §13.1.5: with an ETag, though a weak one, the date must not be used in If-Range.
    """
    etag = head.header(b"etag")
    if etag is not None:
        return etag if len(etag) > 1 and etag.startswith(b'"') and etag.endswith(b'"') else None
    modified, date = head.header(b"last-modified"), head.header(b"date")
    if modified is None or date is None:
        return None
    from pycurl_redox.dates import parse_date

    changed, sent = parse_date(modified.decode("latin-1")), parse_date(date.decode("latin-1"))
    return modified if changed is not None and sent is not None and sent > changed else None


def content_range(value: bytes) -> tuple[int, int, int] | None:
    """RFC 9110 §14.4: first and last position and the whole length; None unless all three make sense."""
    unit, _, rest = value.strip().partition(b" ")
    positions, slash, length = rest.partition(b"/")
    first, dash, last = positions.strip().partition(b"-")
    numbers = (first, last, length.strip())
    if unit.lower() != b"bytes" or not (slash and dash):
        return None
    if not all(number.isdigit() and len(number) < 20 for number in numbers):
        return None
    begin, end, whole = (int(number) for number in numbers)
    return (begin, end, whole) if begin <= end < whole else None


def _length(head: Head) -> int | None:
    """Octets of the whole, which a 206 says elsewhere."""
    if head.status == 206:
        found = content_range(head.header(b"content-range") or b"")
        return found[2] if found else None
    return _length_of_part(head)


def _length_of_part(head: Head) -> int | None:
    value = head.header(b"content-length") or b""
    return int(value) if value.isdigit() and len(value) < 20 else None
