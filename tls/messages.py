"""Handshake messages (RFC 8446 §4): what a client sends is built, what a server sends is parsed."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple, Self

from . import extensions as ext
from .alerts import Alert
from .codec import Reader, uint16_list, vector
from .config import TlsLimits
from .errors import PeerMisbehavedError

HELLO_REQUEST = 0
CLIENT_HELLO = 1
SERVER_HELLO = 2
NEW_SESSION_TICKET = 4
END_OF_EARLY_DATA = 5
ENCRYPTED_EXTENSIONS = 8
CERTIFICATE = 11
SERVER_KEY_EXCHANGE = 12
CERTIFICATE_REQUEST = 13
SERVER_HELLO_DONE = 14
CERTIFICATE_VERIFY = 15
CLIENT_KEY_EXCHANGE = 16
FINISHED = 20
CERTIFICATE_STATUS = 22
KEY_UPDATE = 24
COMPRESSED_CERTIFICATE = 25

NAMES = {
    HELLO_REQUEST: "HelloRequest",
    CLIENT_HELLO: "ClientHello",
    SERVER_HELLO: "ServerHello",
    NEW_SESSION_TICKET: "NewSessionTicket",
    END_OF_EARLY_DATA: "EndOfEarlyData",
    ENCRYPTED_EXTENSIONS: "EncryptedExtensions",
    CERTIFICATE: "Certificate",
    SERVER_KEY_EXCHANGE: "ServerKeyExchange",
    CERTIFICATE_REQUEST: "CertificateRequest",
    SERVER_HELLO_DONE: "ServerHelloDone",
    CERTIFICATE_VERIFY: "CertificateVerify",
    CLIENT_KEY_EXCHANGE: "ClientKeyExchange",
    FINISHED: "Finished",
    CERTIFICATE_STATUS: "CertificateStatus",
    KEY_UPDATE: "KeyUpdate",
    COMPRESSED_CERTIFICATE: "CompressedCertificate",
    254: "message_hash",
}

#: SHA-256 of "HelloRetryRequest", in the place of ServerHello.random (RFC 8446 §4.1.3).
HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

MAX_SESSION_ID = 32

UPDATE_NOT_REQUESTED = 0
UPDATE_REQUESTED = 1


def name_of(kind: int) -> str:
    """The specification's name of a message type."""
    return NAMES.get(kind, f"handshake message {kind}")


def unexpected(kind: int, expected: str) -> PeerMisbehavedError:
    """Make the error for a message that is not due in this state."""
    return PeerMisbehavedError(
        f"{name_of(kind)}: unexpected message, waiting for {expected}", Alert.UNEXPECTED_MESSAGE
    )


class HandshakeMessage(NamedTuple):
    """One message as it stood in the records, header included."""

    kind: int
    encoded: bytes

    def reader(self) -> Reader:
        return Reader(self.encoded, name_of(self.kind), 4)


class MessageJoiner:
    """Makes messages of fragments; a message too long is refused by its header, before it is buffered."""

    __slots__ = ("_buffer", "_limits")

    def __init__(self, limits: TlsLimits) -> None:
        self._buffer = bytearray()
        self._limits = limits

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    def receive(self, fragment: memoryview) -> None:
        self._buffer += fragment

    def next_message(self) -> HandshakeMessage | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        length = int.from_bytes(buffer[1:4], "big")
        limit = self._limit(buffer[0])
        if length > limit:
            raise PeerMisbehavedError(
                f"{name_of(buffer[0])}: message too long: {length} octets, at most {limit}",
                Alert.ILLEGAL_PARAMETER,
            )
        if len(buffer) < 4 + length:
            return None
        encoded = bytes(buffer[: 4 + length])
        del buffer[: 4 + length]
        return HandshakeMessage(encoded[0], encoded)

    def _limit(self, kind: int) -> int:
        limits = self._limits
        if kind == SERVER_HELLO:
            return limits.hello_size
        if kind in (ENCRYPTED_EXTENSIONS, CERTIFICATE_REQUEST):
            return limits.parameters_size
        if kind in (CERTIFICATE, CERTIFICATE_STATUS, COMPRESSED_CERTIFICATE):
            return limits.certificate_size
        if kind == NEW_SESSION_TICKET:
            return limits.ticket_size
        if kind in (CERTIFICATE_VERIFY, SERVER_KEY_EXCHANGE):
            return 4 + 255 + 4 + 0x4000 // 8  # a share, and the signature of an RSA key of 16384 bits
        if kind in (FINISHED, KEY_UPDATE, SERVER_HELLO_DONE, HELLO_REQUEST):
            return 64
        raise unexpected(kind, "any message of a server")


