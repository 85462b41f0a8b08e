"""What `%{certs}` says of a certificate, in the words and forms of curl with OpenSSL 3.0."""

from __future__ import annotations

from binascii import b2a_base64

from pycurl_redox.certificate_extensions import extension_text
from pycurl_redox.certificate_names import one_line
from tls.certificates import RSA_ENCRYPTION, RSASSA_PSS, Certificate
from tls.der import BIT_STRING, BOOLEAN, OCTET_STRING, OID, SEQUENCE, DerReader, oid_text, time_text

ALGORITHMS = {
    "1.2.840.113549.1.1.1": "rsaEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.14": "sha224WithRSAEncryption",
    "1.2.840.10040.4.1": "dsaEncryption",
    "1.2.840.10040.4.3": "dsaWithSHA1",
    "2.16.840.1.101.3.4.3.2": "dsa_with_SHA256",
    "1.2.840.10045.2.1": "id-ecPublicKey",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448",
}


def certificate_text(der: bytes) -> str:
    """Return lines of names and values, and the PEM; the PEM alone of what is no certificate."""
    try:
        lines = _lines(Certificate(der))
    except ValueError:  # DerError, or what Python finds in the octets
        lines = []
    return "".join(f"{name}:{value}".removesuffix("\n") + "\n" for name, value in lines) + pem(der)


def pem(der: bytes) -> str:
    """Write RFC 7468 §5.1."""
    text = b2a_base64(der, newline=False).decode("ascii")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def _lines(certificate: Certificate) -> list[tuple[str, str]]:
    serial = certificate.serial
    size = max(1, (abs(serial).bit_length() + 7) // 8)
    return [
        ("Subject", one_line(certificate.subject_der)),
        ("Issuer", one_line(certificate.issuer_der)),
        ("Version", f"{certificate.version - 1:x}"),
        ("Serial Number", "-" * (serial < 0) + abs(serial).to_bytes(size, "big").hex()),
        ("Signature Algorithm", _algorithm(DerReader(certificate.signature_algorithm))),
        ("Public Key Algorithm", _algorithm(DerReader(certificate.key_der).enter(SEQUENCE))),
        *_extensions(certificate.tbs),
        ("Start date", time_text(certificate.not_before)),
        ("Expire date", time_text(certificate.not_after)),
        *_key(certificate),
        ("Signature", "".join(f"{octet:02x}:" for octet in certificate.signature)),
    ]


def _algorithm(identifier: DerReader) -> str:
    number = oid_text(identifier.enter(SEQUENCE).read(OID))
    return ALGORITHMS.get(number, number)


def _extensions(tbs: bytes) -> list[tuple[str, str]]:
    fields = DerReader(tbs).enter(SEQUENCE)
    while fields.tag not in (0, 0xA3):  # [3], RFC 5280 §4.1
        fields.skip(fields.tag)
    outer = fields.optional(0xA3)
    if outer is None:
        return []
    out, extensions = [], outer.enter(SEQUENCE)
    while extensions.tag:
        extension = extensions.enter(SEQUENCE)
        kind = oid_text(extension.read(OID))
        if extension.tag == BOOLEAN:
            extension.skip(BOOLEAN)
        out.append(extension_text(kind, extension.read(OCTET_STRING)))
    return out


def _key(certificate: Certificate) -> list[tuple[str, str]]:
    """Tell the numbers of an RSA key; of other kinds curl tells none."""
    key_info = DerReader(certificate.key_der).enter(SEQUENCE)
    if key_info.enter(SEQUENCE).read(OID) not in (RSA_ENCRYPTION, RSASSA_PSS):
        return []
    numbers = DerReader(key_info.read(BIT_STRING)[1:]).enter(SEQUENCE)
    modulus, exponent = numbers.read_integer(), numbers.read_integer()
    shown = [("RSA Public Key", str(modulus.bit_length()))]
    return [*shown, ("rsa(n)", f"{modulus:X}"), ("rsa(e)", f"{exponent:X}")]
