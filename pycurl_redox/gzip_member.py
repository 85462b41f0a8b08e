"""gzip (RFC 1952), a single member: its content comes out whole before its checksum is looked at."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from pycurl_redox.decode import Buffer, Inflater, check_nothing_follows
from pycurl_redox.errors import ContentEncodingError

_HEADER_CRC, _EXTRA, _NAME, _COMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0
_FIXED, _TRAILER = 10, 8
"""Octets that each head has, and those at the end."""


class Gzip(Inflater):
    """The head by hand, so that what zlib reads has no checksum that could keep the last piece back."""

    def __init__(self) -> None:
        super().__init__()
        self._head = _Head()
        self._trailer = b""
        self._crc = 0
        self._size = 0

    def decode(self, data: Buffer) -> Iterator[Buffer]:
        self._has_data = self._has_data or bool(data)
        if self._stream is None:
            rest = self._head.behind(data)
            if rest is None:
                return
            data = rest
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        for piece in self._inflate(data):
            self._crc = zlib.crc32(piece, self._crc)
            self._size += len(piece)
            yield piece

    def finish(self) -> None:
        if self._has_data and len(self._trailer) < _TRAILER:
            raise ContentEncodingError("the compressed content ends too early")

    def _pass_trailer(self, data: Buffer) -> None:
        """RFC 1952 §2.3.1: CRC32 and ISIZE; behind them nothing may stand."""
        if len(self._trailer) < _TRAILER:
            missing = _TRAILER - len(self._trailer)
            self._trailer += bytes(data[:missing])
            data = data[missing:]
            if len(self._trailer) >= 4 and self._trailer[:4] != self._crc.to_bytes(4, "little"):
                raise _refused("incorrect data check")
            if len(self._trailer) == _TRAILER:
                if self._trailer[4:] != (self._size & 0xFFFFFFFF).to_bytes(4, "little"):
                    raise _refused("incorrect length check")
        check_nothing_follows(data)


class _Head:
    """RFC 1952 §2.3, passed over as it comes: a name without end takes no memory."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._fields: list[int] | None = None
        """Flags of those that are still to come; None before they are known."""
        self._crc = 0

    def behind(self, data: Buffer) -> bytes | None:
        """Take octets; return those behind the head, None while it is not whole."""
        self._waiting += data
        if self._fields is None:
            flags = self._read_flags()
            if flags is None:
                return None
            self._fields = [flag for flag in (_EXTRA, _NAME, _COMMENT, _HEADER_CRC) if flags & flag]
            self._pass(_FIXED)
        while self._fields:
            if not self._pass_field(self._fields[0]):
                return None
            self._fields.pop(0)
        return bytes(self._waiting)

    def _read_flags(self) -> int | None:
        head = self._waiting
        if not b"\x1f\x8b".startswith(head[:2]):
            raise _refused("incorrect header check")
        if len(head) > 2 and head[2] != 8:
            raise _refused("unknown compression method")
        if len(head) > 3 and head[3] & _RESERVED:
            raise _refused("unknown header flags set")
        return head[3] if len(head) >= _FIXED else None

    def _pass_field(self, flag: int) -> bool:
        waiting = self._waiting
        if flag == _EXTRA:
            size = 2 + int.from_bytes(waiting[:2], "little")
        elif flag == _HEADER_CRC:
            size = 2
            if len(waiting) >= size and waiting[:2] != (self._crc & 0xFFFF).to_bytes(2, "little"):
                raise _refused("header crc mismatch")
        else:
            size = waiting.find(0) + 1
            if not size:
                self._pass(len(waiting))
                return False
        if len(waiting) < size:
            return False
        self._pass(size)
        return True

    def _pass(self, size: int) -> None:
        self._crc = zlib.crc32(self._waiting[:size], self._crc)
        del self._waiting[:size]


def _refused(reason: str) -> ContentEncodingError:
    return ContentEncodingError(f"Error while processing content unencoding: {reason}")