def _build(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)


# From the client ----------------------------------------------------------------------------------------


def build_client_hello(
    random: bytes, session_id: bytes, cipher_suites: tuple[int, ...], extensions: list[tuple[int, bytes]]
) -> bytes:
    """RFC 8446 §4.1.2."""
    return _build(
        CLIENT_HELLO,
        b"\x03\x03"
        + random
        + vector(1, session_id)
        + vector(2, uint16_list(cipher_suites))
        + b"\x01\x00"
        + ext.build_extensions(extensions),
    )


def build_certificate(request_context: bytes, chain: tuple[bytes, ...]) -> bytes:
    """RFC 8446 §4.4.2; an empty chain says that there is no certificate."""
    entries = b"".join(vector(3, der) + vector(2, b"") for der in chain)
    return _build(CERTIFICATE, vector(1, request_context) + vector(3, entries))


def build_certificate_verify(scheme: int, signature: bytes) -> bytes:
    """RFC 8446 §4.4.3."""
    return _build(CERTIFICATE_VERIFY, scheme.to_bytes(2, "big") + vector(2, signature))


def build_finished(verify_data: bytes) -> bytes:
    """RFC 8446 §4.4.4."""
    return _build(FINISHED, verify_data)


def build_end_of_early_data() -> bytes:
    """RFC 8446 §4.5."""
    return _build(END_OF_EARLY_DATA, b"")


def build_key_update(request: int) -> bytes:
    """RFC 8446 §4.6.3."""
    return _build(KEY_UPDATE, bytes([request]))


def certificate_verify_content(side: str, transcript_digest: bytes) -> bytes:
    """What CertificateVerify signs (RFC 8446 §4.4.3); `side` is "server" or "client"."""
    return b" " * 64 + f"TLS 1.3, {side} CertificateVerify".encode() + b"\0" + transcript_digest


# From the server ----------------------------------------------------------------------------------------


class ServerHello(NamedTuple):
    """RFC 8446 §4.1.3; a HelloRetryRequest is one with a random of its own."""

    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suite: int
    extensions: dict[int, bytes]

    @property
    def is_retry_request(self) -> bool:
        return self.random == HELLO_RETRY_REQUEST_RANDOM

    @property
    def name(self) -> str:
        return "HelloRetryRequest" if self.is_retry_request else "ServerHello"

    @classmethod
    def parse(cls, message: HandshakeMessage) -> Self:
        with message.reader() as reader:
            legacy_version = reader.uint(2)
            random = reader.take(32)
            if len(session_id := reader.vector(1)) > MAX_SESSION_ID:
                raise reader.error(f"session id too long: {len(session_id)} octets")
            cipher_suite = reader.uint(2)
            compression = reader.uint(1)
            extensions = {}
            if reader.remaining:  # servers before TLS 1.2 may leave the whole block out
                is_retry = random == HELLO_RETRY_REQUEST_RANDOM
                alert = Alert.ILLEGAL_PARAMETER if is_retry else Alert.DECODE_ERROR
                extensions = ext.parse_extensions(reader, None, alert)
        hello = cls(legacy_version, random, session_id, cipher_suite, extensions)
        if compression != 0:
            # No RFC names an alert; the peers that check have another for each version.
            is_13 = ext.SUPPORTED_VERSIONS in extensions
            raise PeerMisbehavedError(
                f"{hello.name}: compression method must be 0: {compression}",
                Alert.DECODE_ERROR if is_13 else Alert.ILLEGAL_PARAMETER,
            )
        return hello

    def expect_only(self, allowed: Container[int]) -> None:
        """Refuse extensions but these; not in `parse`, as an older version has others."""
        ext.expect_only(self.extensions, allowed, self.name)


def parse_encrypted_extensions(message: HandshakeMessage, offered: set[int]) -> dict[int, bytes]:
    """RFC 8446 §4.3.1; extensions that were not offered are refused."""
    with message.reader() as reader:
        return ext.parse_extensions(reader, ext.IN_ENCRYPTED_EXTENSIONS & offered)


