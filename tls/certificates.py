"""Certificates (RFC 5280 §4): what is in one, its public key, and who signed it.

One of the two files that use `cryptography`; from it come keys and signature
checks, each key type imported when the first certificate needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from .alerts import Alert
from .der import (
    BIT_STRING,
    BOOLEAN,
    NULL,
    OCTET_STRING,
    OID,
    SEQUENCE,
    DerError,
    DerReader,
    oid,
    oid_text,
    read_time,
)
from .errors import CertificateError
from .names import NO_NAMES, GeneralNames, name_text, read_general_names

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

# KeyUsage, RFC 5280 §4.2.1.3, as bits of the first octet
DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN = 0x80, 0x04, 0x02

SERVER_AUTH = oid("1.3.6.1.5.5.7.3.1")

RSA_ENCRYPTION, RSASSA_PSS = oid("1.2.840.113549.1.1.1"), oid("1.2.840.113549.1.1.10")
EC_PUBLIC_KEY = oid("1.2.840.10045.2.1")
ED25519, ED448 = oid("1.3.101.112"), oid("1.3.101.113")
MGF1 = oid("1.2.840.113549.1.1.8")

_KEY_ALGORITHMS = {RSA_ENCRYPTION: "rsa", RSASSA_PSS: "rsa-pss", ED25519: "ed25519", ED448: "ed448"}
CURVES = {
    oid("1.2.840.10045.3.1.7"): ("P-256", "SECP256R1", 256),
    oid("1.3.132.0.34"): ("P-384", "SECP384R1", 384),
    oid("1.3.132.0.35"): ("P-521", "SECP521R1", 521),
}
_HASHES = {
    oid("1.3.14.3.2.26"): "SHA1",
    oid("2.16.840.1.101.3.4.2.4"): "SHA224",
    oid("2.16.840.1.101.3.4.2.1"): "SHA256",
    oid("2.16.840.1.101.3.4.2.2"): "SHA384",
    oid("2.16.840.1.101.3.4.2.3"): "SHA512",
}
_SIGNATURES = {
    oid("1.2.840.113549.1.1.4"): ("rsa", "MD5"),
    oid("1.2.840.113549.1.1.5"): ("rsa", "SHA1"),
    oid("1.2.840.113549.1.1.14"): ("rsa", "SHA224"),
    oid("1.2.840.113549.1.1.11"): ("rsa", "SHA256"),
    oid("1.2.840.113549.1.1.12"): ("rsa", "SHA384"),
    oid("1.2.840.113549.1.1.13"): ("rsa", "SHA512"),
    oid("1.2.840.10045.4.1"): ("ecdsa", "SHA1"),
    oid("1.2.840.10045.4.3.1"): ("ecdsa", "SHA224"),
    oid("1.2.840.10045.4.3.2"): ("ecdsa", "SHA256"),
    oid("1.2.840.10045.4.3.3"): ("ecdsa", "SHA384"),
    oid("1.2.840.10045.4.3.4"): ("ecdsa", "SHA512"),
    ED25519: ("ed25519", ""),
    ED448: ("ed448", ""),
}
_SIGNATURES_OF = {
    "rsa": ("rsa", "rsa-pss"),
    "rsa-pss": ("rsa-pss",),
    "P-256": ("ecdsa",),
    "P-384": ("ecdsa",),
    "P-521": ("ecdsa",),
    "ed25519": ("ed25519",),
    "ed448": ("ed448",),
}
WEAK_HASHES = ("MD5", "SHA1")  # below 112 bits, security level 2 of OpenSSL on Debian

# One signature check must stay cheap, whatever key a server makes up; OpenSSL's limits are these or wider.
MAX_RSA_BITS = 16_384
MAX_RSA_EXPONENT_BITS = 33

_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_KEY_USAGE = oid("2.5.29.19"), oid("2.5.29.15"), oid("2.5.29.37")
_SUBJECT_ALT_NAME, _NAME_CONSTRAINTS = oid("2.5.29.17"), oid("2.5.29.30")
_SUBJECT_KEY_IDENTIFIER, _AUTHORITY_KEY_IDENTIFIER = oid("2.5.29.14"), oid("2.5.29.35")
# Understood as far as they can matter here: policies are accepted whatever they say (the initial set is
# any-policy and none is required, RFC 5280 §6.1.1), as OpenSSL does without a policy check.
_CRL_DISTRIBUTION_POINTS = oid("2.5.29.31")
_TLS_FEATURE = oid("1.3.6.1.5.5.7.1.24")
_STATUS_REQUEST = 5
_HARMLESS_IF_CRITICAL = {oid("2.5.29.32"), oid("2.5.29.33"), oid("2.5.29.36"), oid("2.5.29.54")}


class Certificate:
    """One X.509 certificate, whole and well-formed: `parse` has checked it all but the signature.

    `subject_der`, `issuer_der` and `key_der` are the encodings of the names
    and of SubjectPublicKeyInfo. `not_before` and `not_after` are seconds since
    1970; both belong to the validity. `is_ca` is None without
    basicConstraints, `key_usage` and `extended_key_usage` are None without
    theirs, `path_length` without a limit. `key_algorithm` is `rsa`, `rsa-pss`,
    `P-256`, `P-384`, `P-521`, `ed25519`, `ed448`, or the dotted number of
    another. With `must_staple` its server is bound to send an OCSP response
    (RFC 7633).
    """

    __slots__ = (
        "_key_info",
        "_public_key",
        "authority_key_id",
        "crl_points_der",
        "der",
        "extended_key_usage",
        "is_ca",
        "issuer_der",
        "key_algorithm",
        "key_der",
        "key_usage",
        "must_staple",
        "name_constraints_der",
        "names",
        "not_after",
        "not_before",
        "path_length",
        "serial",
        "signature",
        "signature_algorithm",
        "subject_der",
        "subject_key_id",
        "tbs",
        "unknown_critical",
        "version",
    )

    def __init__(self, der: bytes) -> None:
        """Read `der`; DerError unless it is a certificate (see `parse`)."""
        certificate = DerReader(der).enter_last(SEQUENCE)
        self.der = der
        self.tbs = certificate.read_whole(SEQUENCE)
        self.signature_algorithm = certificate.read_whole(SEQUENCE)
        self.signature = _octets_of_bit_string(certificate.read(BIT_STRING))
        certificate.finish()
        self._public_key: PublicKey | None = None
        self._read_tbs(DerReader(self.tbs).enter(SEQUENCE))

    @classmethod
    def parse(cls, der: bytes) -> Self:
        """Read a certificate; CertificateError with decode_error if it is none."""
        try:
            return cls(der)
        except ValueError as error:  # DerError, or what Python finds in the octets
            # RFC 8446 §6.2 leaves it open; for BoringSSL garbage is a broken message, not a bad certificate.
            raise CertificateError(f"Certificate: not readable: {error}", Alert.DECODE_ERROR) from None

    @property
    def subject(self) -> str:
        return name_text(self.subject_der)

    @property
    def issuer(self) -> str:
        return name_text(self.issuer_der)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the whole."""
        from hashlib import sha256  # only for people to read

        return sha256(self.der).digest()

    @property
    def is_self_issued(self) -> bool:
        return self.subject_der == self.issuer_der

    @property
    def is_self_signed(self) -> bool:
        """Whether it says so; the signature is not looked at."""
        return self.is_self_issued and self.may_be_signed_by(self)

    @property
    def public_key(self) -> PublicKey:
        """The key as `cryptography` has it; CertificateError where the kind is not supported."""
        if self._public_key is None:
            try:
                self._public_key = load_public_key(self._key_info)
            except (ValueError, UnsupportedAlgorithm) as error:  # DerError too
                raise CertificateError(
                    f"Certificate: public key of {self.subject!r}: {error}", Alert.UNSUPPORTED_CERTIFICATE
                ) from None
        return self._public_key

    @property
    def key_bits(self) -> int:
        """The size of the key; CertificateError where the kind is not supported."""
        return getattr(self.public_key, "key_size", 256 if self.key_algorithm == "ed25519" else 456)

    @property
    def pss_limits(self) -> tuple[str, int] | None:
        """The one hash and the least octets of salt of an `rsa-pss` key (RFC 4055 §3.1).

        None: it signs with any, or is of another kind.
        """
        algorithm = DerReader(self.key_der).enter(SEQUENCE).enter(SEQUENCE)
        if algorithm.read(OID) != RSASSA_PSS or algorithm.tag != SEQUENCE:
            return None
        try:
            return _pss_parameters(algorithm.enter(SEQUENCE))
        except ValueError:
            return "unknown", 0

    @property
    def pss_hash(self) -> str | None:
        """The hash of `pss_limits`, if there are any."""
        limits = self.pss_limits
        return None if limits is None else limits[0]

    @property
    def signature_hash(self) -> str:
        """`SHA256` and so on, "" with EdDSA, "unknown" for what `is_signed_by` cannot check."""
        try:
            return _signature_scheme(self.signature_algorithm)[1]
        except ValueError:
            return "unknown"

    def may_be_signed_by(self, issuer: Certificate) -> bool:
        """Whether key identifiers, where both have one, leave it open (RFC 5280 §4.2.1.1); names aside."""
        mine, theirs = self.authority_key_id, issuer.subject_key_id
        return mine is None or theirs is None or mine == theirs

    def is_signed_by(self, issuer: Certificate) -> bool:
        """Check the signature with the issuer's key; False also for an algorithm not supported."""
        return is_signed(self, issuer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.subject!r} by {self.issuer!r}>"

    def _read_tbs(self, tbs: DerReader) -> None:
        self.version = 1
        if version := tbs.optional(0xA0):
            self.version = version.read_integer() + 1
            version.finish()
        if not 1 <= self.version <= 3:
            raise DerError("version is none of 1 to 3")  # the number itself may have thousands of digits
        self.serial = tbs.read_integer()
        if tbs.read_whole(SEQUENCE) != self.signature_algorithm:
            raise DerError("inner and outer signature algorithm differ")
        self.issuer_der = tbs.read_whole(SEQUENCE)
        validity = tbs.enter(SEQUENCE)
        self.not_before, self.not_after = read_time(validity), read_time(validity)
        validity.finish()
        self.subject_der = tbs.read_whole(SEQUENCE)
        self.key_der = tbs.read_whole(SEQUENCE)
        self._key_info = KeyInfo.read(DerReader(self.key_der).enter_last(SEQUENCE))
        self.key_algorithm = self._key_info.name
        for unique_id in (0x81, 0x82):
            tbs.optional(unique_id)
        self._read_extensions(tbs.optional(0xA3))
        tbs.finish()

    def _read_extensions(self, outer: DerReader | None) -> None:
        self.is_ca: bool | None = None
        self.path_length: int | None = None
        self.key_usage: int | None = None
        self.extended_key_usage: frozenset[bytes] | None = None
        self.names: GeneralNames = NO_NAMES
        self.name_constraints_der: bytes | None = None
        self.subject_key_id: bytes | None = None
        self.authority_key_id: bytes | None = None
        self.crl_points_der: bytes | None = None
        self.must_staple = False
        self.unknown_critical: tuple[str, ...] = ()
        if outer is None:
            return
        extensions, seen, unknown = outer.enter_last(SEQUENCE), set(), []
        while extensions.tag:
            extension = extensions.enter(SEQUENCE)
            kind = extension.read(OID)
            is_critical = extension.tag == BOOLEAN and extension.read_boolean()
            value = extension.enter_last(OCTET_STRING)
            if kind in seen:
                raise DerError(f"extension {oid_text(kind)} twice")
            seen.add(kind)
            if read := _EXTENSIONS.get(kind):
                read(self, value)
                value.finish()
            elif is_critical and kind not in _HARMLESS_IF_CRITICAL:
                unknown.append(oid_text(kind))
        self.unknown_critical = tuple(unknown)

    def _read_basic_constraints(self, value: DerReader) -> None:
        constraints = value.enter_last(SEQUENCE)
        self.is_ca = constraints.tag == BOOLEAN and constraints.read_boolean()
        if constraints.tag:
            self.path_length = constraints.read_integer()
            if self.path_length < 0:
                raise DerError("path length is negative")

    def _read_key_usage(self, value: DerReader) -> None:
        content = value.read(BIT_STRING)
        if not content or content[0] > 7:
            raise DerError("key usage is no bit string")
        self.key_usage = content[1] if len(content) > 1 else 0

    def _read_extended_key_usage(self, value: DerReader) -> None:
        usages, found = value.enter_last(SEQUENCE), set()
        while usages.tag:
            found.add(usages.read(OID))
        self.extended_key_usage = frozenset(found)

    def _read_subject_alt_name(self, value: DerReader) -> None:
        self.names = read_general_names(value.enter_last(SEQUENCE))

    def _read_name_constraints(self, value: DerReader) -> None:
        self.name_constraints_der = value.read_whole(SEQUENCE)

    def _read_subject_key_identifier(self, value: DerReader) -> None:
        self.subject_key_id = value.read(OCTET_STRING)

    def _read_crl_points(self, value: DerReader) -> None:
        self.crl_points_der = value.read_whole(SEQUENCE)

    def _read_tls_feature(self, value: DerReader) -> None:
        features = value.enter_last(SEQUENCE)
        while features.tag:
            self.must_staple |= features.read_integer() == _STATUS_REQUEST

    def _read_authority_key_identifier(self, value: DerReader) -> None:
        identifier = value.enter(SEQUENCE)
        if identifier.tag == 0x80:
            self.authority_key_id = identifier.read(0x80)


