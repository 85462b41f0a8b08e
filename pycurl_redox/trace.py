"""What `-v`, `--trace-ascii` and `--trace` write, as text; the caller knows where to, and the time."""

from __future__ import annotations

from collections.abc import Callable

Buffer = bytes | bytearray | memoryview

INFO = "info"
HEADER_IN = "header in"
HEADER_OUT = "header out"
DATA_IN = "data in"
DATA_OUT = "data out"
TLS_DATA_IN = "tls data in"
TLS_DATA_OUT = "tls data out"

_SIGNS = {
    INFO: b"*",
    HEADER_IN: b"<",
    HEADER_OUT: b">",
    DATA_IN: b"{",
    DATA_OUT: b"}",
    TLS_DATA_IN: b"{",
    TLS_DATA_OUT: b"}",
}
_TITLES = {
    HEADER_IN: b"<= Recv header",
    HEADER_OUT: b"=> Send header",
    DATA_IN: b"<= Recv data",
    DATA_OUT: b"=> Send data",
    TLS_DATA_IN: b"<= Recv SSL data",
    TLS_DATA_OUT: b"=> Send SSL data",
}


class Tracer:
    """Sends what happens to one place: `kind` is "plain" for -v, "ascii" or "hex".

    `stamp` gives the time of `--trace-time`; `close`, if any, is called once at the end.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        kind: str,
        *,
        stamp: Callable[[], bytes] | None = None,
        shows_sizes: bool = True,
        close: Callable[[], object] | None = None,
    ) -> None:
        self._write = write
        self._verbose = VerboseText(shows_sizes=shows_sizes) if kind == "plain" else None
        self._with_hex = kind == "hex"
        self._stamp = stamp or (lambda: b"")
        self._close = close

    def note(self, text: str) -> None:
        self._trace(INFO, text.encode("utf-8", "surrogateescape"))

    def header_in(self, data: Buffer) -> None:
        self._trace(HEADER_IN, data)

    def header_out(self, data: Buffer) -> None:
        self._trace(HEADER_OUT, data)

    def data_in(self, data: Buffer) -> None:
        self._trace(DATA_IN, data)

    def data_out(self, data: Buffer) -> None:
        self._trace(DATA_OUT, data)

    def tls_data_in(self, data: Buffer) -> None:
        self._trace(TLS_DATA_IN, data)

    def tls_data_out(self, data: Buffer) -> None:
        self._trace(TLS_DATA_OUT, data)

    def close(self) -> None:
        close, self._close = self._close, None
        if close is not None:
            close()

    def _trace(self, kind: str, data: Buffer) -> None:
        if self._verbose is not None:
            text = self._verbose.text(kind, data, self._stamp())
        else:
            text = dump(kind, data, with_hex=self._with_hex, stamp=self._stamp())
        if text:
            self._write(text)


class VerboseText:
    """The lines of `-v`: what begins in the middle of a line goes on there.

    `shows_sizes`: the body does not go to the same terminal, so `{ [16 bytes data]` stands for it.
    """

    def __init__(self, *, shows_sizes: bool = True) -> None:
        self._shows_sizes = shows_sizes
        self._in_line = False
        self._in_data = False

    def text(self, kind: str, data: Buffer, stamp: bytes = b"") -> bytes:
        """Return what to write; `stamp` is that of `--trace-time`, its blank included."""
        sign = stamp + _SIGNS[kind] + b" "
        if kind in (INFO, HEADER_IN, HEADER_OUT):
            octets = bytes(data)
            if kind == INFO and not octets.endswith(b"\n"):
                octets += b"\n"
            lines = octets.splitlines(keepends=True) if kind == HEADER_OUT else [octets]
            out = sign.join(lines) if self._in_line else b"".join([sign + line for line in lines])
            self._in_line = bool(octets) and not octets.endswith(b"\n")
            self._in_data = False
            return out
        if self._in_data or not self._shows_sizes:
            return b""
        start = b"" if self._in_line else sign
        self._in_line, self._in_data = False, True
        return start + b"[%d bytes data]\n" % len(data)


def dump(kind: str, data: Buffer, *, with_hex: bool, stamp: bytes = b"") -> bytes:
    """Return what `--trace` (`with_hex`) or `--trace-ascii` writes for some octets."""
    octets = bytes(data)
    if kind == INFO:
        return stamp + b"== Info: " + octets.removesuffix(b"\n") + b"\n"
    lines = [b"%s%s, %d bytes (0x%x)\n" % (stamp, _TITLES[kind], len(octets), len(octets))]
    lines += _hex_lines(octets) if with_hex else _ascii_lines(octets)
    return b"".join(lines)


def time_stamp(hour: int, minute: int, second: int, microsecond: int) -> bytes:
    """Return the stamp of `--trace-time`, of the local time."""
    return b"%02d:%02d:%02d.%06d " % (hour, minute, second, microsecond)


_PRINTABLE = bytes(octet if 0x20 <= octet < 0x7F else 0x2E for octet in range(256))
_HEX_WIDTH = 16
_ASCII_WIDTH = 64


def _hex_lines(octets: bytes) -> list[bytes]:
    lines = []
    for at in range(0, len(octets), _HEX_WIDTH):
        row = octets[at : at + _HEX_WIDTH]
        digits = row.hex(" ").encode("ascii")
        lines.append(b"%04x: %-48s%s\n" % (at, digits, row.translate(_PRINTABLE)))
    return lines


def _ascii_lines(octets: bytes) -> list[bytes]:
    """Cut at 64 octets and behind each CRLF, which is not shown."""
    lines = []
    at = 0
    while at < len(octets):
        line_end = octets.find(b"\r\n", at, at + _ASCII_WIDTH + 2)
        end = line_end if line_end >= 0 else min(at + _ASCII_WIDTH, len(octets))
        lines.append(b"%04x: %s\n" % (at, octets[at:end].translate(_PRINTABLE)))
        at = end + 2 if line_end >= 0 else end
    return lines
