"""What a stapled OCSP response says (RFC 6960 §4.2, RFC 6066 §8), checked as OpenSSL checks it for curl.

The response must be of the certificate's issuer, or of a responder to whom the
issuer has given a certificate for this purpose; it must name the certificate,
and its time must not be over.
"""

from __future__ import annotations

from typing import NamedTuple

from .alerts import Alert
from .certificates import Certificate, hash_of, is_signed
from .der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    OCTET_STRING,
    OID,
    SEQUENCE,
    DerError,
    DerReader,
    oid,
    oid_text,
    read_time,
)
from .errors import StapleError

LEEWAY = 300
"""Seconds by which the responder's clock may be ahead or behind: curl's."""
MAX_RESPONSES = 100
MAX_SIGNERS = 5
"""Certificates in a response that are tried: each costs a signature check."""

_BASIC_RESPONSE, _OCSP_SIGNING = oid("1.3.6.1.5.5.7.48.1.1"), oid("1.3.6.1.5.5.7.3.9")
_ENUMERATED = 0x0A
_MAY_SIGN = 0x80 | 0x40
"""digitalSignature or nonRepudiation, as goes with OCSPSigning (RFC 5280 §4.2.1.12)."""
_HASHES = {
    oid("1.3.14.3.2.26"): "SHA1",
    oid("2.16.840.1.101.3.4.2.1"): "SHA256",
    oid("2.16.840.1.101.3.4.2.2"): "SHA384",
    oid("2.16.840.1.101.3.4.2.3"): "SHA512",
}
_RESPONSE_STATUS = (
    "successful",
    "malformedrequest",
    "internalerror",
    "",
    "trylater",
    "sigrequired",
    "unauthorized",
)
_REASONS = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "",
    "removeFromCRL",
)
GOOD, REVOKED, UNKNOWN = 0x80, 0xA1, 0x82
"""CertStatus by its tag."""


class Single(NamedTuple):
    """SingleResponse: of which certificate, what, and when."""

    hash_name: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int
    status: int
    reason: int | None
    this_update: int
    next_update: int | None

    def is_of(self, certificate: Certificate, issuer: Certificate) -> bool:
        return (
            bool(self.hash_name)
            and self.serial == certificate.serial
            and self.issuer_name_hash == hash_of(self.hash_name, issuer.subject_der)
            and self.issuer_key_hash == hash_of(self.hash_name, _key_bits(issuer))
        )


class BasicResponse:
    """BasicOCSPResponse, well-formed; its signature is another matter."""

    def __init__(self, der: bytes) -> None:
        """Read `der`; DerError unless it is one."""
        outer = DerReader(der).enter_last(SEQUENCE)
        self.tbs = outer.read_whole(SEQUENCE)
        self.signature_algorithm = outer.read_whole(SEQUENCE)
        bits = outer.read(BIT_STRING)
        if bits[:1] != b"\0":
            raise DerError("signature does not end with an octet")
        self.signature = bits[1:]
        self.certificates: list[bytes] = []
        if (given := outer.optional(0xA0)) is not None:
            several = given.enter_last(SEQUENCE)
            while several.tag:
                self.certificates.append(several.read_whole(SEQUENCE))
        outer.finish()
        self._read_data(DerReader(self.tbs).enter(SEQUENCE))

    def is_by(self, certificate: Certificate) -> bool:
        """Whether the response says that this is who made it."""
        if self.responder_name is not None:
            return self.responder_name == certificate.subject_der
        return self.responder_key == hash_of("SHA1", _key_bits(certificate))

    def _read_data(self, data: DerReader) -> None:
        if (version := data.optional(0xA0)) is not None and version.read_integer() != 0:
            raise DerError("version is not 1")
        self.responder_name: bytes | None = None
        self.responder_key: bytes | None = None
        if (name := data.optional(0xA1)) is not None:
            self.responder_name = name.read_whole(SEQUENCE)
        else:
            self.responder_key = data.enter(0xA2).read(OCTET_STRING)
        data.skip(GENERALIZED_TIME)
        several = data.enter(SEQUENCE)
        self.responses: list[Single] = []
        while several.tag:
            if len(self.responses) == MAX_RESPONSES:
                raise DerError(f"over {MAX_RESPONSES} responses")
            self.responses.append(_read_single(several.enter(SEQUENCE)))
        _expect_nothing_critical(data)


