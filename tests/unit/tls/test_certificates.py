"""What is read out of a certificate."""

from __future__ import annotations

import hashlib
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.fakes.pki import DAY, NOW, SERVER, ca, issue, key, key_usage, leaf, name
from tls import der as der_module
from tls.alerts import Alert
from tls.certificates import DIGITAL_SIGNATURE, KEY_CERT_SIGN, SERVER_AUTH, Certificate
from tls.der import DerReader, oid, oid_text, read_time, time_text
from tls.errors import CertificateError


def test_every_field_is_read() -> None:
    root = ca(name("Root", C="SE", O="Haxx"), path_length=2)
    made = leaf(
        root, name("localhost", C="SE", O="Haxx"), names=["localhost", "*.x.test", "127.0.0.1", "::1"]
    )
    certificate = made.certificate
    assert certificate.subject == "C=SE; O=Haxx; CN=localhost"
    assert certificate.issuer == "C=SE; O=Haxx; CN=Root"
    assert (certificate.not_before, certificate.not_after) == (NOW - DAY, NOW + DAY)
    assert certificate.names.dns == ("localhost", "*.x.test")
    assert certificate.names.ip == (b"\x7f\0\0\1", ipaddress.IPv6Address("::1").packed)
    assert str(certificate.names) == "localhost, *.x.test, 127.0.0.1, ::1"
    assert certificate.serial == made.x509.serial_number
    assert (certificate.key_usage, certificate.extended_key_usage) == (DIGITAL_SIGNATURE, {SERVER_AUTH})
    assert (certificate.is_ca, certificate.path_length, certificate.version) == (False, None, 3)
    assert certificate.fingerprint == made.x509.fingerprint(hashes.SHA256())
    assert certificate.authority_key_id == root.certificate.subject_key_id
    assert certificate.may_be_signed_by(root.certificate) and certificate.is_signed_by(root.certificate)
    assert (root.certificate.is_ca, root.certificate.path_length) == (True, 2)
    assert root.certificate.key_usage is not None and root.certificate.key_usage & KEY_CERT_SIGN
    assert root.certificate.is_self_signed and not certificate.is_self_signed


@pytest.mark.parametrize(
    ("kind", "algorithm", "bits"),
    [
        ("P-256", "P-256", 256),
        ("P-384", "P-384", 384),
        ("P-521", "P-521", 521),
        ("rsa2048", "rsa", 2048),
        ("ed25519", "ed25519", 256),
        ("ed448", "ed448", 456),
    ],
)
def test_keys_of_each_kind_sign_and_verify(kind: str, algorithm: str, bits: int) -> None:
    root, other = ca(private_key=key(kind)).certificate, ca(private_key=key(kind, 2)).certificate
    assert (root.key_algorithm, root.key_bits) == (algorithm, bits)
    assert root.is_signed_by(root)
    assert not root.is_signed_by(other)
    public = key(kind).public_key()
    assert root.public_key == public


def test_a_signature_with_pss_is_checked_with_the_hash_it_names() -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA512()), 64)
    root = ca(private_key=key("rsa2048"), padding=pss, digest=hashes.SHA512()).certificate
    assert root.signature_hash == "SHA512"
    assert root.is_signed_by(root)


def test_a_key_of_another_kind_verifies_nothing() -> None:
    by_rsa = ca(private_key=key("rsa2048")).certificate
    for kind in ("P-256", "ed25519"):
        assert not by_rsa.is_signed_by(ca(private_key=key(kind)).certificate)
        assert not ca(private_key=key(kind)).certificate.is_signed_by(by_rsa)


def test_a_curve_not_supported_is_an_unsupported_certificate() -> None:
    certificate = ca(private_key=key("K-256")).certificate
    assert certificate.key_algorithm == "1.3.132.0.10"
    with pytest.raises(CertificateError, match=r"curve 1\.3\.132\.0\.10 is not supported") as caught:
        _ = certificate.public_key
    assert caught.value.alert == Alert.UNSUPPORTED_CERTIFICATE


def test_a_point_that_is_not_on_the_curve_is_an_unsupported_certificate() -> None:
    made = ca()
    point = made.certificate.key_der[-64:]
    certificate = Certificate.parse(made.der.replace(point, bytes(63) + b"\1"))
    with pytest.raises(CertificateError) as caught:
        _ = certificate.public_key
    assert caught.value.alert == Alert.UNSUPPORTED_CERTIFICATE


@pytest.mark.parametrize("garbage", [b"", b"\x30", b"GARBAGE", b"\x30\x80\0\0", b"\x30\x84\xff\xff\xff\xff"])
def test_garbage_is_answered_with_decode_error(garbage: bytes) -> None:
    with pytest.raises(CertificateError, match="Certificate: not readable") as caught:
        Certificate.parse(garbage)
    assert caught.value.alert == Alert.DECODE_ERROR


def test_octets_after_the_certificate_are_an_error() -> None:
    with pytest.raises(CertificateError, match="1 octets left over"):
        Certificate.parse(ca().der + b"\0")


def test_every_truncation_is_an_error() -> None:
    whole = leaf(ca()).der
    for length in range(len(whole)):
        with pytest.raises(CertificateError):
            Certificate.parse(whole[:length])


def test_an_extension_twice_is_an_error() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    twin = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.5"), b"\x05\x00")
    made = ca(extra=[(unknown, False), (twin, False)])
    with pytest.raises(CertificateError, match=r"extension 1\.2\.3\.4 twice"):
        Certificate.parse(made.der.replace(b"\x2a\x03\x05", b"\x2a\x03\x04"))


