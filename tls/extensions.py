"""Extensions (RFC 8446 §4.2): which may stand where, and the form of each."""

from __future__ import annotations

from collections.abc import Container, Iterable

from .alerts import Alert
from .codec import Reader, uint16_list, vector
from .errors import PeerMisbehavedError

SERVER_NAME = 0
STATUS_REQUEST = 5
SUPPORTED_GROUPS = 10
EC_POINT_FORMATS = 11
SIGNATURE_ALGORITHMS = 13
APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16
SIGNED_CERTIFICATE_TIMESTAMP = 18
SERVER_CERTIFICATE_TYPE = 20
PADDING = 21
EXTENDED_MASTER_SECRET = 23
COMPRESS_CERTIFICATE = 27
RECORD_SIZE_LIMIT = 28
SESSION_TICKET = 35
PRE_SHARED_KEY = 41
EARLY_DATA = 42
SUPPORTED_VERSIONS = 43
COOKIE = 44
PSK_KEY_EXCHANGE_MODES = 45
CERTIFICATE_AUTHORITIES = 47
OID_FILTERS = 48
POST_HANDSHAKE_AUTH = 49
KEY_SHARE = 51
ECH_OUTER_EXTENSIONS = 0xFD00
ENCRYPTED_CLIENT_HELLO = 0xFE0D
RENEGOTIATION_INFO = 0xFF01

# The table of RFC 8446 §4.2, the rows of what a client may offer here; beside them, always: only if offered.
IN_SERVER_HELLO = frozenset({KEY_SHARE, PRE_SHARED_KEY, SUPPORTED_VERSIONS})
IN_HELLO_RETRY_REQUEST = frozenset({KEY_SHARE, COOKIE, SUPPORTED_VERSIONS, ENCRYPTED_CLIENT_HELLO})
IN_ENCRYPTED_EXTENSIONS = frozenset(
    {
        SERVER_NAME,
        SUPPORTED_GROUPS,
        APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        SERVER_CERTIFICATE_TYPE,
        RECORD_SIZE_LIMIT,
        EARLY_DATA,
        ENCRYPTED_CLIENT_HELLO,
    }
)
IN_CERTIFICATE = frozenset({STATUS_REQUEST, SIGNED_CERTIFICATE_TIMESTAMP})
#: What TLS 1.2 answers to in its ServerHello (RFC 5246 §7.4.1.4 and those that came after);
#: supported_groups has no place there, but some servers send it, and BoringSSL and OpenSSL pass over it.
IN_SERVER_HELLO_12 = frozenset(
    {
        SERVER_NAME,
        STATUS_REQUEST,
        SUPPORTED_GROUPS,
        EC_POINT_FORMATS,
        APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        SIGNED_CERTIFICATE_TIMESTAMP,
        EXTENDED_MASTER_SECRET,
        RECORD_SIZE_LIMIT,
        SESSION_TICKET,
        RENEGOTIATION_INFO,
    }
)


def parse_extensions(
    reader: Reader, allowed: Container[int] | None, duplicate_alert: Alert = Alert.DECODE_ERROR
) -> dict[int, bytes]:
    """Read the extensions of a message; with `allowed`, others than those are refused.

    RFC 8446 §4.2 has an alert of its own for a known extension in the wrong
    message; the peers that check agree on unsupported_extension for both.
    """
    found: dict[int, bytes] = {}
    with reader.block(2) as block:
        while block.remaining:
            kind = block.uint(2)
            body = block.vector(2)
            if kind in found:
                raise PeerMisbehavedError(f"{reader.name}: duplicate extension: {kind}", duplicate_alert)
            found[kind] = body
    if allowed is not None:
        expect_only(found, allowed, reader.name)
    return found


def expect_only(found: Iterable[int], allowed: Container[int], name: str) -> None:
    """Refuse extensions but these."""
    for kind in found:
        if kind not in allowed:
            raise PeerMisbehavedError(
                f"{name}, extension {kind}: not offered, or not for this message",
                Alert.UNSUPPORTED_EXTENSION,
            )


def build_extensions(extensions: list[tuple[int, bytes]]) -> bytes:
    """Build the block of extensions, in the order given."""
    return vector(2, b"".join(kind.to_bytes(2, "big") + vector(2, body) for kind, body in extensions))


# What a client sends ------------------------------------------------------------------------------------


def server_name(name: str) -> bytes:
    """RFC 6066 §3; the name in A-labels, without a dot at its end."""
    return vector(2, b"\0" + vector(2, name.encode("ascii")))


def supported_groups(groups: tuple[int, ...]) -> bytes:
    """RFC 8446 §4.2.7."""
    return vector(2, uint16_list(groups))


def signature_algorithms(schemes: tuple[int, ...]) -> bytes:
    """RFC 8446 §4.2.3."""
    return vector(2, uint16_list(schemes))


def supported_versions(versions: tuple[int, ...]) -> bytes:
    """RFC 8446 §4.2.1, best first."""
    return vector(1, uint16_list(versions))


def ec_point_formats() -> bytes:
    """RFC 8422 §5.1.2: uncompressed points, the only form there is."""
    return vector(1, b"\0")


def psk_key_exchange_modes() -> bytes:
    """psk_dhe_ke only: a resumed session gets fresh keys."""
    return vector(1, b"\x01")


def key_share(shares: list[tuple[int, bytes]]) -> bytes:
    """RFC 8446 §4.2.8: KeyShareClientHello."""
    return vector(2, b"".join(group.to_bytes(2, "big") + vector(2, share) for group, share in shares))


