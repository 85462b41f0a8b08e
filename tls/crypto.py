"""The primitives: hashes, AEADs, key exchange and signatures, each behind a function of octets.

With `certificates.py` the only file that knows `cryptography`.  Modules that
a handshake may not need (the NIST curves, ML-KEM, RSA) are imported when it
does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, Hash, HashContext
from cryptography.hazmat.primitives.hmac import HMAC

from .alerts import Alert
from .config import (
    ECDSA_SECP256R1_SHA256,
    ECDSA_SECP384R1_SHA384,
    ECDSA_SECP521R1_SHA512,
    ED448,
    ED25519,
    GROUP_NAMES,
    RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512,
    RSA_PSS_PSS_SHA256,
    RSA_PSS_PSS_SHA384,
    RSA_PSS_PSS_SHA512,
    RSA_PSS_RSAE_SHA256,
    RSA_PSS_RSAE_SHA384,
    RSA_PSS_RSAE_SHA512,
    SECP256R1,
    SECP256R1MLKEM768,
    SECP384R1,
    SECP521R1,
    TLS_AES_128_GCM_SHA256,
    TLS_AES_256_GCM_SHA384,
    TLS_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    X448,
    X25519,
    X25519MLKEM768,
)
from .errors import PassPhraseError, PeerMisbehavedError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from .certificates import Certificate

    PrivateKey = (
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
    )

Buffer = bytes | bytearray | memoryview
TAG_SIZE = 16
HASH_SIZES = {"sha256": 32, "sha384": 48}
_HASHES = {"sha256": SHA256(), "sha384": SHA384()}

AuthenticationError = InvalidTag


class Aead(Protocol):
    """An AEAD under one key; both methods write exactly the room they are given."""

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: bytearray | memoryview
    ) -> int: ...

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: bytearray | memoryview
    ) -> int: ...


class CipherSuite(NamedTuple):
    """What a suite's code stands for."""

    code: int
    hash_name: str
    key_size: int
    new_aead: Callable[[bytes], Aead]


CIPHER_SUITES = {
    TLS_AES_128_GCM_SHA256: CipherSuite(TLS_AES_128_GCM_SHA256, "sha256", 16, AESGCM),
    TLS_AES_256_GCM_SHA384: CipherSuite(TLS_AES_256_GCM_SHA384, "sha384", 32, AESGCM),
    TLS_CHACHA20_POLY1305_SHA256: CipherSuite(TLS_CHACHA20_POLY1305_SHA256, "sha256", 32, ChaCha20Poly1305),
}


def _suite_12(code: int, like: int) -> tuple[int, CipherSuite]:
    return code, CIPHER_SUITES[like]._replace(code=code)


CIPHER_SUITES_12 = dict(
    (
        _suite_12(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256),
        _suite_12(TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_AES_256_GCM_SHA384),
        _suite_12(TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_CHACHA20_POLY1305_SHA256),
        _suite_12(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256),
        _suite_12(TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_AES_256_GCM_SHA384),
        _suite_12(TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_CHACHA20_POLY1305_SHA256),
    )
)
ECDSA_SUITES_12 = (
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
)
CHACHA_SUITES_12 = (
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
)
GROUPS_12 = (X25519, SECP256R1, SECP384R1, SECP521R1, X448)
MLKEM768_CIPHERTEXT_SIZE = 1088


# Hashes; the standard library's would map a second OpenSSL into the process, which costs 3 ms.


def new_hash(hash_name: str) -> HashContext:
    """Begin a hash."""
    return Hash(_HASHES[hash_name])


def digest(hash_name: str, data: bytes) -> bytes:
    """Hash octets at once."""
    context = Hash(_HASHES[hash_name])
    context.update(data)
    return context.finalize()


@cache
def empty_digest(hash_name: str) -> bytes:
    """The hash of nothing, a fixed input of the key schedule."""
    return Hash(_HASHES[hash_name]).finalize()


def hmac_digest(hash_name: str, key: bytes, data: bytes) -> bytes:
    """HMAC at once; with the salt as the key it is HKDF-Extract (RFC 5869 §2.2)."""
    context = HMAC(key, _HASHES[hash_name])
    context.update(data)
    return context.finalize()


