"""Compressed certificates (RFC 8879): made whole again, within bounds.

An algorithm is a function of the octets and of the length they announce; it
returns exactly so many octets or raises `ValueError`, and never makes more.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from .alerts import Alert
from .config import CERTIFICATE_BROTLI, CERTIFICATE_ZLIB, CERTIFICATE_ZSTD
from .errors import PeerMisbehavedError, UsageError
from .messages import CERTIFICATE, HandshakeMessage

Decompressor = Callable[[bytes, int], bytes]


def decompressed(message: HandshakeMessage, offered: tuple[int, ...], limit: int) -> HandshakeMessage:
    """The Certificate that a CompressedCertificate stands for (RFC 8879 §4)."""
    with message.reader() as reader:
        algorithm, length, octets = reader.uint(2), reader.uint(3), reader.vector(3, 1)
    if algorithm not in offered:
        raise PeerMisbehavedError(
            f"CompressedCertificate: algorithm not offered: {algorithm}", Alert.ILLEGAL_PARAMETER
        )
    if length > limit:
        raise PeerMisbehavedError(
            f"CompressedCertificate: too long once decompressed: {length} octets, at most {limit}",
            Alert.BAD_CERTIFICATE,
        )
    try:
        body = DECOMPRESSORS[algorithm](octets, length)
    except ValueError as error:
        raise PeerMisbehavedError(
            f"CompressedCertificate: cannot be decompressed: {error}", Alert.BAD_CERTIFICATE
        ) from None
    return HandshakeMessage(CERTIFICATE, bytes((CERTIFICATE,)) + length.to_bytes(3, "big") + body)


def available() -> tuple[int, ...]:
    """The algorithms there are packages for, what shrinks best first; nothing is imported."""
    found = [CERTIFICATE_BROTLI] if find_spec("brotli") else []
    if (find_spec("compression") and find_spec("compression.zstd")) or (
        find_spec("backports") and find_spec("backports.zstd")
    ):
        found.append(CERTIFICATE_ZSTD)
    return (*found, CERTIFICATE_ZLIB)


def expect_available(algorithms: tuple[int, ...]) -> None:
    """Raise `UsageError` where one of these could not be undone here."""
    for algorithm in algorithms:
        is_missing = algorithm in (CERTIFICATE_BROTLI, CERTIFICATE_ZSTD) and algorithm not in available()
        if is_missing or algorithm not in DECOMPRESSORS:
            raise UsageError(f"TlsConfig: certificate compression {algorithm} is unknown, or has no package")


def _zlib(octets: bytes, length: int) -> bytes:
    import zlib

    stream = zlib.decompressobj()
    try:
        body = stream.decompress(octets, length + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return _checked(body, length, stream.eof and not stream.unused_data)


def _brotli(octets: bytes, length: int) -> bytes:
    import brotli

    stream = brotli.Decompressor()
    body = b""
    try:
        while len(body) <= length and not stream.is_finished():
            piece = stream.process(octets, output_buffer_limit=length + 1 - len(body))
            octets = b""
            if not piece and stream.can_accept_more_data():
                break
            body += piece
    except brotli.error as error:
        raise ValueError(str(error)) from None
    return _checked(body, length, stream.is_finished())


def _zstd(octets: bytes, length: int) -> bytes:
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        from backports import zstd
    stream = zstd.ZstdDecompressor()
    try:
        body = stream.decompress(octets, length + 1)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from None
    return _checked(body, length, stream.eof and not stream.unused_data)


def _checked(body: bytes, length: int, is_whole: bool) -> bytes:
    if len(body) > length:
        raise ValueError(f"more than the {length} octets it announces")
    if not is_whole or len(body) < length:
        raise ValueError(f"not the {length} octets it announces")
    return body


#: By code; who knows another algorithm puts it here and offers it in `TlsConfig.certificate_compression`.
DECOMPRESSORS: dict[int, Decompressor] = {
    CERTIFICATE_ZLIB: _zlib,
    CERTIFICATE_BROTLI: _brotli,
    CERTIFICATE_ZSTD: _zstd,
}