def alpn(protocols: tuple[bytes, ...]) -> bytes:
    """RFC 7301 §3.1."""
    return vector(2, b"".join(vector(1, protocol) for protocol in protocols))


def certificate_types(types: tuple[int, ...]) -> bytes:
    """RFC 7250 §3."""
    return vector(1, bytes(types))


def compress_certificate(algorithms: tuple[int, ...]) -> bytes:
    """RFC 8879 §3."""
    return vector(1, uint16_list(algorithms))


def status_request() -> bytes:
    """RFC 6066 §8: OCSP, any responder, no extensions."""
    return b"\x01" + vector(2, b"") + vector(2, b"")


def pre_shared_key(identity: bytes, obfuscated_age: int, binder: bytes) -> bytes:
    """RFC 8446 §4.2.11, one identity."""
    identities = vector(2, vector(2, identity) + obfuscated_age.to_bytes(4, "big"))
    return identities + vector(2, vector(1, binder))


# What a server sends ------------------------------------------------------------------------------------


def parse_uint16(body: bytes, name: str) -> int:
    """A selected version, group or identity."""
    with Reader(body, name) as reader:
        return reader.uint(2)


def parse_key_share(body: bytes) -> tuple[int, bytes]:
    """RFC 8446 §4.2.8: group and octets of the server's share."""
    with Reader(body, "ServerHello, extension key_share") as reader:
        return reader.uint(2), reader.vector(2, 1)


def parse_cookie(body: bytes) -> bytes:
    """RFC 8446 §4.2.2."""
    with Reader(body, "HelloRetryRequest, extension cookie") as reader:
        return reader.vector(2, 1)


def parse_selected_alpn(body: bytes, message: str = "EncryptedExtensions") -> bytes:
    """RFC 7301 §3.1: exactly one name."""
    with Reader(body, f"{message} ALPN") as reader, reader.block(2, 2) as names:
        return names.vector(1, 1)


def parse_point_formats(body: bytes) -> None:
    """RFC 8422 §5.2: uncompressed points must be among them."""
    with Reader(body, "ServerHello, extension ec_point_formats") as reader:
        if 0 not in reader.vector(1, 1):
            raise PeerMisbehavedError(f"{reader.name}: no uncompressed points", Alert.ILLEGAL_PARAMETER)


def parse_certificate_type(body: bytes) -> int:
    """RFC 7250 §3."""
    with Reader(body, "EncryptedExtensions, extension server_certificate_type") as reader:
        return reader.uint(1)


def parse_record_size_limit(body: bytes, message: str, most: int) -> int:
    """RFC 8449 §4: octets of a plaintext, from 64; in TLS 1.3 its type and padding are counted."""
    limit = parse_uint16(body, f"{message}, extension record_size_limit")
    if not 64 <= limit <= most:
        raise PeerMisbehavedError(
            f"{message}: record_size_limit must be from 64 to {most}: {limit}", Alert.ILLEGAL_PARAMETER
        )
    return limit


def parse_server_name(body: bytes) -> None:
    """RFC 6066 §3: the server's acknowledgement is empty."""
    Reader(body, "EncryptedExtensions, extension server_name").expect_end()


def parse_supported_groups(body: bytes) -> None:
    """A hint for later connections: its form is checked, and no use made of it."""
    with (
        Reader(body, "EncryptedExtensions, extension supported_groups") as reader,
        reader.block(2, 2) as groups,
    ):
        while groups.remaining:
            groups.uint(2)


def parse_signature_algorithms(body: bytes) -> tuple[int, ...]:
    """RFC 8446 §4.2.3: all codes, known or not."""
    with (
        Reader(body, "CertificateRequest, extension signature_algorithms") as reader,
        reader.block(2, 2) as schemes,
    ):
        found = []
        while schemes.remaining:
            found.append(schemes.uint(2))
        return tuple(found)


def parse_certificate_authorities(body: bytes) -> tuple[bytes, ...]:
    """DER names, in the order sent (RFC 8446 §4.2.4)."""
    with (
        Reader(body, "CertificateRequest, extension certificate_authorities") as reader,
        reader.block(2, 3) as names,
    ):
        found = []
        while names.remaining:
            found.append(names.vector(2, 1))
        return tuple(found)


def parse_oid_filters(body: bytes) -> None:
    """RFC 8446 §4.2.5: only the form is checked; as with OpenSSL there is but one certificate to show."""
    with Reader(body, "CertificateRequest, extension oid_filters") as reader, reader.block(2) as filters:
        while filters.remaining:
            filters.vector(1, 1)
            filters.vector(2)


def parse_certificate_status(body: bytes, name: str = "Certificate, extension status_request") -> bytes:
    """The DER OCSPResponse of a CertificateStatus (RFC 6066 §8), which TLS 1.2 sends as a message."""
    with Reader(body, name) as reader:
        if (kind := reader.uint(1)) != 1:
            raise reader.error(f"unknown status type: {kind}")
        return reader.vector(3, 1)


def parse_sct_list(body: bytes) -> bytes:
    """Check the form of a SignedCertificateTimestampList (RFC 6962 §3.3) and return it whole."""
    with (
        Reader(body, "Certificate, extension signed_certificate_timestamp") as reader,
        reader.block(2, 1) as items,
    ):
        while items.remaining:
            items.vector(2, 1)
    return body


def parse_empty(body: bytes, name: str) -> None:
    """An extension that says all by being there."""
    Reader(body, name).expect_end()


def parse_early_data(body: bytes) -> int:
    """max_early_data_size of a ticket (RFC 8446 §4.2.10)."""
    with Reader(body, "NewSessionTicket, extension early_data") as reader:
        return reader.uint(4)
