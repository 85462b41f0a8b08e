"""Lists of revoked certificates (RFC 5280 §5, §6.3), as far as OpenSSL's X509_V_FLAG_CRL_CHECK_ALL goes.

Every certificate of a path needs a list by its issuer, the anchor by itself.
The lists are those the user has given: nothing is fetched. Verdicts and their
order are OpenSSL's, in its words. Delta lists, indirect ones and those for
some reasons only are not used, as OpenSSL does not unless told to.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from typing import Self

from .alerts import Alert
from .certificates import CRL_SIGN, Certificate, is_signed
from .der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    UTC_TIME,
    DerError,
    DerReader,
    oid,
    read_time,
)
from .errors import UsageError
from .names import comparable_name
from .trust import MAX_SAME_HASH, subject_hash

MAX_FILE = 64 << 20
MAX_LISTS = 1000  # in one file

_AUTHORITY_KEY_IDENTIFIER, _CRL_NUMBER = oid("2.5.29.35"), oid("2.5.29.20")
_DELTA_INDICATOR, _ISSUING_POINT = oid("2.5.29.27"), oid("2.5.29.28")
_REASON_CODE, _CERTIFICATE_ISSUER = oid("2.5.29.21"), oid("2.5.29.29")
_CRITICAL = b"\x01\x01\xff\x04"
"""The end of a critical extension's head: TRUE, and the tag of its value."""
_ENUMERATED = 0x0A
_REMOVE_FROM_CRL = b"\x08"

Finding = tuple[str, Alert, int]
"""What is wrong in OpenSSL's words, the alert for it, and the place in the path."""