class CertificateRequest(NamedTuple):
    """RFC 8446 §4.3.2."""

    context: bytes
    signature_schemes: tuple[int, ...]
    authorities: tuple[bytes, ...]

    @classmethod
    def parse(cls, message: HandshakeMessage, *, in_handshake: bool = True) -> Self:
        with message.reader() as reader:
            if (context := reader.vector(1)) and in_handshake:
                raise reader.error("context must be empty in the handshake")
            extensions = ext.parse_extensions(reader, None)
        if ext.SIGNATURE_ALGORITHMS not in extensions:
            raise PeerMisbehavedError(
                "CertificateRequest: signature_algorithms missing", Alert.MISSING_EXTENSION
            )
        schemes = ext.parse_signature_algorithms(extensions[ext.SIGNATURE_ALGORITHMS])
        authorities = extensions.get(ext.CERTIFICATE_AUTHORITIES)
        if (filters := extensions.get(ext.OID_FILTERS)) is not None:
            ext.parse_oid_filters(filters)
        return cls(
            context, schemes, () if authorities is None else ext.parse_certificate_authorities(authorities)
        )


class CertificateMessage(NamedTuple):
    """RFC 8446 §4.4.2: DER certificates as sent, and what was stapled to the first."""

    chain: tuple[bytes, ...]
    ocsp_response: bytes | None
    sct_list: bytes | None

    @classmethod
    def parse(cls, message: HandshakeMessage, offered: set[int], max_count: int) -> Self:
        allowed = ext.IN_CERTIFICATE & offered
        chain: list[bytes] = []
        leaf_extensions: dict[int, bytes] = {}
        with message.reader() as reader:
            if reader.vector(1):
                raise reader.error("context must be empty")
            with reader.block(3) as entries:
                while entries.remaining:
                    if len(chain) == max_count:
                        raise PeerMisbehavedError(
                            f"Certificate: too many certificates: over {max_count}", Alert.BAD_CERTIFICATE
                        )
                    chain.append(entries.vector(3, 1))
                    extensions = ext.parse_extensions(entries, allowed)
                    if len(chain) == 1:
                        leaf_extensions = extensions
        if not chain:
            raise PeerMisbehavedError("Certificate: the server sent no certificate", Alert.DECODE_ERROR)
        status = leaf_extensions.get(ext.STATUS_REQUEST)
        scts = leaf_extensions.get(ext.SIGNED_CERTIFICATE_TIMESTAMP)
        return cls(
            tuple(chain),
            None if status is None else ext.parse_certificate_status(status),
            None if scts is None else ext.parse_sct_list(scts),
        )


class CertificateVerify(NamedTuple):
    """RFC 8446 §4.4.3."""

    scheme: int
    signature: bytes

    @classmethod
    def parse(cls, message: HandshakeMessage) -> Self:
        with message.reader() as reader:
            return cls(reader.uint(2), reader.vector(2))


class NewSessionTicket(NamedTuple):
    """RFC 8446 §4.6.1; the lifetime in seconds."""

    lifetime: int
    age_add: int
    nonce: bytes
    ticket: bytes
    max_early_data_size: int

    @classmethod
    def parse(cls, message: HandshakeMessage) -> Self:
        with message.reader() as reader:
            lifetime, age_add = reader.uint(4), reader.uint(4)
            nonce = reader.vector(1)
            ticket = reader.vector(2, 1)
            extensions = ext.parse_extensions(reader, None, Alert.ILLEGAL_PARAMETER)
        early_data = extensions.get(ext.EARLY_DATA)
        return cls(
            lifetime, age_add, nonce, ticket, 0 if early_data is None else ext.parse_early_data(early_data)
        )


def parse_key_update(message: HandshakeMessage) -> bool:
    """Whether the server asks for an update of ours, too (RFC 8446 §4.6.3)."""
    with message.reader() as reader:
        request = reader.uint(1)
    if request not in (UPDATE_NOT_REQUESTED, UPDATE_REQUESTED):
        raise PeerMisbehavedError(
            f"KeyUpdate: request_update must be 0 or 1: {request}", Alert.ILLEGAL_PARAMETER
        )
    return request == UPDATE_REQUESTED
