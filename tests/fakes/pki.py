"""Certificates to order, good and bad: each field can be given, the rest is what a proper CA would write."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tls.certificates import Certificate

NOW = 1_800_000_000  # January 2027
DAY = 86_400
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@cache
def key(kind: str = "P-256", number: int = 0) -> Any:
    """A private key; the same arguments give the same key within a run."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    curves = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "K-256": ec.SECP256K1}
    return ec.generate_private_key(curves[kind]())


def name(common_name: str = "", **attributes: str) -> x509.Name:
    kinds = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "E": NameOID.EMAIL_ADDRESS}
    parts = [x509.NameAttribute(kinds[k], v) for k, v in attributes.items()]
    if common_name:
        parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(parts)


def general_name(text: str | x509.GeneralName) -> x509.GeneralName:
    if not isinstance(text, str):
        return text
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def key_usage(*names: str) -> x509.KeyUsage:
    every = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{each: each in names for each in every})


class Issued:
    """A certificate with its private key."""

    def __init__(self, certificate: x509.Certificate, private_key: Any) -> None:
        self.x509, self.key = certificate, private_key
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def certificate(self) -> Certificate:
        return Certificate.parse(self.der)


def issue(
    subject: str | x509.Name,
    by: Issued | None = None,
    *,
    private_key: Any = None,
    names: Sequence[str | x509.GeneralName] = (),
    is_ca: bool | None = None,
    path_length: int | None = None,
    usage: x509.KeyUsage | None = None,
    extended: Sequence[x509.ObjectIdentifier] | None = None,
    constraints: x509.NameConstraints | None = None,
    key_ids: bool = True,
    not_before: int = NOW - DAY,
    not_after: int = NOW + DAY,
    digest: Any = None,
    padding: Any = None,
    issuer: x509.Name | None = None,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
) -> Issued:
    """Issue by another, or self-signed; `is_ca` None leaves basicConstraints out."""
    private_key = private_key or key("P-256", hash(subject) & 0xFFFF)
    signer = by.key if by else private_key
    subject_name = name(subject) if isinstance(subject, str) else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer or (by.x509.subject if by else subject_name))
        .public_key(private_key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(not_before, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(not_after, datetime.UTC))
    )
    if names:
        san = x509.SubjectAlternativeName([general_name(each) for each in names])
        builder = builder.add_extension(san, critical=not subject_name.rdns)
    if is_ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(is_ca, path_length), critical=True)
    if usage:
        builder = builder.add_extension(usage, critical=True)
    if extended is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if constraints:
        builder = builder.add_extension(constraints, critical=True)
    if key_ids:
        own = x509.SubjectKeyIdentifier.from_public_key(private_key.public_key())
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(own, critical=False).add_extension(above, critical=False)
    for extension, is_critical in extra:
        builder = builder.add_extension(extension, is_critical)
    if isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        digest = None
    else:
        digest = digest or hashes.SHA256()
    return Issued(builder.sign(signer, digest, rsa_padding=padding), private_key)


def ca(subject: str | x509.Name = "Root", by: Issued | None = None, **fields: Any) -> Issued:
    fields.setdefault("usage", key_usage("key_cert_sign", "crl_sign"))
    fields.setdefault("is_ca", True)
    return issue(subject, by, **fields)


def leaf(by: Issued | None, subject: str | x509.Name = "leaf", **fields: Any) -> Issued:
    fields.setdefault("names", ["localhost"])
    fields.setdefault("usage", key_usage("digital_signature"))
    fields.setdefault("extended", [SERVER])
    fields.setdefault("is_ca", False)
    return issue(subject, by, **fields)


def corrupt(issued: Issued) -> Issued:
    """The same certificate with another signature: its last octet differs."""
    other = Issued(issued.x509, issued.key)
    other.der = issued.der[:-1] + bytes([issued.der[-1] ^ 1])
    pem = serialization.Encoding.PEM
    other.pem = x509.load_der_x509_certificate(other.der).public_bytes(pem)
    return other


def crl(
    by: Issued,
    *revoked: Issued,
    updated: int = NOW - DAY,
    until: int = NOW + DAY,
    reason: x509.ReasonFlags | None = None,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    on_entries: Sequence[tuple[x509.ExtensionType, bool]] = (),
    key: Any = None,
) -> bytes:
    """A list of revoked certificates as PEM; `key` signs in the place of the issuer's.

    `extra` are extensions of the list, `on_entries` those of each of its entries.
    """

    def at(second: int) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(second, datetime.UTC)

    builder = x509.CertificateRevocationListBuilder().issuer_name(by.x509.subject)
    builder = builder.last_update(at(updated)).next_update(at(until))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.x509.serial_number)
        entry = entry.revocation_date(at(NOW - DAY))
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        for extension, is_critical in on_entries:
            entry = entry.add_extension(extension, is_critical)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, is_critical in extra:
        builder = builder.add_extension(extension, is_critical)
    key = key or by.key
    is_eddsa = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    signed = builder.sign(key, None if is_eddsa else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def issuing_point(**fields: Any) -> tuple[x509.ExtensionType, bool]:
    """issuingDistributionPoint, critical; what is not given is not there."""
    parts: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(parts | fields)), True
