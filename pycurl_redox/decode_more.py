"""Brotli (RFC 7932) and Zstandard (RFC 8878), where their packages are installed."""

from __future__ import annotations

from collections.abc import Iterator

from pycurl_redox.decode import MAX_PIECE, Buffer, check_nothing_follows
from pycurl_redox.errors import ContentEncodingError

TOO_EARLY = "the compressed content ends too early"


class Brotli:
    """One stream of `br`."""

    def __init__(self) -> None:
        import brotli

        self._error = brotli.error
        self._stream = brotli.Decompressor()
        self._has_data = False

    def decode(self, data: Buffer) -> Iterator[Buffer]:
        self._has_data = self._has_data or bool(data)
        stream = self._stream
        while True:
            if stream.is_finished():
                check_nothing_follows(data)
                return
            try:
                piece = stream.process(bytes(data), output_buffer_limit=MAX_PIECE)
            except self._error as error:
                raise ContentEncodingError() from error
            data = b""
            if piece:
                yield piece
            elif stream.is_finished() or stream.can_accept_more_data():
                return

    def finish(self) -> None:
        if self._has_data and not self._stream.is_finished():
            raise ContentEncodingError(TOO_EARLY)


class Zstandard:
    """Frames of `zstd`, one after the other."""

    def __init__(self) -> None:
        try:
            from compression import zstd  # Python 3.14
        except ImportError:
            from backports import zstd

        self._zstd = zstd
        self._stream = zstd.ZstdDecompressor()
        self._is_between = True

    def decode(self, data: Buffer) -> Iterator[Buffer]:
        while len(data) or not (self._stream.needs_input or self._stream.eof):
            if self._stream.eof:
                self._stream = self._zstd.ZstdDecompressor()
            self._is_between = False
            try:
                piece = self._stream.decompress(data, MAX_PIECE)
            except self._zstd.ZstdError as error:
                raise ContentEncodingError() from error
            if piece:
                yield piece
            self._is_between = self._stream.eof
            data = self._stream.unused_data if self._stream.eof else b""

    def finish(self) -> None:
        if not self._is_between:
            raise ContentEncodingError(TOO_EARLY)