def check(response: bytes | None, certificate: Certificate, issuer: Certificate | None, now: float) -> None:
    """Raise `StapleError`, in curl's words, unless the response says that the certificate is good."""
    if response is None:
        raise StapleError("No OCSP response received", Alert.BAD_CERTIFICATE_STATUS_RESPONSE)
    try:
        basic = _basic_response(response)
    except ValueError as error:  # DerError, or what Python finds in the octets
        raise _bad(f"Invalid OCSP response: {error}") from None
    if issuer is None:
        raise _bad("OCSP response verification failed: who issued the certificate is not known")
    if not _is_authentic(basic, issuer, now):
        raise _bad("OCSP response verification failed")
    single = next((one for one in basic.responses if one.is_of(certificate, issuer)), None)
    if single is None:
        raise _bad("Could not find certificate ID in OCSP response")
    if single.this_update > now + LEEWAY or (
        single.next_update is not None and single.next_update < now - LEEWAY
    ):
        raise _bad("OCSP response has expired")
    if single.status == REVOKED:
        reason = single.reason if single.reason is not None else -1
        text = _REASONS[reason] if 0 <= reason < len(_REASONS) and _REASONS[reason] else "(UNKNOWN)"
        raise StapleError(f"SSL certificate revocation reason: {text} ({reason})", Alert.CERTIFICATE_REVOKED)
    if single.status != GOOD:
        raise _bad("SSL certificate status: unknown (2)")


def _basic_response(response: bytes) -> BasicResponse:
    outer = DerReader(response).enter_last(SEQUENCE)
    status = int.from_bytes(outer.read(_ENUMERATED)[:1], "big")
    if status:
        text = _RESPONSE_STATUS[status] if status < len(_RESPONSE_STATUS) else ""
        raise _bad(f"Invalid OCSP response status: {text or '(UNKNOWN)'} ({status})")
    octets = outer.enter_last(0xA0).enter_last(SEQUENCE)
    if octets.read(OID) != _BASIC_RESPONSE:
        raise DerError("not a basic response")
    return BasicResponse(octets.read(OCTET_STRING))


def _read_single(single: DerReader) -> Single:
    identifier = single.enter(SEQUENCE)
    algorithm = identifier.enter(SEQUENCE).read(OID)
    name_hash, key_hash = identifier.read(OCTET_STRING), identifier.read(OCTET_STRING)
    serial = identifier.read_integer()
    status, reason = single.tag, None
    if status == REVOKED:
        info = single.enter(REVOKED)
        read_time(info)
        if (given := info.optional(0xA0)) is not None:
            reason = int.from_bytes(given.read(_ENUMERATED)[:1], "big")
    elif status in (GOOD, UNKNOWN):
        single.skip(status)
    else:
        raise DerError("status of a certificate is none")
    this_update = read_time(single)
    later = single.optional(0xA0)
    next_update = None if later is None else read_time(later)
    _expect_nothing_critical(single)
    return Single(
        _HASHES.get(algorithm, ""), name_hash, key_hash, serial, status, reason, this_update, next_update
    )


def _expect_nothing_critical(structure: DerReader) -> None:
    """Pass over the extensions at its end; DerError for one that must be understood (RFC 6960 §4.4)."""
    if (extensions := structure.optional(0xA1)) is not None:
        several = extensions.enter_last(SEQUENCE)
        while several.tag:
            extension = several.enter(SEQUENCE)
            kind = extension.read(OID)
            if extension.tag == BOOLEAN and extension.read_boolean():
                raise DerError(f"extension {oid_text(kind)} is critical and not known")
    structure.finish()


def _is_authentic(basic: BasicResponse, issuer: Certificate, now: float) -> bool:
    """Whether the issuer has signed it, or who has its certificate for that (RFC 6960 §4.2.2.2)."""
    if basic.is_by(issuer) and is_signed(basic, issuer):
        return True
    for der in basic.certificates[:MAX_SIGNERS]:
        try:
            signer = Certificate(der)
        except ValueError:
            continue
        usage = signer.extended_key_usage
        is_fit = (
            basic.is_by(signer)
            and signer.issuer_der == issuer.subject_der
            and usage is not None
            and _OCSP_SIGNING in usage
            and (signer.key_usage is None or signer.key_usage & _MAY_SIGN)
            and signer.not_before <= now <= signer.not_after
            and not signer.unknown_critical
        )
        if is_fit and signer.is_signed_by(issuer) and is_signed(basic, signer):
            return True
    return False


def _key_bits(certificate: Certificate) -> bytes:
    """The key itself, without the algorithm and the octet of unused bits (RFC 6960 §4.1.1)."""
    info = DerReader(certificate.key_der).enter(SEQUENCE)
    info.skip(SEQUENCE)
    return info.read(BIT_STRING)[1:]


def _bad(text: str) -> StapleError:
    return StapleError(text, Alert.BAD_CERTIFICATE_STATUS_RESPONSE)
