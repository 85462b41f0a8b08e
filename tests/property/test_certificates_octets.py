"""Any octets give a certificate or the one named error, and a verdict or the one named error."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurl_redox.certificate_extensions import EXTENSIONS, extension_text
from pycurl_redox.certificate_text import certificate_text
from tests.fakes.pki import NOW, ca, key, leaf, name
from tls.certificates import Certificate
from tls.der import DerReader, days_since_1970, oid, oid_text, time_text
from tls.errors import CertificateError
from tls.names import canonical_name, matching_name, name_text
from tls.paths import verify_chain
from tls.trust import TrustStore

ROOT = ca(name("Root", C="SE"), path_length=3)
LEAF = leaf(ROOT, names=["localhost", "127.0.0.1"])
RSA = ca(
    private_key=key("rsa2048"),
    padding=padding.PSS(padding.MGF1(hashes.SHA256()), 32),
    constraints=x509.NameConstraints([x509.DNSName("test")], [x509.DirectoryName(name("x", E="a@b"))]),
)
ED25519 = leaf(ROOT, private_key=key("ed25519"))
STORE = TrustStore.from_pem(ROOT.pem + RSA.pem)
ANY = st.sampled_from([ROOT.der, LEAF.der, RSA.der, ED25519.der])


def judge(der: bytes) -> None:
    try:
        certificate = Certificate.parse(der)
    except CertificateError:
        return
    certificate.is_signed_by(certificate)
    _ = certificate.subject, certificate.issuer, certificate.signature_hash, repr(certificate)
    matching_name(certificate.names, "localhost")
    for chain in ([certificate], [LEAF.certificate, certificate]):
        try:
            verify_chain(chain, "localhost", STORE, NOW)
        except CertificateError as error:
            assert error.alert and error.diagnosis


@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    judge(octets)
    name_text(octets)
    TrustStore.from_pem(octets)


@settings(max_examples=400)
@given(ANY, st.data())
def test_certificates_with_octets_changed(der: bytes, data: st.DataObject) -> None:
    changed = bytearray(der)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    judge(bytes(changed))


@given(ANY, st.integers(0, 600), st.binary(max_size=4))
def test_certificates_cut_and_with_octets_put_in(der: bytes, at: int, octets: bytes) -> None:
    judge(der[:at] + octets + der[at:])


def elements_of(der: bytes, start: int, end: int, above: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Where each element begins that those `above` hold, innermost last: positions of nested headers."""
    found = []
    while start < end:
        size = der[start + 1] & 0x7F if der[start + 1] >= 0x80 else 0
        content = start + 2 + size
        stop = content + (int.from_bytes(der[start + 2 : content], "big") if size else der[start + 1])
        found.append((*above, start))
        if der[start] & 0x20:
            found += elements_of(der, content, stop, (*above, start))
        start = stop
    return found


def replaced(der: bytes, path: tuple[int, ...], content: bytes, tag: int | None = None) -> bytes:
    """`der` with other content in the element at the end of `path`; the lengths around it are made right."""
    from tls.names import _element

    reader = DerReader(der, path[-1])
    old_tag = reader.tag
    size = len(reader.read_whole(old_tag))
    element = _element(old_tag if tag is None else tag, content)
    if len(path) > 1:
        outer = DerReader(der, path[-2])
        inside = outer.enter(outer.tag)
        content = der[inside.position : path[-1]] + element + der[path[-1] + size : inside.end]
        return replaced(der, path[:-1], content)
    return element


#: What a parser might stumble over: numbers of thousands of digits, nothing, times and names that are none.
ODD = st.sampled_from(
    [
        b"",
        b"\0",
        b"\x7f" + bytes(3000),
        b"\x80" + bytes(3000),
        b"\xff" * 3000 + b"\x7f",
        b"\xd8\0\xdc\0",
        b"*.",
    ]
) | st.binary(max_size=20)


@settings(max_examples=400, deadline=None)
@given(
    ANY,
    st.data(),
    ODD,
    st.none() | st.sampled_from([2, 3, 4, 5, 6, 0x0C, 0x1C, 0x1E, 0x30, 0x31, 0xA0, 0xA3]),
)
def test_certificates_with_an_element_replaced(
    der: bytes, data: st.DataObject, content: bytes, tag: int | None
) -> None:
    path = data.draw(st.sampled_from(elements_of(der, 0, len(der))))
    judge(replaced(der, path, content, tag))


@given(st.integers(0, 2), st.lists(st.integers(0, 2**40), max_size=5), st.integers(0, 39))
def test_object_identifiers_round_trip(first: int, rest: list[int], second: int) -> None:
    text = ".".join(map(str, [first, second, *rest]))
    assert oid_text(oid(text)) == text


@given(st.dates())
def test_days_count_as_the_calendar_does(date: object) -> None:
    import datetime

    assert isinstance(date, datetime.date)
    days = (date - datetime.date(1970, 1, 1)).days
    assert days_since_1970(date.year, date.month, date.day) == days
    assert time_text(days * 86_400).split()[1] == str(date.day)


@given(st.text(min_size=1, max_size=20))
def test_a_canonical_name_stays_what_it_is_when_canonicalised_again(text: str) -> None:
    from tls.names import _element

    encoded = text.encode("utf-8", "replace")
    pair = _element(0x06, oid("2.5.4.3")) + _element(0x0C, encoded)
    der = _element(0x30, _element(0x31, _element(0x30, pair)))
    once = canonical_name(der)
    assert canonical_name(_element(0x30, once)) == once


@given(der=ANY, at=st.integers(0, 2000), octets=st.binary(max_size=8))
def test_any_certificate_can_be_told_of(der: bytes, at: int, octets: bytes) -> None:
    at %= len(der)
    text = certificate_text(der[:at] + octets + der[at + len(octets) :])
    assert text.endswith("-----END CERTIFICATE-----\n")
    text.encode("utf-8", "surrogateescape")


SAMPLES = [
    "30060603550403",
    "300a060355040330030c0161",
    "3006820161870204",
    "3010a00ea10c300a06035504030c0361e964",
    "0481a700a5",
    "03020780",
    "30038001ff",
]


@given(
    kind=st.sampled_from([*EXTENSIONS, "1.2.3"]),
    sample=st.sampled_from(SAMPLES),
    at=st.integers(0, 30),
    octets=st.binary(max_size=6),
)
def test_any_extension_can_be_told_of(kind: str, sample: str, at: int, octets: bytes) -> None:
    value = bytearray.fromhex(sample)
    value[at : at + len(octets)] = octets
    for each in (bytes(value), octets):
        name, text = extension_text(kind, each)
        assert name
        text.encode("utf-8", "surrogateescape")
