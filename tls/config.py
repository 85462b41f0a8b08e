"""What a client offers, accepts, and how much of it: `TlsConfig`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import urandom as os_urandom
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from .certificates import Certificate
    from .paths import VerifiedPath

TLS12 = 0x0303
TLS13 = 0x0304
VERSION_NAMES = {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}

TLS_AES_128_GCM_SHA256 = 0x1301
TLS_AES_256_GCM_SHA384 = 0x1302
TLS_CHACHA20_POLY1305_SHA256 = 0x1303
TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xC02B
TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 = 0xC02C
TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = 0xC02F
TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 = 0xC030
TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA8
TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA9
#: Names of TLS 1.3 are the specification's, those of TLS 1.2 OpenSSL's, which is what users know.
CIPHER_SUITE_NAMES = {
    TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
    TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
    TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
}

SECP256R1 = 0x0017
SECP384R1 = 0x0018
SECP521R1 = 0x0019
X25519 = 0x001D
X448 = 0x001E
SECP256R1MLKEM768 = 0x11EB
X25519MLKEM768 = 0x11EC
GROUP_NAMES = {
    SECP256R1: "secp256r1",
    SECP384R1: "secp384r1",
    SECP521R1: "secp521r1",
    X25519: "x25519",
    X448: "x448",
    SECP256R1MLKEM768: "SecP256r1MLKEM768",
    X25519MLKEM768: "X25519MLKEM768",
}

RSA_PKCS1_SHA256 = 0x0401
RSA_PKCS1_SHA384 = 0x0501
RSA_PKCS1_SHA512 = 0x0601
ECDSA_SECP256R1_SHA256 = 0x0403
ECDSA_SECP384R1_SHA384 = 0x0503
ECDSA_SECP521R1_SHA512 = 0x0603
RSA_PSS_RSAE_SHA256 = 0x0804
RSA_PSS_RSAE_SHA384 = 0x0805
RSA_PSS_RSAE_SHA512 = 0x0806
ED25519 = 0x0807
ED448 = 0x0808
RSA_PSS_PSS_SHA256 = 0x0809
RSA_PSS_PSS_SHA384 = 0x080A
RSA_PSS_PSS_SHA512 = 0x080B
SIGNATURE_SCHEME_NAMES = {
    RSA_PKCS1_SHA256: "rsa_pkcs1_sha256",
    RSA_PKCS1_SHA384: "rsa_pkcs1_sha384",
    RSA_PKCS1_SHA512: "rsa_pkcs1_sha512",
    ECDSA_SECP256R1_SHA256: "ecdsa_secp256r1_sha256",
    ECDSA_SECP384R1_SHA384: "ecdsa_secp384r1_sha384",
    ECDSA_SECP521R1_SHA512: "ecdsa_secp521r1_sha512",
    RSA_PSS_RSAE_SHA256: "rsa_pss_rsae_sha256",
    RSA_PSS_RSAE_SHA384: "rsa_pss_rsae_sha384",
    RSA_PSS_RSAE_SHA512: "rsa_pss_rsae_sha512",
    ED25519: "ed25519",
    ED448: "ed448",
    RSA_PSS_PSS_SHA256: "rsa_pss_pss_sha256",
    RSA_PSS_PSS_SHA384: "rsa_pss_pss_sha384",
    RSA_PSS_PSS_SHA512: "rsa_pss_pss_sha512",
}


# RFC 8879 §7.3.
CERTIFICATE_ZLIB, CERTIFICATE_BROTLI, CERTIFICATE_ZSTD = 1, 2, 3


class Signer(Protocol):
    """A private key that signs CertificateVerify; `tls.crypto.load_signer` makes one from a file's content.

    `schemes` are those it can make, best first, in TLS 1.3; `schemes_12` those in TLS 1.2.
    """

    schemes: tuple[int, ...]
    schemes_12: tuple[int, ...]

    def sign(self, scheme: int, content: bytes) -> bytes: ...


class ClientCertificate(NamedTuple):
    """The answer to a CertificateRequest: DER certificates, leaf first, and the key of the first."""

    chain: tuple[bytes, ...]
    signer: Signer


class SessionTicket(NamedTuple):
    """A session that may be resumed (RFC 8446 §4.6.1; of TLS 1.2: RFC 5077, or by its id, RFC 5246 §7.3).

    Good for the server name, and under the verification, it was made with.
    Whoever keeps it notes when it came and gives its age back in a
    `ResumptionOffer`.  One of TLS 1.3 is for one connection, lest they be
    linked (RFC 8446 §C.4); one of TLS 1.2 serves until its lifetime is over.
    """

    server_name: str
    identity: bytes
    resumption_secret: bytes
    cipher_suite: int
    lifetime: int
    age_add: int
    max_early_data_size: int
    alpn: bytes | None
    peer_chain: tuple[bytes, ...]
    ocsp_response: bytes | None
    sct_list: bytes | None
    was_verified: bool
    signature_scheme: int | None = None
    """With which the server proved itself when the session was made."""
    version: int = TLS13
    session_id: bytes = b""
    """TLS 1.2: under which the server knows a session for which it sent no ticket."""
    is_raw_key: bool = False
    """`peer_chain` is one raw public key."""
    group: int = 0
    """TLS 1.2: with which the keys were agreed; in TLS 1.3 each connection agrees anew."""

    def __repr__(self) -> str:
        return f"SessionTicket({self.server_name!r}, {len(self.identity)} octets, lifetime={self.lifetime})"


class ResumptionOffer(NamedTuple):
    """A ticket to offer, and its age in milliseconds.

    It is not sent past its lifetime, nor to another name than it is from: the
    handshake is a full one then.
    """

    ticket: SessionTicket
    age: int


#: What became of data sent before the server's hello, or why none was (RFC 8446 §4.2.10).
EarlyDataOutcome = Literal[
    "accepted",
    "disabled",  # not asked for by the config
    "protocol_version",  # a connection of TLS 1.2
    "no_session_offered",
    "unsupported_for_session",  # its ticket allows none, or its cipher suite is no longer offered
    "session_refused",  # its chain does not stand up to verification any more
    "alpn_mismatch",  # its protocol is no longer offered
    "hello_retry_request",
    "session_not_resumed",
    "peer_declined",
]


#: Whether the name asked for was sealed (RFC 9849); "rejected" is an error and no connection.
EchOutcome = Literal["not_offered", "greased", "accepted", "rejected"]


class TlsLimits(NamedTuple):
    """How much of a server's octets is kept before it has proven anything.

    Each handshake message is refused by its announced length, before it is
    buffered.
    """

    #: RFC 8446 §5.5: 2**24.5 full records keep AES-GCM's margin; renewed well before.
    records_per_key: int = 1 << 24
    #: Chains of 10 RSA-4096 certificates with staples stay below.
    certificate_size: int = 128 * 1024
    #: A leaf, its intermediates and a stray root; more is an attack on the path builder.
    certificate_count: int = 16
    #: ServerHello with a hybrid share is 1.3 KB; a cookie may be large.
    hello_size: int = 20 * 1024
    #: EncryptedExtensions and CertificateRequest (lists of authorities).
    parameters_size: int = 64 * 1024
    #: Tickets with a client chain inside reach 4 KB.
    ticket_size: int = 20 * 1024
    #: OpenSSL sends two; more than this in one connection are dropped unread.
    tickets: int = 16
    #: As BoringSSL: more than this in a row, with no data between them, is a flood.
    empty_records: int = 32
    key_updates: int = 32
    warnings: int = 4
    #: TLS 1.2: requests for a new handshake that are declined before they are an error; 0: at once.
    hello_requests: int = 4
    #: After the handshake; one a protected place is usual, and each costs a signature.
    certificate_requests: int = 16


class TlsConfig(NamedTuple):
    """Everything that a `TlsClient` is told; the defaults suit a client on the open network."""

    #: Returns the path or raises `CertificateError`; None accepts any chain (the key is still proven).
    verify: Callable[[Sequence[Certificate], str], VerifiedPath] | None = None
    #: SubjectPublicKeyInfos in DER: a server may show one of these keys instead of a certificate (RFC 7250),
    #: which is then all there is to verify.  Certificates are accepted as ever; of TLS 1.3 alone.
    raw_public_keys: tuple[bytes, ...] = ()
    #: Protocols in order of preference; empty: ALPN is not offered.
    alpn: tuple[bytes, ...] = ()
    #: TLS13, and TLS12 for servers that have nothing newer; each alone will do.
    versions: tuple[int, ...] = (TLS13, TLS12)
    cipher_suites: tuple[int, ...] = (
        TLS_AES_256_GCM_SHA384,
        TLS_CHACHA20_POLY1305_SHA256,
        TLS_AES_128_GCM_SHA256,
    )
    #: Those of TLS 1.2, behind the others.
    cipher_suites_12: tuple[int, ...] = (
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    )
    groups: tuple[int, ...] = (X25519MLKEM768, X25519, SECP256R1, SECP384R1)
    #: Groups a share is sent for at once; the others cost a second round trip.
    key_shares: tuple[int, ...] = (X25519MLKEM768, X25519)
    signature_schemes: tuple[int, ...] = (
        ECDSA_SECP256R1_SHA256,
        ED25519,
        RSA_PSS_RSAE_SHA256,
        ECDSA_SECP384R1_SHA384,
        ECDSA_SECP521R1_SHA512,
        ED448,
        RSA_PSS_RSAE_SHA384,
        RSA_PSS_RSAE_SHA512,
        RSA_PSS_PSS_SHA256,
        RSA_PSS_PSS_SHA384,
        RSA_PSS_PSS_SHA512,
    )
    #: Behind the others where TLS 1.2 is offered; what TLS 1.3 signs they never sign.
    signature_schemes_12: tuple[int, ...] = (RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512)
    #: Send SNI; never sent for an address whatever this says.
    send_server_name: bool = True
    #: RFC 8446 §D.4: a session id and change_cipher_spec, for middleboxes that want to see TLS 1.2.
    compatibility_mode: bool = True
    #: Ask for an OCSP staple, for signed certificate timestamps; `HandshakeCompleted` has the octets.
    request_ocsp: bool = False
    request_sct: bool = False
    #: How the server may compress its certificates (RFC 8879); `compression.available()` are all there are.
    certificate_compression: tuple[int, ...] = (CERTIFICATE_ZLIB,)
    #: Judges the staple of a certificate by its issuer; None where the server sent none, or the issuer is
    #: not known.  Raises `StapleError`; `ocsp.check` is one.  With `request_ocsp` and none, a certificate
    #: that must be stapled (RFC 7633) is refused without.
    check_staple: Callable[[Certificate, Certificate | None, bytes | None], None] | None = None
    #: With one, the server may also ask for it after the handshake (RFC 8446 §4.2.6).
    client_certificate: ClientCertificate | None = None
    #: A session to resume; its chain is verified again unless told otherwise: it may have run out.
    #: A session that was not verified when it was made always is.
    resumption: ResumptionOffer | None = None
    verify_resumed: bool = True
    #: Where the session to resume allows it, `TlsClient.send_early_data` may send before the server has
    #: said a word.  Whoever recorded it can send it again: for requests only that may well come twice.
    early_data: bool = False
    #: An ECHConfigList, as a DNS HTTPS record has it: the name asked for is sealed (RFC 9849).
    #: One that has nothing usable in it is as none.
    ech_configs: bytes = b""
    #: Seen from outside in the place of the config's public name; None: that.
    ech_public_name: str | None = None
    #: Where nothing is sealed, send what looks as if something were (RFC 9849 §6.2).
    grease_ech: bool = False
    #: Offer values that mean nothing, so that servers stay used to what they do not know (RFC 8701), and the
    #: extensions in an order that nobody can come to rely on.
    grease: bool = False
    permute_extensions: bool = False
    #: The longest record to be sent to us, its type and padding counted (RFC 8449): 64 to 16385.  The
    #: server's wish is followed; None: not spoken of.
    record_size_limit: int | None = 16385
    #: Records of TLS 1.3 are filled up to a multiple of so many octets (RFC 8446 §5.4).
    pad_records_to: int = 1
    #: Called with each line of an SSLKEYLOGFILE; who has these lines reads the connection.
    key_log: Callable[[str], None] | None = None
    #: Give a `MessageTraced` for each message in and out.
    trace: bool = False
    random_bytes: Callable[[int], bytes] = os_urandom
    limits: TlsLimits = TlsLimits()

    @property
    def all_cipher_suites(self) -> tuple[int, ...]:
        """What a ClientHello offers."""
        newest = self.cipher_suites if TLS13 in self.versions else ()
        return newest + self.cipher_suites_12 if TLS12 in self.versions else newest

    @property
    def all_signature_schemes(self) -> tuple[int, ...]:
        """What a ClientHello offers."""
        schemes = self.signature_schemes
        return schemes + self.signature_schemes_12 if TLS12 in self.versions else schemes