class Crl:
    """One CertificateList, well-formed; its signature is checked when it is used.

    `points` are the general names of its distribution point, None without one.
    """

    __slots__ = (
        "_revoked",
        "authority_key_id",
        "has_only",
        "is_partial",
        "issuer_der",
        "next_update",
        "points",
        "signature",
        "signature_algorithm",
        "tbs",
        "this_update",
        "unknown_critical",
    )

    def __init__(self, der: bytes) -> None:
        """Read `der`; DerError unless it is a list (see `parse`)."""
        outer = DerReader(der).enter_last(SEQUENCE)
        self.tbs = outer.read_whole(SEQUENCE)
        self.signature_algorithm = outer.read_whole(SEQUENCE)
        bits = outer.read(BIT_STRING)
        if bits[:1] != b"\0":
            raise DerError("signature does not end with an octet")
        self.signature = bits[1:]
        outer.finish()
        self._read_tbs(DerReader(self.tbs).enter(SEQUENCE))

    @classmethod
    def parse(cls, der: bytes) -> Self:
        """Read a list; UsageError if it is none."""
        try:
            return cls(der)
        except ValueError as error:  # DerError, or what Python finds in the octets
            raise UsageError(f"CRL: not readable: {error}") from None

    def has(self, certificate: Certificate) -> bool:
        """Whether its serial number is among the revoked ones."""
        serial = certificate.serial
        size = (serial if serial >= 0 else serial + 1).bit_length() // 8 + 1
        content = serial.to_bytes(size, "big", signed=True)
        if content not in self._revoked:  # a list may have a million entries, and most are not walked through
            return False
        entries = DerReader(self._revoked)
        while entries.tag:
            entry = entries.enter(SEQUENCE)
            if entry.read(INTEGER) == content:
                return not self._is_taken_off(entry)
        return False

    def covers(self, certificate: Certificate) -> bool:
        """Whether the certificate is of those that this list is about (RFC 5280 §5.2.5, §6.3.3 b 2)."""
        if self.has_only and self.has_only != ("CA" if certificate.is_ca else "user"):
            return False
        if self.points is None:
            return True
        return bool(self.points & _points_of(certificate))

    def may_be_signed_by(self, issuer: Certificate) -> bool:
        mine, theirs = self.authority_key_id, issuer.subject_key_id
        return _is_same_name(self.issuer_der, issuer.subject_der) and (
            mine is None or theirs is None or mine == theirs
        )

    def _read_tbs(self, tbs: DerReader) -> None:
        if tbs.tag == INTEGER and tbs.read_integer() != 1:
            raise DerError("version is not 2")
        if tbs.read_whole(SEQUENCE) != self.signature_algorithm:
            raise DerError("inner and outer signature algorithm differ")
        self.issuer_der = tbs.read_whole(SEQUENCE)
        self.this_update = read_time(tbs)
        self.next_update = read_time(tbs) if tbs.tag in (UTC_TIME, GENERALIZED_TIME) else None
        self._revoked = tbs.read(SEQUENCE) if tbs.tag == SEQUENCE else b""
        self.authority_key_id: bytes | None = None
        self.points: frozenset[bytes] | None = None
        self.has_only = ""  # "user", "CA", "attribute" or all
        self.is_partial = False
        self.unknown_critical = _has_critical_entry(self._revoked)
        if outer := tbs.optional(0xA0):
            extensions = outer.enter_last(SEQUENCE)
            while extensions.tag:
                self._read_extension(extensions.enter(SEQUENCE))
        tbs.finish()

    def _read_extension(self, extension: DerReader) -> None:
        kind = extension.read(OID)
        is_critical = extension.tag == BOOLEAN and extension.read_boolean()
        value = extension.enter_last(OCTET_STRING)
        if kind == _AUTHORITY_KEY_IDENTIFIER:
            identifier = value.enter(SEQUENCE)
            self.authority_key_id = identifier.read(0x80) if identifier.tag == 0x80 else None
        elif kind == _ISSUING_POINT:
            self._read_issuing_point(value.enter_last(SEQUENCE))
        elif kind == _DELTA_INDICATOR:
            self.is_partial = True
        elif is_critical and kind != _CRL_NUMBER:
            self.unknown_critical = True

    def _read_issuing_point(self, point: DerReader) -> None:
        """IssuingDistributionPoint (RFC 5280 §5.2.5)."""
        if name := point.optional(0xA0):
            self.points = _general_names(name)
        kinds = {0x81: "user", 0x82: "CA", 0x85: "attribute"}
        while tag := point.tag:
            value = point.read(tag)
            if tag in kinds and value != b"\0":
                self.has_only = kinds[tag]
            elif tag == 0x83 or (tag == 0x84 and value != b"\0"):  # some reasons only, or indirect
                self.is_partial = True

    def _is_taken_off(self, entry: DerReader) -> bool:
        """removeFromCRL (RFC 5280 §5.3.1)."""
        read_time(entry)
        if (extensions := entry.optional(SEQUENCE)) is None:
            return False
        while extensions.tag:
            extension = extensions.enter(SEQUENCE)
            kind = extension.read(OID)
            if extension.tag == BOOLEAN:
                extension.skip(BOOLEAN)
            value = extension.enter_last(OCTET_STRING)
            if kind == _REASON_CODE:
                return value.read(_ENUMERATED) == _REMOVE_FROM_CRL
        return False


