"""`--cert-status` beside curl 7.88.1: OCSP responses stapled by `openssl s_server`, good ones and others."""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fakes import pki
from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.commands import CURL, REDOX_CURL, run
from tests.interop.test_tls_peers import Peer
from tls.certificates import Certificate
from tls.errors import StapleError
from tls.ocsp import check

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    needs_curl_7_88,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine"),
]

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0, tzinfo=None)
HOUR = datetime.timedelta(hours=1)
Key = ec.EllipticCurvePrivateKey


class Identity(NamedTuple):
    certificate: x509.Certificate
    key: Key


def issued(
    name: str,
    by: Identity | None,
    *,
    is_ca: bool = False,
    usage: x509.ObjectIdentifier | None = None,
    key_usage: x509.KeyUsage | None = None,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
    builder = builder.issuer_name(subject if by is None else by.certificate.subject)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - HOUR).not_valid_after(NOW + 24 * HOUR)
    builder = builder.add_extension(x509.BasicConstraints(is_ca, None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    return Identity(builder.sign(key if by is None else by.key, hashes.SHA256()), key)


ROOT = issued("Root", None, is_ca=True)
OTHER_ROOT = issued("Other root", None, is_ca=True)
ISSUER = issued("Issuer", ROOT, is_ca=True)
LEAF = issued("localhost", ISSUER)
SIBLING = issued("localhost", ISSUER)
RESPONDER = issued("Responder", ISSUER, usage=ExtendedKeyUsageOID.OCSP_SIGNING)
NO_RESPONDER = issued("No responder", ISSUER, usage=ExtendedKeyUsageOID.SERVER_AUTH)
STRANGER = issued("Stranger", OTHER_ROOT, usage=ExtendedKeyUsageOID.OCSP_SIGNING)


def response(
    *,
    of: Identity = LEAF,
    issuer: Identity = ISSUER,
    by: Identity = ISSUER,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    reason: x509.ReasonFlags | None = None,
    since: datetime.datetime = NOW - HOUR,
    until: datetime.datetime | None = NOW + HOUR,
    encoding: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH,
    algorithm: hashes.HashAlgorithm | None = None,
    certificates: tuple[Identity, ...] = (),
    critical: bool | None = None,
) -> bytes:
    revoked = since if status is ocsp.OCSPCertStatus.REVOKED else None
    builder = ocsp.OCSPResponseBuilder().add_response(
        of.certificate,
        issuer.certificate,
        algorithm or hashes.SHA1(),
        status,
        since,
        until,
        revoked,
        reason,
    )
    builder = builder.responder_id(encoding, by.certificate)
    if certificates:
        builder = builder.certificates([one.certificate for one in certificates])
    if critical is not None:
        builder = builder.add_extension(x509.OCSPNonce(b"nonce"), critical)
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


OTHER_WORDS = {
    "good, under SHA-256": "curl looks for the certificate under SHA-1 only",
    "unknown": "curl says with -v only what is wrong",
    "of another issuer": "for OpenSSL nobody but the issuer may sign it, so it looks no further",
}
BY_NAME = ocsp.OCSPResponderEncoding.NAME
REVOKED = ocsp.OCSPCertStatus.REVOKED
STAPLES: dict[str, Callable[[], bytes]] = {
    "good": response,
    "good, the responder by its name": lambda: response(encoding=BY_NAME),
    "good, under SHA-256": lambda: response(algorithm=hashes.SHA256()),
    "good, without an end": lambda: response(until=None),
    "good, by a responder": lambda: response(by=RESPONDER, certificates=(RESPONDER,)),
    "good, by a responder among others": lambda: response(by=RESPONDER, certificates=(STRANGER, RESPONDER)),
    "good, begun four minutes from now": lambda: response(since=NOW + datetime.timedelta(minutes=4)),
    "revoked": lambda: response(status=REVOKED),
    "revoked, and why": lambda: response(status=REVOKED, reason=x509.ReasonFlags.key_compromise),
    "unknown": lambda: response(status=ocsp.OCSPCertStatus.UNKNOWN),
    "over": lambda: response(since=NOW - 3 * HOUR, until=NOW - 2 * HOUR),
    "not begun": lambda: response(since=NOW + HOUR, until=NOW + 2 * HOUR),
    "of another certificate": lambda: response(of=SIBLING),
    "of another issuer": lambda: response(issuer=OTHER_ROOT),
    "by another root": lambda: response(by=OTHER_ROOT),
    "by a certificate for servers": lambda: response(by=NO_RESPONDER, certificates=(NO_RESPONDER,)),
    "by a stranger": lambda: response(by=STRANGER, certificates=(STRANGER,)),
    "by a responder whose certificate is not there": lambda: response(by=RESPONDER),
    "try later": lambda: ocsp.OCSPResponseBuilder.build_unsuccessful(
        ocsp.OCSPResponseStatus.TRY_LATER
    ).public_bytes(serialization.Encoding.DER),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ocsp")
    pem = serialization.Encoding.PEM
    (made / "issuer.pem").write_bytes(ISSUER.certificate.public_bytes(pem))
    (made / "ca.pem").write_bytes(ROOT.certificate.public_bytes(pem))
    key = LEAF.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (made / "leaf.pem").write_bytes(LEAF.certificate.public_bytes(pem) + key)
    return made


def both(folder: Path, *options: str, arguments: tuple[str, ...] = ()) -> Iterator[tuple[int, str, str]]:
    """Exit code, output and errors of curl and of ours; what differs from run to run made alike."""
    for client in ([str(CURL), "-q", "--http1.1"], list(REDOX_CURL)):
        chain = ("-cert_chain", str(folder / "issuer.pem"))
        with Peer(folder / "leaf.pem", "-www", *chain, *options) as peer:
            url = f"https://localhost:{peer.port}/"
            done = run(client, "-4sS", "--cacert", str(folder / "ca.pem"), *arguments, url, "-o", "/dev/null")
            errors = re.sub(r"(Invalid OCSP response).*|(verification failed).*", r"\1\2", done.err)
            yield done.code, done.out.decode(), errors.partition("\nMore details")[0].strip()


@pytest.mark.parametrize("kind", STAPLES)
def test_each_response_is_judged_as_by_curl(folder: Path, kind: str) -> None:
    (folder / "staple.der").write_bytes(STAPLES[kind]())
    theirs, ours = both(folder, "-status_file", str(folder / "staple.der"), arguments=("--cert-status",))
    if kind not in OTHER_WORDS:
        assert ours == theirs
    assert ours[0] == (0 if kind.startswith("good") else 91)


def test_none_at_all_is_refused(folder: Path) -> None:
    theirs, ours = both(folder, arguments=("--cert-status",))
    assert ours == theirs and ours[0] == 91


def test_nobody_who_does_not_ask_is_told(folder: Path) -> None:
    (folder / "staple.der").write_bytes(STAPLES["revoked"]())
    theirs, ours = both(folder, "-status_file", str(folder / "staple.der"))
    assert ours == theirs and ours[0] == 0


def test_v_says_that_it_is_good(folder: Path) -> None:
    (folder / "staple.der").write_bytes(STAPLES["good"]())
    for _, _, errors in both(
        folder, "-status_file", str(folder / "staple.der"), arguments=("--cert-status", "-v")
    ):
        lines = errors.splitlines()
        assert "* SSL certificate status: good (0)" in lines
        assert (
            lines.index("* SSL certificate status: good (0)")
            == lines.index("*  SSL certificate verify ok.") + 1
        )


# Octets


LEAF_DER = LEAF.certificate.public_bytes(serialization.Encoding.DER)
ISSUER_DER = ISSUER.certificate.public_bytes(serialization.Encoding.DER)


def judged(octets: bytes | None, issuer: bytes | None = ISSUER_DER) -> str:
    issued_by = None if issuer is None else Certificate.parse(issuer)
    try:
        check(octets, Certificate.parse(LEAF_DER), issued_by, NOW.replace(tzinfo=datetime.UTC).timestamp())
    except StapleError as error:
        return str(error)
    return "good"


def test_any_octet_that_is_changed_spoils_it() -> None:
    octets = response()
    assert judged(octets) == "good"
    for place in range(len(octets)):
        for mask in (1, 0x80):
            changed = octets[:place] + bytes((octets[place] ^ mask,)) + octets[place + 1 :]
            assert judged(changed) != "good", place


def test_octets_cut_short_or_too_many_are_refused() -> None:
    octets = response(by=RESPONDER, certificates=(RESPONDER,))
    for end in range(len(octets)):
        assert judged(octets[:end]).startswith("Invalid OCSP response")
    assert judged(octets + b"\0").startswith("Invalid OCSP response")


def test_without_an_issuer_nobody_can_vouch() -> None:
    assert judged(response(), None).startswith("OCSP response verification failed")


def test_a_certificate_may_bind_its_server_to_staple() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bound.test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - HOUR).not_valid_after(NOW + HOUR)
    plain = builder.sign(key, hashes.SHA256())
    for features, is_bound in (
        ([x509.TLSFeatureType.status_request], True),
        ([x509.TLSFeatureType.status_request_v2], False),
    ):
        bound = builder.add_extension(x509.TLSFeature(features), critical=False).sign(key, hashes.SHA256())
        assert Certificate.parse(bound.public_bytes(serialization.Encoding.DER)).must_staple == is_bound
    assert not Certificate.parse(plain.public_bytes(serialization.Encoding.DER)).must_staple


@pytest.mark.parametrize(
    ("names", "is_good"),
    [(("digital_signature",), True), (("content_commitment",), True), (("key_agreement",), False)],
)
def test_a_responder_whose_key_may_not_sign_is_none(names: tuple[str, ...], is_good: bool) -> None:
    """Stricter than OpenSSL, after RFC 5280 §4.2.1.12."""
    usage, kind = pki.key_usage(*names), ExtendedKeyUsageOID.OCSP_SIGNING
    responder = issued("Responder", ISSUER, usage=kind, key_usage=usage)
    staple = response(by=responder, certificates=(responder,))
    assert judged(staple) == ("good" if is_good else "OCSP response verification failed")


def test_an_extension_that_must_be_understood_is_not_passed_over() -> None:
    """Stricter than OpenSSL, after RFC 6960 §4.4."""
    assert judged(response(critical=False)) == "good"
    assert "is critical and not known" in judged(response(critical=True))