_EXTENSIONS = {
    _BASIC_CONSTRAINTS: Certificate._read_basic_constraints,
    _KEY_USAGE: Certificate._read_key_usage,
    _EXTENDED_KEY_USAGE: Certificate._read_extended_key_usage,
    _SUBJECT_ALT_NAME: Certificate._read_subject_alt_name,
    _NAME_CONSTRAINTS: Certificate._read_name_constraints,
    _SUBJECT_KEY_IDENTIFIER: Certificate._read_subject_key_identifier,
    _AUTHORITY_KEY_IDENTIFIER: Certificate._read_authority_key_identifier,
    _CRL_DISTRIBUTION_POINTS: Certificate._read_crl_points,
    _TLS_FEATURE: Certificate._read_tls_feature,
}


def _octets_of_bit_string(content: bytes) -> bytes:
    if content[:1] != b"\0":
        raise DerError("bit string does not end with an octet")
    return content[1:]


class KeyInfo(NamedTuple):
    """SubjectPublicKeyInfo (RFC 5280 §4.1.2.7); `name` is as in `Certificate.key_algorithm`."""

    name: str
    kind: bytes
    curve: bytes  # "" where there is none, or none with a number
    bits: bytes

    @classmethod
    def read(cls, key_info: DerReader) -> Self:
        algorithm = key_info.enter(SEQUENCE)
        bits = key_info.read(BIT_STRING)
        key_info.finish()
        kind = algorithm.read(OID)
        if kind == EC_PUBLIC_KEY and algorithm.tag == OID:
            curve = algorithm.read(OID)
            return cls(CURVES[curve][0] if curve in CURVES else oid_text(curve), kind, curve, bits)
        return cls(_KEY_ALGORITHMS.get(kind) or oid_text(kind), kind, b"", bits)