def test_inner_and_outer_signature_algorithm_must_agree() -> None:
    made = ca()
    ecdsa_sha256, ecdsa_sha384 = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303")
    with pytest.raises(CertificateError, match="algorithm differ"):
        Certificate.parse(made.der.replace(ecdsa_sha256, ecdsa_sha384, 1))


def test_a_serial_number_that_is_not_positive_is_read() -> None:
    made = ca(serial=5)
    assert Certificate.parse(made.der.replace(b"\2\1\5", b"\2\1\0", 1)).serial == 0
    assert Certificate.parse(made.der.replace(b"\2\1\5", b"\2\1\xff", 1)).serial == -1


def test_critical_extensions_not_known_are_listed() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert ca(extra=[(unknown, True)]).certificate.unknown_critical == ("1.2.3.4",)
    assert ca(extra=[(unknown, False)]).certificate.unknown_critical == ()


def test_an_rsa_exponent_that_makes_checks_slow_is_refused() -> None:
    modulus = key("rsa2048").public_key().public_numbers().n
    from cryptography.hazmat.primitives.asymmetric import rsa

    class Slow:
        """A private key whose public half has a large exponent."""

        def public_key(self) -> rsa.RSAPublicKey:
            return rsa.RSAPublicNumbers((1 << 40) + 1, modulus).public_key()

    certificate = issue("slow", ca(), private_key=Slow()).certificate
    with pytest.raises(CertificateError, match="exponent of 41"):
        _ = certificate.public_key


def test_equality_is_of_the_octets() -> None:
    made = ca()
    assert made.certificate == made.certificate and len({made.certificate, made.certificate}) == 1
    assert made.certificate != ca().certificate
    assert repr(made.certificate) == "<Certificate 'CN=Root' by 'CN=Root'>"


def test_key_usage_with_no_bits_allows_nothing() -> None:
    assert (
        leaf(None, usage=key_usage("decipher_only", "key_agreement"), extended=[SERVER]).certificate.key_usage
        == 8
    )


@pytest.mark.parametrize(
    "text", ["1.2.840.113549.1.1.11", "2.5.4.3", "2.999.3", "0.9.2342.19200300.100.1.25"]
)
def test_object_identifiers_round_trip(text: str) -> None:
    assert oid_text(oid(text)) == text


def test_a_broken_object_identifier_is_shown_as_octets() -> None:
    assert (oid_text(b""), oid_text(b"\x2a\x83")) == ("", "2a83")


@pytest.mark.parametrize(
    ("tag", "text", "seconds"),
    [
        (der_module.UTC_TIME, b"700101000000Z", 0),
        (der_module.UTC_TIME, b"491231235959Z", 2_524_607_999),
        (der_module.UTC_TIME, b"500101000000Z", -631_152_000),
        (der_module.GENERALIZED_TIME, b"20240229120000Z", 1_709_208_000),
        (der_module.GENERALIZED_TIME, b"99991231235959Z", 253_402_300_799),
    ],
)
def test_times_are_read(tag: int, text: bytes, seconds: int) -> None:
    assert read_time(DerReader(bytes([tag, len(text)]) + text)) == seconds


@pytest.mark.parametrize(
    "text", [b"20241301000000Z", b"20240101000000+", b"202401010000Z", b"2024010100000aZ"]
)
def test_times_of_no_calendar_are_errors(text: bytes) -> None:
    with pytest.raises(der_module.DerError):
        read_time(DerReader(bytes([der_module.GENERALIZED_TIME, len(text)]) + text))


def test_times_are_written_as_openssl_does() -> None:
    assert time_text(0) == "Jan  1 00:00:00 1970 GMT"
    assert time_text(253_402_300_799) == "Dec 31 23:59:59 9999 GMT"
    assert time_text(1_709_208_000) == "Feb 29 12:00:00 2024 GMT"


@pytest.mark.parametrize("content", [b"", b"\0\1", b"\xff\x80", b"\0\0"])
def test_integers_must_be_in_shortest_form(content: bytes) -> None:
    with pytest.raises(der_module.DerError, match="shortest"):
        DerReader(b"\2" + bytes([len(content)]) + content).read_integer()


@pytest.mark.parametrize("length", [b"\x81\x05", b"\x82\0\x85", b"\x80", b"\x84\0\0\0\1"])
def test_lengths_must_be_in_shortest_form(length: bytes) -> None:
    with pytest.raises(der_module.DerError, match="length"):
        DerReader(b"\4" + length + bytes(200)).read(4)


def test_the_fingerprint_is_sha256_of_the_whole() -> None:
    made = ca()
    assert made.certificate.fingerprint == hashlib.sha256(made.der).digest()


def test_a_negative_rsa_modulus_is_an_unsupported_certificate() -> None:
    made = ca(private_key=key("rsa2048"))
    modulus = key("rsa2048").public_key().public_numbers().n.to_bytes(256, "big")
    certificate = Certificate.parse(
        made.der.replace(b"\x02\x82\x01\x01\0" + modulus, b"\x02\x82\x01\x01\xff\0" + modulus[1:])
    )
    with pytest.raises(CertificateError, match="negative numbers") as caught:
        _ = certificate.public_key
    assert caught.value.alert == Alert.UNSUPPORTED_CERTIFICATE