def new_hmac(hash_name: str, key: bytes) -> HMAC:
    """An HMAC with nothing in it yet: a copy costs less than half of what another would."""
    return HMAC(key, _HASHES[hash_name])


def is_hmac(hash_name: str, key: bytes, data: bytes, mac: bytes) -> bool:
    """Compare a MAC received with the right one, without telling by time where they differ."""
    context = HMAC(key, _HASHES[hash_name])
    context.update(data)
    try:
        context.verify(mac)
    except InvalidSignature:
        return False
    return True


def is_same(one: bytes, other: bytes) -> bool:
    """Compare secrets, without telling by time where they differ."""
    from cryptography.hazmat.primitives.constant_time import bytes_eq

    return bytes_eq(one, other)


def hkdf_expand(hash_name: str, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 §2.3)."""
    if length <= HASH_SIZES[hash_name]:  # one block: all that a handshake asks for
        return hmac_digest(hash_name, secret, info + b"\x01")[:length]
    block = output = b""
    for counter in range(1, -(-length // HASH_SIZES[hash_name]) + 1):
        block = hmac_digest(hash_name, secret, block + info + bytes([counter]))
        output += block
    return output[:length]


# Key exchange -------------------------------------------------------------------------------------------


class KeyExchange(Protocol):
    """One ephemeral key pair: the share to send, and what comes of the server's."""

    group: int
    share: bytes

    def shared_secret(self, peer_share: bytes) -> bytes:
        """Raises `PeerMisbehavedError` for a share that is no share of this group."""
        ...