def load_public_key(key_info: KeyInfo) -> PublicKey:
    """Make a key of SubjectPublicKeyInfo; ValueError says what is wrong with it."""
    kind, key = key_info.kind, _octets_of_bit_string(key_info.bits)
    if kind == EC_PUBLIC_KEY:
        return _load_ec_key(key_info.curve, key)
    if kind in (RSA_ENCRYPTION, RSASSA_PSS):
        return _load_rsa_key(key)
    if kind == ED25519:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        return ed25519.Ed25519PublicKey.from_public_bytes(key)
    if kind == ED448:
        from cryptography.hazmat.primitives.asymmetric import ed448

        return ed448.Ed448PublicKey.from_public_bytes(key)
    raise ValueError(f"algorithm {oid_text(kind)} is not supported")


def _load_ec_key(curve: bytes, point: bytes) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    if curve not in CURVES:
        raise ValueError(f"curve {oid_text(curve)} is not supported")
    return ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, CURVES[curve][1])(), point)


def _load_rsa_key(key: bytes) -> rsa.RSAPublicKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = DerReader(key).enter(SEQUENCE)
    modulus, exponent = numbers.read_integer(), numbers.read_integer()
    numbers.finish()
    if modulus <= 0 or exponent <= 0:
        raise ValueError("RSA key of negative numbers")
    if modulus.bit_length() > MAX_RSA_BITS or exponent.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise ValueError(f"RSA key of {modulus.bit_length()} bits, exponent of {exponent.bit_length()}")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _signature_scheme(algorithm: bytes) -> tuple[str, str]:
    """Name the kind of signature and its hash; ValueError for what is not supported."""
    reader = DerReader(algorithm).enter(SEQUENCE)
    kind = reader.read(OID)
    if kind == RSASSA_PSS:
        return "rsa-pss", _pss_parameters(reader.enter(SEQUENCE))[0]
    if kind not in _SIGNATURES:
        raise ValueError(f"signature algorithm {oid_text(kind)} is not supported")
    if reader.tag == NULL:
        reader.skip(NULL)
    reader.finish()
    return _SIGNATURES[kind]


