"""Certificates that do not hold, each of its kind: curl's code and words, and what ours says beyond them."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.fakes.commands import Done, side_by_side
from tests.fakes.pki import DAY, Issued, ca, key, leaf
from tests.fakes.raw_server import saying, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow]

NOW = int(time.time())
VALID = {"not_before": NOW - 10 * DAY, "not_after": NOW + 10 * DAY}
ROOT = ca("Test Root", **VALID)
OTHER_ROOT = ca("Other Root", **VALID)
MIDDLE = ca("Test Middle", ROOT, **VALID)
ANYWHERE = ["localhost", "127.0.0.1"]


def end(by: Issued = ROOT, **fields: object) -> Issued:
    return leaf(by, "end.test", **{"names": ANYWHERE, **VALID, **fields})  # type: ignore[arg-type]


def narrow_root() -> tuple[Issued, Issued]:
    only = x509.NameConstraints([x509.DNSName("inside.test")], None)
    narrow = ca("Narrow Middle", ROOT, constraints=only, **VALID)
    return end(narrow), narrow


class Case(NamedTuple):
    chain: Sequence[Issued]
    text: str
    """What the first line says, in curl's words."""
    marked: str
    """The certificate under which the mark stands."""
    reason: str
    """What the mark says beyond the text."""
    help: str
    """The option that would help."""
    host: str = "localhost"


def cases() -> dict[str, Case]:
    problem = "SSL certificate problem: "
    mismatch = "SSL: no alternative certificate subject name matches target host name "
    clock = "the clock of this machine says"
    alone = end(by=None)  # type: ignore[arg-type]
    weak = end(private_key=key("rsa1024"))
    return {
        "expired": Case(
            [end(not_before=NOW - 3 * DAY, not_after=NOW - DAY)],
            problem + "certificate has expired", "end.test", clock, "-k ",
        ),
        "not yet valid": Case(
            [end(not_before=NOW + DAY, not_after=NOW + 3 * DAY)],
            problem + "certificate is not yet valid", "end.test", clock, "-k ",
        ),
        "wrong name": Case(
            [end(names=["www.example.test", "*.example.test"])],
            mismatch + "'localhost'", "end.test",
            "hostname mismatch: none of its names covers 'localhost'",
            "--resolve www.example.test:PORT:ADDRESS",
        ),
        "IP mismatch": Case(
            [end(names=["localhost", "192.0.2.1"])],
            mismatch + "'127.0.0.1'", "end.test",
            "IP address mismatch: none of its names covers '127.0.0.1'", "--resolve localhost:PORT:ADDRESS",
            "127.0.0.1",
        ),
        "unknown CA": Case(
            [end(OTHER_ROOT)], problem + "unable to get local issuer certificate", "end.test",
            "CN=Other Root was not sent and is not in ", "--cacert FILE",
        ),
        "self-signed": Case(
            [alone], problem + "self-signed certificate", "end.test", "it is not in ", "--cacert FILE",
        ),
        "unknown CA that was sent": Case(
            [end(OTHER_ROOT), OTHER_ROOT],
            problem + "self-signed certificate in certificate chain", "Other Root", "it is not in ",
            "--cacert FILE",
        ),
        "missing intermediate": Case(
            [end(MIDDLE)], problem + "unable to get local issuer certificate", "end.test",
            "CN=Test Middle was not sent and is not in ", "--cacert FILE",
        ),
        "weak key": Case(
            [weak], problem + "EE certificate key too weak", "end.test", "EE certificate key too weak", "-k ",
        ),
        "wrong usage": Case(
            [end(extended=[ExtendedKeyUsageOID.CLIENT_AUTH])],
            problem + "unsuitable certificate purpose", "end.test", "unsuitable certificate purpose", "-k ",
        ),
        "name constraint": Case(
            narrow_root(), problem + "permitted subtree violation", "end.test",
            "permitted subtree violation", "-k ",
        ),
        "no CA": Case(
            [end(leaf(ROOT, "Not A CA", **VALID)), leaf(ROOT, "Not A CA", **VALID)],
            problem + "invalid CA certificate", "Not A CA", "invalid CA certificate", "-k ",
        ),
    }  # fmt: skip


CASES = cases()


class Answers(NamedTuple):
    ours: Done
    theirs: Done | None


def server_context(folder: Path, chain: Sequence[Issued]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")  # a server that does not mind weak keys
    certificates, private_key = folder / "chain.pem", folder / "key.pem"
    certificates.write_bytes(b"".join(each.pem for each in chain))
    private_key.write_bytes(
        chain[0].key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context.load_cert_chain(certificates, private_key)
    return context


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Case, Answers]]:
    case = CASES[request.param]
    trusted = tmp_path / "root.pem"
    trusted.write_bytes(ROOT.pem)
    reply = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with serving(reply, server_context(tmp_path, case.chain)) as port:
        told = ("-w", "%{ssl_verify_result} %{proxy_ssl_verify_result} %{errormsg}")
        arguments = ("-sS", "-4", *told, "--cacert", str(trusted), f"https://{case.host}:{port}/")
        answers = Answers(*side_by_side(*arguments))
    yield case, answers


def test_a_certificate_that_does_not_hold_is_refused_in_curls_words_and_drawn(
    case: tuple[Case, Answers],
) -> None:
    bad, (ours, theirs) = case
    assert ours.code == 60 and ours.out.endswith(bad.text.encode())
    first, *picture = ours.err.splitlines()
    assert first == f"curl: (60) {bad.text}"
    if theirs is not None:
        assert (theirs.code, theirs.err.splitlines()[0]) == (60, first)
        assert ours.out == theirs.out
    check_picture(bad, picture)
    assert any(line.startswith(bad.help) for line in picture)


def check_picture(bad: Case, picture: list[str]) -> None:
    """The chain as sent, each with subject, issuer, validity and names; one mark, under the culprit."""
    count = len(bad.chain)
    assert picture[0].startswith(f"The server at '{bad.host}' sent {count} certificate")
    for number, sent in enumerate(bad.chain):
        common_name = sent.x509.subject.rdns[0].rfc4514_string()
        at = picture.index(f"   {number}  {common_name}")
        assert picture[at + 1] == f"      issuer  {sent.x509.issuer.rfc4514_string()}"
        assert str(sent.x509.not_valid_after_utc.year) in picture[at + 2]
        assert picture[at + 2].startswith("      valid   ")
        assert picture[at + 3].startswith("      names   ")
    marks = [at for at, line in enumerate(picture) if line.startswith("      ^^^ ")]
    assert len(marks) == 1
    assert bad.reason in picture[marks[0]]
    assert picture[marks[0] - 4].endswith(f"  CN={bad.marked}")
