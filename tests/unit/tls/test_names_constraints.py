"""Name constraints by themselves; what they do in a chain is compared with openssl in tests/interop."""

from __future__ import annotations

import pytest
from cryptography import x509

from tests.fakes.pki import NOW, ca, leaf, name
from tls.der import DerError
from tls.errors import CertificateError
from tls.name_constraints import NameConstraints, forms_of
from tls.names import DNS_NAME, IP_ADDRESS, RFC822_NAME, GeneralNames
from tls.paths import verify_chain
from tls.trust import TrustStore


def names(*dns: str, ip: tuple[bytes, ...] = ()) -> GeneralNames:
    return GeneralNames(dns, ip, (), frozenset())


def subtrees(*encoded: bytes, tag: int = 0xA0) -> bytes:
    inner = b"".join(b"\x30" + bytes([len(each)]) + each for each in encoded)
    outer = bytes([tag, len(inner)]) + inner
    return b"\x30" + bytes([len(outer)]) + outer


def violation(der: bytes, *dns: str, ip: tuple[bytes, ...] = ()) -> str | None:
    return NameConstraints.parse(der).violation(forms_of(b"\x30\0", names(*dns, ip=ip)))


def test_an_empty_dns_subtree_holds_every_name() -> None:
    assert violation(subtrees(b"\x82\0"), "a.test", "b.example") is None
    assert violation(subtrees(b"\x82\0", tag=0xA1), "a.test") == "excluded subtree violation"


def test_names_are_compared_without_case() -> None:
    assert violation(subtrees(b"\x82\x04TeSt"), "A.tEsT") is None


def test_an_ipv6_name_is_in_no_ipv4_subtree() -> None:
    everything4 = subtrees(b"\x87\x08" + bytes(8))
    assert violation(everything4, ip=(b"\x0a\0\0\1",)) is None
    assert violation(everything4, ip=(bytes(16),)) == "permitted subtree violation"


@pytest.mark.parametrize(
    ("wildcard", "excluded", "refused"),
    [
        ("*.a.test", b"b.a.test", True),
        ("*.a.test", b".b.a.test", True),
        ("*.a.test", b"c.b.a.test", False),
        ("*.a.test", b"a.test", True),
        ("*.a.test", b"b.test", False),
    ],
)
def test_a_wildcard_must_not_reach_into_an_excluded_subtree(
    wildcard: str, excluded: bytes, refused: bool
) -> None:
    der = subtrees(bytes([0x82, len(excluded)]) + excluded, tag=0xA1)
    assert (violation(der, wildcard) is not None) == refused


@pytest.mark.parametrize(
    "der",
    [
        b"\x30\x02\xa2\0",
        subtrees(b"\x87\x05aaaaa"),
        subtrees(b"\x82\x01a\x80\x01\1"),  # a minimum
        b"\x31\0",
        b"",
    ],
)
def test_constraints_of_another_shape_are_errors(der: bytes) -> None:
    with pytest.raises(DerError):
        NameConstraints.parse(der)


def test_constraints_of_another_shape_refuse_the_chain() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), b"\x30\x02\xa2\x00")
    root = ca()
    middle = ca("Middle", root, extra=[(odd, True)])
    with pytest.raises(CertificateError) as caught:
        verify_chain(
            [leaf(middle).certificate, middle.certificate], "localhost", TrustStore.from_pem(root.pem), NOW
        )
    assert caught.value.openssl_text == "unsupported or invalid name constraint syntax"


def test_the_names_of_a_certificate_are_its_alternatives_and_its_subject() -> None:
    subject = name("x", E="a@b.test").public_bytes()
    forms = forms_of(subject, names("A.test", ip=(bytes(4),)))
    assert [form.tag for form in forms] == [DNS_NAME, IP_ADDRESS, 0xA4, RFC822_NAME]
    assert forms[0].dns == "a.test"