def _pss_parameters(parameters: DerReader) -> tuple[str, int]:
    """Read RSASSA-PSS-params (RFC 4055 §3.1): hash, of MGF1 too, and octets of salt; by default SHA-1, 20."""
    digest = mgf_digest = oid("1.3.14.3.2.26")
    if explicit := parameters.optional(0xA0):
        digest = explicit.enter(SEQUENCE).read(OID)
    if explicit := parameters.optional(0xA1):
        mgf = explicit.enter(SEQUENCE)
        if mgf.read(OID) != MGF1:
            raise ValueError("RSASSA-PSS without MGF1")
        mgf_digest = mgf.enter(SEQUENCE).read(OID)
    explicit = parameters.optional(0xA2)
    salt = 20 if explicit is None else explicit.read_integer()
    if digest != mgf_digest or digest not in _HASHES or salt < 0:
        raise ValueError("RSASSA-PSS with these parameters is not supported")
    return _HASHES[digest], salt


class Signed(Protocol):
    """What a CA has signed: a certificate, or a list of revoked ones (RFC 5280 §4.1.1, §5.1.1)."""

    tbs: bytes
    signature_algorithm: bytes
    signature: bytes


def is_signed(subject: Signed, issuer: Certificate) -> bool:
    """Check the signature with the issuer's key; False also for an algorithm not supported."""
    try:
        _verify(subject, issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, CertificateError):
        return False
    return True


