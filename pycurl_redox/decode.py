"""Content codings (RFC 9110 §8.4), decoded as they come in, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Protocol

from pycurl_redox.errors import ContentEncodingError, WriteFailedError

if TYPE_CHECKING:
    import zlib

MAX_CODINGS = 5
"""Codings upon each other in one response, as in curl."""
MAX_PIECE = 256 * 1024
"""Octets that are decoded at once: a small input that swells is handed on in pieces of this size."""

Buffer = bytes | bytearray | memoryview


class Decoder(Protocol):
    """Octets of a coding in, octets of the content out.  Both raise `ContentEncodingError`."""

    def decode(self, data: Buffer) -> Iterator[Buffer]:
        """Yield what the data stands for, in pieces of at most `MAX_PIECE`; read all of them."""
        ...

    def finish(self) -> None:
        """Check that the content is complete, when no more data will come."""
        ...


def content_decoder(value: str, *, transfer: bool = False) -> Decoder | None:
    """Return the decoder for a Content-Encoding header's value, or None for content as it is.

    `transfer`: it is a Transfer-Encoding, where `chunked` stands for itself and is another's work.
    """
    names = [name.strip().lower() for name in value.split(",")]
    names = [name for name in names if name and not (transfer and name == "chunked")]
    if len(names) > MAX_CODINGS:
        raise ContentEncodingError(f"Reject response due to more than {MAX_CODINGS} content encodings")
    names = [name for name in names if name not in ("identity", "none")]
    decoders = [_decoder(name) for name in reversed(names)]
    if not decoders:
        return None
    return decoders[0] if len(decoders) == 1 else _Chain(decoders)


def _decoder(name: str) -> Decoder:
    if name in ("gzip", "x-gzip"):
        from pycurl_redox.gzip_member import Gzip

        return Gzip()
    if name == "deflate":
        return _Deflate()
    if name == "br" and name in codings():
        from pycurl_redox.decode_more import Brotli

        return Brotli()
    if name == "zstd" and name in codings():
        from pycurl_redox.decode_more import Zstandard

        return Zstandard()
    return _Unknown()


@cache
def codings() -> tuple[str, ...]:
    """Return the names of the codings that can be decoded here, in curl's order, importing none."""
    from importlib.util import find_spec

    names = ["deflate", "gzip"]
    if find_spec("brotli") is not None:
        names.append("br")
    if (find_spec("compression") and find_spec("compression.zstd")) or (
        find_spec("backports") and find_spec("backports.zstd")
    ):
        names.append("zstd")
    return tuple(names)


BARE_TRAILER = 4
"""Octets behind a bare deflate stream that curl passes over: a zlib stream's checksum without its head."""


def check_nothing_follows(data: Buffer) -> None:
    """Refuse what stands behind the end of a coding, several members of gzip too, with curl's exit code."""
    if len(data):
        raise WriteFailedError("Failed writing received data to disk/application")


class _Unknown:
    """A coding without a decoder: an error as soon as there is something to decode."""

    def decode(self, data: Buffer) -> Iterator[Buffer]:
        raise ContentEncodingError(
            "Unrecognized content encoding type. "
            f"libcurl understands {', '.join(codings())} content encodings."
        )

    def finish(self) -> None:
        pass


class _Chain:
    """Several codings: the last one that was put on comes off first."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders

    def decode(self, data: Buffer) -> Iterator[Buffer]:
        return self._decode(0, data)

    def finish(self) -> None:
        for decoder in self._decoders:
            decoder.finish()

    def _decode(self, index: int, data: Buffer) -> Iterator[Buffer]:
        if index == len(self._decoders):
            yield data
            return
        for piece in self._decoders[index].decode(data):
            yield from self._decode(index + 1, piece)


class Inflater:
    """What gzip and deflate share: one zlib stream, drawn in pieces."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._has_data = False
        self._trailer_room = 0
        """Octets that may still stand behind the end of the stream."""

    def finish(self) -> None:
        if self._has_data and (self._stream is None or not self._stream.eof):
            raise ContentEncodingError("the compressed content ends too early")

    def _inflate(self, data: Buffer) -> Iterator[bytes]:
        import zlib

        assert self._stream is not None
        stream = self._stream
        if stream.eof:
            self._pass_trailer(data)
            return
        while True:
            try:
                piece = stream.decompress(data, MAX_PIECE)
            except zlib.error as error:
                raise self._refused(error) from error
            if piece:
                yield piece
            data = stream.unconsumed_tail
            if stream.eof or (not data and len(piece) < MAX_PIECE):
                break
        if stream.unused_data:
            self._pass_trailer(stream.unused_data)

    def _pass_trailer(self, data: Buffer) -> None:
        passed = min(len(data), self._trailer_room)
        self._trailer_room -= passed
        check_nothing_follows(data[passed:])

    def _refused(self, error: Exception) -> ContentEncodingError:
        # zlib's own words follow the number: "Error -3 while decompressing data: invalid block type".
        _, _, reason = str(error).rpartition(": ")
        return ContentEncodingError(f"Error while processing content unencoding: {reason}")


class _Deflate(Inflater):
    """RFC 9110 §8.4.1.2: a zlib stream; from many servers a bare deflate one."""

    def __init__(self) -> None:
        super().__init__()
        self._start = b""

    def decode(self, data: Buffer) -> Iterator[Buffer]:
        import zlib

        self._has_data = self._has_data or bool(data)
        if self._stream is None:
            # Two octets tell the one from the other (RFC 1950 §2.2).
            self._start += bytes(data)
            if len(self._start) < 2:
                return
            is_zlib = self._start[0] & 0x0F == 8 and int.from_bytes(self._start[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
            self._trailer_room = 0 if is_zlib else BARE_TRAILER
            data, self._start = self._start, b""
        yield from self._inflate(data)