class X25519Exchange:
    """X25519 (RFC 7748); an all-zero result is refused (RFC 8446 §7.4.2)."""

    group = X25519

    def __init__(self, private_key: bytes | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric import x25519

        if private_key is None:
            self._key = x25519.X25519PrivateKey.generate()
        else:
            self._key = x25519.X25519PrivateKey.from_private_bytes(private_key)
        self.share = self._key.public_key().public_bytes_raw()

    def shared_secret(self, peer_share: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import x25519

        try:
            return self._key.exchange(x25519.X25519PublicKey.from_public_bytes(peer_share))
        except ValueError:
            raise _bad_share(self.group, peer_share) from None


class NistExchange:
    """ECDH on P-256, P-384 and P-521, uncompressed points only (RFC 8446 §4.2.8.2)."""

    def __init__(self, group: int, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        curves: dict[int, type[ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1]] = {
            SECP256R1: ec.SECP256R1,
            SECP384R1: ec.SECP384R1,
            SECP521R1: ec.SECP521R1,
        }
        self.group = group
        self._key = ec.generate_private_key(curves[group]()) if key is None else key
        self.share = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def shared_secret(self, peer_share: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec

        if len(peer_share) != len(self.share) or peer_share[0] != 4:
            raise _bad_share(self.group, peer_share)
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(self._key.curve, peer_share)
            return self._key.exchange(ec.ECDH(), point)
        except ValueError:
            raise _bad_share(self.group, peer_share) from None


class X448Exchange:
    """X448 (RFC 7748); an all-zero result is refused (RFC 8446 §7.4.2)."""

    group = X448

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import x448

        self._key = x448.X448PrivateKey.generate()
        self.share = self._key.public_key().public_bytes_raw()

    def shared_secret(self, peer_share: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import x448

        try:
            return self._key.exchange(x448.X448PublicKey.from_public_bytes(peer_share))
        except ValueError:
            raise _bad_share(self.group, peer_share) from None


class HybridExchange:
    """ML-KEM-768 and a curve (draft-ietf-tls-ecdhe-mlkem §4), side by side in the shares and in the secret.

    The part of a NIST curve comes first, that of X25519 last.  It is made on
    an exchange whose key pair may also be offered by itself.
    """

    def __init__(self, classical: KeyExchange) -> None:
        from cryptography.hazmat.primitives.asymmetric import mlkem

        self._classical = classical
        self._curve_first = classical.group != X25519
        self.group = SECP256R1MLKEM768 if self._curve_first else X25519MLKEM768
        self._key = mlkem.MLKEM768PrivateKey.generate()
        self.share = self._joined(classical.share, self._key.public_key().public_bytes_raw())

    def shared_secret(self, peer_share: bytes) -> bytes:
        curve_size = len(self._classical.share)
        if len(peer_share) != MLKEM768_CIPHERTEXT_SIZE + curve_size:
            raise _bad_share(self.group, peer_share)
        cut = curve_size if self._curve_first else MLKEM768_CIPHERTEXT_SIZE
        first, second = peer_share[:cut], peer_share[cut:]
        point, ciphertext = (first, second) if self._curve_first else (second, first)
        try:
            return self._joined(self._classical.shared_secret(point), self._key.decapsulate(ciphertext))
        except ValueError:
            raise _bad_share(self.group, peer_share) from None

    def _joined(self, of_curve: bytes, of_kem: bytes) -> bytes:
        return of_curve + of_kem if self._curve_first else of_kem + of_curve


#: The hybrid groups, and the curve in each.
HYBRIDS = {X25519MLKEM768: X25519, SECP256R1MLKEM768: SECP256R1}


def new_key_exchanges(groups: tuple[int, ...]) -> tuple[KeyExchange, ...]:
    """Make a key pair for each group; a curve by itself and inside a hybrid share one."""
    made: dict[int, KeyExchange] = {}
    for group in groups:
        curve = HYBRIDS.get(group, group)
        if curve not in made:
            made[curve] = _curve_exchange(curve)
        if curve != group:
            made[group] = HybridExchange(made[curve])
    return tuple(made[group] for group in groups)


def _curve_exchange(group: int) -> KeyExchange:
    if group == X25519:
        return X25519Exchange()
    if group in (SECP256R1, SECP384R1, SECP521R1):
        return NistExchange(group)
    if group == X448:
        return X448Exchange()
    raise UsageError(f"TlsConfig: no such group: 0x{group:04x}")


def _bad_share(group: int, share: bytes) -> PeerMisbehavedError:
    return PeerMisbehavedError(
        f"ServerHello: key_share is not valid for its group: 0x{group:04x}, {len(share)} octets",
        Alert.ILLEGAL_PARAMETER,
    )


# Signatures ---------------------------------------------------------------------------------------------

_RSAE = {RSA_PSS_RSAE_SHA256: "SHA256", RSA_PSS_RSAE_SHA384: "SHA384", RSA_PSS_RSAE_SHA512: "SHA512"}
_PSS = {RSA_PSS_PSS_SHA256: "SHA256", RSA_PSS_PSS_SHA384: "SHA384", RSA_PSS_PSS_SHA512: "SHA512"}
_PKCS1 = {RSA_PKCS1_SHA256: "SHA256", RSA_PKCS1_SHA384: "SHA384", RSA_PKCS1_SHA512: "SHA512"}
_ECDSA = {
    ECDSA_SECP256R1_SHA256: ("secp256r1", "SHA256"),
    ECDSA_SECP384R1_SHA384: ("secp384r1", "SHA384"),
    ECDSA_SECP521R1_SHA512: ("secp521r1", "SHA512"),
}


def schemes_of(key: PublicKeyTypes, is_pss: bool = False) -> tuple[int, ...]:
    """The schemes this key can verify in TLS 1.3 (RFC 8446 §4.2.3); empty for a kind that has none.

    The curve belongs to the scheme; `is_pss` tells an RSA key that its
    certificate declares id-RSASSA-PSS from an ordinary one.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return tuple(_PSS if is_pss else _RSAE)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return tuple(scheme for scheme, (curve, _) in _ECDSA.items() if curve == key.curve.name)
    from cryptography.hazmat.primitives.asymmetric import ed25519

    if isinstance(key, ed25519.Ed25519PublicKey):
        return (ED25519,)
    from cryptography.hazmat.primitives.asymmetric import ed448

    return (ED448,) if isinstance(key, ed448.Ed448PublicKey) else ()


def schemes_of_12(key: PublicKeyTypes, is_pss: bool = False) -> tuple[int, ...]:
    """The schemes this key can verify in TLS 1.2: one of ECDSA is a hash and no curve (RFC 8446 §4.2.3)."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, ec.EllipticCurvePublicKey):
        return tuple(_ECDSA) if schemes_of(key) else ()
    schemes = schemes_of(key, is_pss)
    return (*schemes, *_PKCS1) if isinstance(key, rsa.RSAPublicKey) and not is_pss else schemes


def group_of(key: PublicKeyTypes) -> int | None:
    """The group on whose curve an ECDSA key lies; None for a key of another kind."""
    from cryptography.hazmat.primitives.asymmetric import ec

    if not isinstance(key, ec.EllipticCurvePublicKey):
        return None
    return next((group for group, name in GROUP_NAMES.items() if name == key.curve.name), None)


def verify_signature(key: PublicKeyTypes, scheme: int, signature: bytes, content: bytes) -> bool:
    """Whether the signature is good; the scheme must be one that fits the key."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        if isinstance(key, rsa.RSAPublicKey) and scheme in _PKCS1:
            from cryptography.hazmat.primitives.asymmetric import padding

            key.verify(signature, content, padding.PKCS1v15(), _hash(_PKCS1[scheme]))
        elif isinstance(key, rsa.RSAPublicKey):
            algorithm, pss = _pss(scheme)
            key.verify(signature, content, pss, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(_hash(_ECDSA[scheme][1])))
        else:
            from cryptography.hazmat.primitives.asymmetric import ed448, ed25519

            assert isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)
            key.verify(signature, content)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


class PrivateKeySigner:
    """Signs with a key of `cryptography`; `schemes` are those the key can make, best first, in TLS 1.3.

    In TLS 1.2 it can make `schemes_12`.  `is_pss` and `pss_hash` are what the
    certificate says of an RSA key: that it signs with PSS only, and with which
    hash if not with any (RFC 4055 §3.1).
    """

    def __init__(self, key: PrivateKey, is_pss: bool = False, pss_hash: str | None = None) -> None:
        self._key = key
        self.schemes = schemes_of(key.public_key(), is_pss)
        if is_pss:
            self.schemes = tuple(one for one in self.schemes if pss_hash in (None, _PSS[one]))
        size = getattr(key, "key_size", 0)
        # PSS needs room for two digests and two octets (RFC 8017 §9.1.1).
        self.schemes = tuple(one for one in self.schemes if not _is_too_small(size, one))
        older = schemes_of_12(key.public_key(), is_pss)
        self.schemes_12 = (
            *self.schemes,
            *(one for one in older if one not in schemes_of(key.public_key(), is_pss)),
        )

    def is_key_of(self, public_key: PublicKeyTypes) -> bool:
        return self._key.public_key() == public_key

    def is_of_the_kind_of(self, public_key: PublicKeyTypes) -> bool:
        return type(self._key.public_key()) is type(public_key)

    def sign(self, scheme: int, content: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        if isinstance(self._key, rsa.RSAPrivateKey):
            if scheme in _PKCS1:
                from cryptography.hazmat.primitives.asymmetric import padding

                return self._key.sign(content, padding.PKCS1v15(), _hash(_PKCS1[scheme]))
            algorithm, pss = _pss(scheme)
            return self._key.sign(content, pss, algorithm)
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(content, ec.ECDSA(_hash(_ECDSA[scheme][1])))
        return self._key.sign(content)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(schemes={self.schemes})"


def load_signer(
    key: bytes, password: bytes | None = None, *, is_der: bool = False, of: Certificate | None = None
) -> PrivateKeySigner:
    """Load a private key: the first in a PEM text, or DER; `of` is the certificate that it belongs to.

    `PassPhraseError` where it is encrypted and the password is missing or wrong,
    `UsageError` for what is no key that TLS 1.3 can sign with.
    """
    from cryptography.hazmat.primitives import serialization

    loaded: object
    load = serialization.load_der_private_key if is_der else serialization.load_pem_private_key
    encoded = key if is_der else _private_key_block(key)
    try:
        loaded = load(encoded, None)
    except TypeError:  # it is encrypted
        if password is None:
            raise PassPhraseError("private key: it is encrypted, and there is no pass phrase") from None
        try:
            loaded = load(encoded, password)
        except (ValueError, TypeError):  # a wrong key may also leave what looks like content
            raise PassPhraseError("private key: the pass phrase is wrong") from None
        except UnsupportedAlgorithm:
            raise UsageError("private key: encrypted in a way that is not supported") from None
    except (ValueError, UnsupportedAlgorithm):
        if (loaded := _short_ec_key(encoded, is_der)) is None:
            raise UsageError("private key: not readable, or of an unknown kind") from None
    if of is None:
        return PrivateKeySigner(_expect_signing_key(loaded))
    return PrivateKeySigner(_expect_signing_key(loaded), of.key_algorithm == "rsa-pss", of.pss_hash)


def load_pkcs12(content: bytes, password: bytes | None) -> tuple[PrivateKeySigner | None, tuple[bytes, ...]]:
    """Take key and certificates out of a PKCS #12 file (RFC 7292); the key's own certificate is the first.

    `PassPhraseError` where the password is wrong, or the file is.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    from .certificates import Certificate

    try:
        store = pkcs12.load_pkcs12(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PassPhraseError("PKCS #12: wrong password, or not readable") from None
    found = [store.cert, *store.additional_certs] if store.cert is not None else store.additional_certs
    chain = tuple(each.certificate.public_bytes(Encoding.DER) for each in found)
    if store.key is None:
        return None, chain
    leaf = Certificate.parse(chain[0]) if store.cert is not None else None
    is_pss = leaf is not None and leaf.key_algorithm == "rsa-pss"
    signer = PrivateKeySigner(_expect_signing_key(store.key), is_pss, leaf.pss_hash if leaf else None)
    return signer, chain


def _private_key_block(pem: bytes) -> bytes:
    """The first private key of a PEM text that may hold certificates and parameters beside it (RFC 7468)."""
    begin = pem.find(b"-----BEGIN ")
    while begin >= 0:
        label, _, rest = pem[begin + 11 :].partition(b"-----")
        end = b"-----END " + label + b"-----"
        if label.endswith(b"PRIVATE KEY") and end in rest:
            return b"-----BEGIN " + label + b"-----" + rest.partition(end)[0] + end + b"\n"
        begin = pem.find(b"-----BEGIN ", begin + 11)
    raise UsageError("private key: there is none in the file")


def _short_ec_key(encoded: bytes, is_der: bool) -> ec.EllipticCurvePrivateKey | None:
    """Read an EC key in the clear whose writer left out leading zeros, against RFC 5915 §3, as some did.

    `cryptography` refuses one such key in 256; OpenSSL reads them.
    """
    from binascii import Error, a2b_base64

    from cryptography.hazmat.primitives.asymmetric import ec

    from .certificates import CURVES, EC_PUBLIC_KEY
    from .der import INTEGER, OCTET_STRING, OID, SEQUENCE, DerError, DerReader

    try:
        lines = encoded.split(b"-----")
        key = DerReader(encoded if is_der else a2b_base64(lines[2])).enter_last(SEQUENCE)
        curve = b""
        if key.read_integer() == 0:  # PKCS #8 (RFC 5208 §5)
            algorithm = key.enter(SEQUENCE)
            if algorithm.read(OID) != EC_PUBLIC_KEY:
                return None
            curve = algorithm.read(OID)
            key = DerReader(key.read(OCTET_STRING)).enter_last(SEQUENCE)
            key.skip(INTEGER)
        scalar = int.from_bytes(key.read(OCTET_STRING), "big")
        if (named := key.optional(0xA0)) is not None:
            curve = named.read(OID)
        return ec.derive_private_key(scalar, getattr(ec, CURVES[curve][1])())
    except (DerError, Error, ValueError, KeyError, IndexError):
        return None


def _expect_signing_key(key: object) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if not isinstance(
        key,
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey,
    ):
        raise UsageError(f"private key: of a kind that TLS does not sign with: {type(key).__name__}")
    return key


def _pss(scheme: int) -> tuple[hashes.HashAlgorithm, padding.PSS]:
    """Hash and padding of an RSA scheme; the salt is as long as the digest (RFC 8446 §4.2.3)."""
    from cryptography.hazmat.primitives.asymmetric import padding

    algorithm = _hash(_RSAE.get(scheme) or _PSS[scheme])
    return algorithm, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)


def _is_too_small(bits: int, scheme: int) -> bool:
    name = _RSAE.get(scheme) or _PSS.get(scheme)
    return name is not None and (bits + 6) // 8 < 2 * _hash(name).digest_size + 2


def _hash(name: str) -> hashes.HashAlgorithm:
    algorithm: hashes.HashAlgorithm = getattr(hashes, name)()
    return algorithm
