"""Handshake messages as TLS 1.2 has them (RFC 5246 §7.4, RFC 8422 §5, RFC 6066 §8)."""

from __future__ import annotations

from typing import NamedTuple, Self

from .alerts import Alert
from .codec import vector
from .errors import PeerMisbehavedError
from .messages import (
    CERTIFICATE,
    CERTIFICATE_VERIFY,
    CLIENT_KEY_EXCHANGE,
    HandshakeMessage,
)

_NAMED_CURVE = 3


def parse_certificate(message: HandshakeMessage, max_count: int) -> tuple[bytes, ...]:
    """RFC 5246 §7.4.2: DER certificates as sent."""
    chain: list[bytes] = []
    with message.reader() as reader, reader.block(3) as entries:
        while entries.remaining:
            if len(chain) == max_count:
                raise PeerMisbehavedError(
                    f"Certificate: too many certificates: over {max_count}", Alert.BAD_CERTIFICATE
                )
            chain.append(entries.vector(3, 1))
    if not chain:
        raise PeerMisbehavedError("Certificate: the server sent no certificate", Alert.DECODE_ERROR)
    return tuple(chain)


class ServerKeyExchange(NamedTuple):
    """RFC 8422 §5.4; `parameters` are the octets that the signature covers, with both randoms before them."""

    group: int
    share: bytes
    parameters: bytes
    scheme: int
    signature: bytes

    @classmethod
    def parse(cls, message: HandshakeMessage) -> Self:
        with message.reader() as reader:
            if (kind := reader.uint(1)) != _NAMED_CURVE:
                raise PeerMisbehavedError(
                    f"ServerKeyExchange: curve type must be named_curve: {kind}", Alert.ILLEGAL_PARAMETER
                )
            group = reader.uint(2)
            share = reader.vector(1, 1)
            parameters = message.encoded[4 : 4 + 4 + len(share)]
            return cls(group, share, parameters, reader.uint(2), reader.vector(2))


class CertificateRequest12(NamedTuple):
    """RFC 5246 §7.4.4."""

    certificate_types: bytes
    signature_schemes: tuple[int, ...]
    authorities: tuple[bytes, ...]

    @classmethod
    def parse(cls, message: HandshakeMessage) -> Self:
        with message.reader() as reader:
            types = reader.vector(1, 1)
            schemes, authorities = [], []
            with reader.block(2, 2) as block:
                while block.remaining:
                    schemes.append(block.uint(2))
            with reader.block(2) as block:
                while block.remaining:
                    authorities.append(block.vector(2, 1))
        return cls(types, tuple(schemes), tuple(authorities))


def parse_empty(message: HandshakeMessage) -> None:
    """ServerHelloDone says all by being there."""
    message.reader().expect_end()


def parse_session_ticket(message: HandshakeMessage) -> tuple[int, bytes]:
    """RFC 5077 §3.3: how many seconds the server means to know it, and the ticket; an empty one is none."""
    with message.reader() as reader:
        return reader.uint(4), reader.vector(2)


def build_certificate(chain: tuple[bytes, ...]) -> bytes:
    """RFC 5246 §7.4.6; an empty chain says that there is no certificate."""
    return _build(CERTIFICATE, vector(3, b"".join(vector(3, der) for der in chain)))


def build_client_key_exchange(share: bytes) -> bytes:
    """RFC 8422 §5.7."""
    return _build(CLIENT_KEY_EXCHANGE, vector(1, share))


def build_certificate_verify(scheme: int, signature: bytes) -> bytes:
    """RFC 5246 §7.4.8."""
    return _build(CERTIFICATE_VERIFY, scheme.to_bytes(2, "big") + vector(2, signature))


def _build(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + vector(3, body)
