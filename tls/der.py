"""DER as certificates use it (X.690, RFC 5280 §4): a bounded reader, object identifiers, times.

A certificate is read with own code because `cryptography.x509` costs 13 ms to
import, more than everything else a handshake needs of it together, and
because some public roots have serial numbers that it is about to refuse.
"""

from __future__ import annotations

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8_STRING, UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x0C, 0x17, 0x18, 0x30, 0x31

_MAX_LENGTH_OCTETS = 3  # nothing in a handshake message is longer than 2^24
MAX_OID = 64  # octets that are decoded: arcs of any size would cost quadratic time, and real ones have 11


class DerError(ValueError):
    """Octets that are not the DER asked for."""


class DerReader:
    """Reads elements one after the other from `data[position:end]`; never looks beyond `end`."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end

    @property
    def tag(self) -> int:
        """The tag of the next element; 0, which no element has here, when there is none."""
        return self.data[self.position] if self.position < self.end else 0

    def read(self, tag: int) -> bytes:
        """Take the content of the next element, which must have this tag."""
        start, stop = self._header(tag)
        self.position = stop
        return self.data[start:stop]

    def read_whole(self, tag: int) -> bytes:
        """Take the next element with its tag and length."""
        begin = self.position
        _, self.position = self._header(tag)
        return self.data[begin : self.position]

    def skip(self, tag: int) -> None:
        _, self.position = self._header(tag)

    def enter(self, tag: int) -> DerReader:
        """Take the next element and read on inside it."""
        start, self.position = self._header(tag)
        return DerReader(self.data, start, self.position)

    def enter_last(self, tag: int) -> DerReader:
        """Read on inside the next element, behind which nothing may be: `enter` and `finish` in one."""
        start, stop = self._header(tag)
        if stop != self.end:
            raise DerError(f"{self.end - stop} octets left over")
        self.position = start
        return self

    def optional(self, tag: int) -> DerReader | None:
        """`enter`, if the next element has this tag."""
        return self.enter(tag) if self.tag == tag else None

    def finish(self) -> None:
        """Nothing may be left over."""
        if self.position != self.end:
            raise DerError(f"{self.end - self.position} octets left over")

    def read_integer(self) -> int:
        content = self.read(INTEGER)
        padded = len(content) > 1 and content[0] in (0, 0xFF) and (content[0] ^ content[1]) < 0x80
        if not content or padded:
            raise DerError("integer not in its shortest form")
        return int.from_bytes(content, "big", signed=True)

    def read_boolean(self) -> bool:
        content = self.read(BOOLEAN)
        if content not in (b"\0", b"\xff"):
            raise DerError("boolean neither 00 nor FF")
        return content == b"\xff"

    def _header(self, tag: int) -> tuple[int, int]:
        data, position, end = self.data, self.position, self.end
        if position + 2 > end:
            raise DerError("ends where an element is due")
        if data[position] != tag:
            raise DerError(f"tag 0x{data[position]:02x} where 0x{tag:02x} is due")
        length = data[position + 1]
        start = position + 2
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= _MAX_LENGTH_OCTETS or start + octets > end:
                raise DerError("length of an element is indefinite, too long or cut short")
            length = int.from_bytes(data[start : start + octets], "big")
            if length < 0x80 or length >> 8 * (octets - 1) == 0:
                raise DerError("length of an element not in its shortest form")
            start += octets
        if start + length > end:
            raise DerError("element longer than what it stands in")
        return start, start + length


def oid_text(content: bytes) -> str:
    """Write an object identifier with dots; the first octets in hexadecimal where it is none, or too long."""
    if len(content) > MAX_OID:
        return content[:MAX_OID].hex() + "..."
    arcs, value, complete = [], 0, False
    for octet in content:
        value, complete = value << 7 | octet & 0x7F, octet < 0x80
        if complete:
            arcs.append(value)
            value = 0
    if not arcs or not complete:
        return content.hex()
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def oid(text: str) -> bytes:
    """Encode `2.5.4.3` as the content of an object identifier."""
    first, second, *rest = map(int, text.split("."))
    out = b""
    for arc in [40 * first + second, *rest]:
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        out += bytes(reversed(octets))
    return out


def read_time(reader: DerReader) -> int:
    """Take a Time (RFC 5280 §4.1.2.5) as seconds since 1970, negative before."""
    if reader.tag == UTC_TIME:
        text = reader.read(UTC_TIME)
        if len(text) == 13:
            text = (b"19" if text[:1] >= b"5" else b"20") + text
    else:
        text = reader.read(GENERALIZED_TIME)
    if len(text) != 15 or not text[:14].isdigit() or text[14:] != b"Z":
        raise DerError("time not in the form of RFC 5280 §4.1.2.5")
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    hour, minute, second = int(text[8:10]), int(text[10:12]), int(text[12:14])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        raise DerError("time of no calendar")
    return ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second


def days_since_1970(year: int, month: int, day: int) -> int:
    """Count days in the Gregorian calendar; years begin in March, so that a leap day is a year's last."""
    if month < 3:
        year -= 1
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + day_of_year - 719_468


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def time_text(seconds: int) -> str:
    """Write a time as OpenSSL and curl do: `Nov 23 09:05:00 2026 GMT`."""
    days, rest = divmod(seconds, 86_400)
    year = 1970 + days * 400 // 146_097
    year -= days_since_1970(year, 1, 1) > days
    year += days_since_1970(year + 1, 1, 1) <= days
    month = max(m for m in range(1, 13) if days_since_1970(year, m, 1) <= days)
    day = days - days_since_1970(year, month, 1) + 1
    hour, rest = divmod(rest, 3600)
    return f"{_MONTHS[month - 1]} {day:2} {hour:02}:{rest // 60:02}:{rest % 60:02} {year} GMT"