class CrlStore:
    """The lists of one file, and those of directories in which `openssl rehash` made links to lists."""

    def __init__(self, crls: Sequence[Crl], directories: Sequence[str] = ()) -> None:
        self.crls = crls
        self._directories = directories

    @classmethod
    def from_file(cls, path: str, directories: Sequence[str] = ()) -> Self:
        """Read a PEM file of lists; OSError if it cannot be opened, UsageError if it is none."""
        return cls(_read_file(path), directories)

    def check(self, path: Sequence[Certificate], now: float) -> Finding | None:
        """Say what stands against a path that ends at an anchor; None if nothing does."""
        for depth, certificate in enumerate(path):
            if found := self._check_one(certificate, path[min(depth + 1, len(path) - 1) :], now):
                return (*found, depth)
        return None

    def _check_one(
        self, certificate: Certificate, above: Sequence[Certificate], now: float
    ) -> tuple[str, Alert] | None:
        found = self._best(certificate, above, now)
        if found is None:
            return "unable to get certificate CRL", Alert.UNKNOWN_CA
        crl, issuer = found
        if issuer.key_usage is not None and not issuer.key_usage & CRL_SIGN:
            return "key usage does not include CRL signing", Alert.CERTIFICATE_UNKNOWN
        if not crl.covers(certificate):
            return "different CRL scope", Alert.CERTIFICATE_UNKNOWN
        if now < crl.this_update:
            return "CRL is not yet valid", Alert.BAD_CERTIFICATE
        if crl.next_update is not None and now > crl.next_update:
            return "CRL has expired", Alert.CERTIFICATE_EXPIRED
        if not is_signed(crl, issuer):
            return "CRL signature failure", Alert.DECRYPT_ERROR
        if crl.unknown_critical:
            return "unhandled critical CRL extension", Alert.CERTIFICATE_UNKNOWN
        if crl.has(certificate):
            return "certificate revoked", Alert.CERTIFICATE_REVOKED
        return None

    def _best(
        self, certificate: Certificate, above: Sequence[Certificate], now: float
    ) -> tuple[Crl, Certificate] | None:
        """The list to go by, with who signed it: one without fault if there is one, and then the latest."""
        best: tuple[tuple[bool, bool, bool, int], Crl, Certificate] | None = None
        for crl in (*self.crls, *self._in_directories(certificate.issuer_der)):
            if crl.is_partial or not _is_same_name(crl.issuer_der, certificate.issuer_der):
                continue
            signer = next((each for each in above if crl.may_be_signed_by(each)), None)
            if signer is None:
                continue
            is_current = crl.this_update <= now and (crl.next_update is None or now <= crl.next_update)
            score = (not crl.unknown_critical, crl.covers(certificate), is_current, crl.this_update)
            if best is None or score > best[0]:
                best = score, crl, signer
        return None if best is None else best[1:]

    def _in_directories(self, issuer_der: bytes) -> list[Crl]:
        found: list[Crl] = []
        for directory in self._directories:
            for number in range(MAX_SAME_HASH):
                try:
                    found += _read_file(f"{directory}/{subject_hash(issuer_der)}.r{number}")
                except (OSError, UsageError):
                    break
        return found


def _has_critical_entry(revoked: bytes) -> bool:
    """Whether an entry has an extension that must be understood, and makes the whole list useless (§5.3)."""
    if _CRITICAL not in revoked:  # nearly always, and a list is long
        return False
    entries = DerReader(revoked)
    while entries.tag:
        entry = entries.enter(SEQUENCE)
        entry.skip(INTEGER)
        read_time(entry)
        extensions = entry.optional(SEQUENCE)
        while extensions is not None and extensions.tag:
            extension = extensions.enter(SEQUENCE)
            kind = extension.read(OID)
            if kind != _CERTIFICATE_ISSUER and extension.tag == BOOLEAN and extension.read_boolean():
                return True
    return False


def _read_file(path: str) -> list[Crl]:
    with open(path, "rb") as file:
        pem = file.read(MAX_FILE + 1)
    if len(pem) > MAX_FILE:
        raise UsageError(f"CRL: {path} is longer than {MAX_FILE} octets")
    parts = pem.split(b"-----BEGIN X509 CRL-----")[1:]
    if not parts or len(parts) > MAX_LISTS:
        raise UsageError(f"CRL: {len(parts)} lists in {path}")
    crls = []
    for part in parts:
        try:
            crls.append(Crl.parse(a2b_base64(part.partition(b"-----END X509 CRL-----")[0])))
        except Base64Error:
            raise UsageError(f"CRL: bad base64 in {path}") from None
    return crls


def _points_of(certificate: Certificate) -> frozenset[bytes]:
    """The general names of all distribution points (RFC 5280 §4.2.1.13); none where they cannot be read."""
    names: frozenset[bytes] = frozenset()
    try:
        points = DerReader(certificate.crl_points_der or b"\x30\0").enter(SEQUENCE)
        while points.tag:
            point = points.enter(SEQUENCE)
            if name := point.optional(0xA0):
                names |= _general_names(name)
    except DerError:
        return frozenset()
    return names


def _general_names(point_name: DerReader) -> frozenset[bytes]:
    """The octets of each name of a DistributionPointName; one relative to the issuer is like no other."""
    names = point_name.optional(0xA0)
    found = set()
    while names is not None and names.tag:
        found.add(names.read_whole(names.tag))
    return frozenset(found)


def _is_same_name(a: bytes, b: bytes) -> bool:
    return a == b or comparable_name(a) == comparable_name(b)