def _verify(subject: Signed, issuer: Certificate) -> None:
    """Raise unless `issuer`'s key made the signature; the kind of key must be the one the algorithm names."""
    kind, hash_name = _signature_scheme(subject.signature_algorithm)
    if kind not in _SIGNATURES_OF.get(issuer.key_algorithm, ()):
        raise ValueError(f"a {issuer.key_algorithm} key makes no {kind} signature")
    # The kinds of keys below follow from the names just compared.
    key: Any = issuer.public_key
    if kind == "ecdsa":
        from cryptography.hazmat.primitives.asymmetric import ec

        key.verify(subject.signature, subject.tbs, ec.ECDSA(_hash(hash_name)))
    elif kind in ("ed25519", "ed448"):
        key.verify(subject.signature, subject.tbs)
    else:
        from cryptography.hazmat.primitives.asymmetric import padding

        digest = _hash(hash_name)
        scheme: Any = padding.PKCS1v15()
        if kind == "rsa-pss":
            scheme = padding.PSS(padding.MGF1(digest), _expect_salt(subject, issuer))
        key.verify(subject.signature, subject.tbs, scheme, digest)


def _expect_salt(subject: Signed, issuer: Certificate) -> int:
    """Return the salt's length, as the issuer's key allows it; ValueError otherwise (RFC 4055 §3.3)."""
    algorithm = DerReader(subject.signature_algorithm).enter(SEQUENCE)
    algorithm.skip(OID)
    hash_name, salt = _pss_parameters(algorithm.enter(SEQUENCE))
    limits = issuer.pss_limits
    if limits is not None and (hash_name != limits[0] or salt < limits[1]):
        raise ValueError("a signature that the issuer's key does not make")
    return salt


def hash_of(name: str, data: bytes) -> bytes:
    """Hash octets for a comparison; `name` as in `cryptography`: SHA1, SHA256, …"""
    context = hashes.Hash(_hash(name))
    context.update(data)
    return context.finalize()


def _hash(name: str) -> hashes.HashAlgorithm:
    algorithm: hashes.HashAlgorithm = getattr(hashes, name)()
    return algorithm
