"""Names: which covers which, how distinguished names are written and compared."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.fakes.pki import name
from tls.der import DerError, DerReader
from tls.names import (
    GeneralNames,
    canonical_name,
    matching_name,
    name_text,
    parse_ip,
    read_general_names,
    reference_dns_name,
)


def general(*dns: str, ip: tuple[bytes, ...] = ()) -> GeneralNames:
    return GeneralNames(dns, ip, (), frozenset())


@pytest.mark.parametrize(
    ("wanted", "presented", "matches"),
    [
        ("example.org", "example.org", True),
        ("EXAMPLE.org", "example.ORG", True),
        ("example.org.", "example.org", True),
        ("example.org", "example.org.", True),
        ("a.example.org", "*.example.org", True),
        ("a_b.example.org", "*.example.org", True),
        ("xn--bcher-kva.example.org", "*.example.org", True),
        ("bücher.example.org", "xn--bcher-kva.example.org", True),
        ("a.b.example.org", "*.example.org", False),
        ("example.org", "*.example.org", False),
        (".example.org", "*.example.org", False),
        ("example.org", "*.org", False),
        ("localhost", "*", False),
        ("abc.example.org", "a*.example.org", False),
        ("a.b.example.org", "a.*.example.org", False),
        ("a.b.example.org", "*.*.example.org", False),
        ("*.example.org", "*.example.org", False),
        ("example.org\0.evil.test", "example.org", False),
        ("example.org", "example.org\0.evil.test", False),
        ("", "", False),
        ("a..b", "a..b", False),
        ("a" * 64 + ".test", "a" * 64 + ".test", False),
    ],
)
def test_dns_names(wanted: str, presented: str, matches: bool) -> None:
    assert matching_name(general(presented), wanted) == (presented if matches else None)


def test_addresses_match_addresses_only() -> None:
    both = general("127.0.0.1", "::1", ip=(b"\x0a\0\0\1", bytes(15) + b"\1"))
    assert matching_name(both, "10.0.0.1") == "10.0.0.1"
    assert (
        matching_name(both, "::1") == matching_name(both, "[::1]") == matching_name(both, "0:0::1") == "::1"
    )
    assert matching_name(both, "127.0.0.1") is None
    assert matching_name(general("*.0.0.1"), "10.0.0.1") is None


@pytest.mark.parametrize(
    "text", ["1.2.3", "1.2.3.256", "1.2.3.4.5", "a.b.c.d", "1.2.3.", "010.0.0.1", "::g", "1::2::3", ""]
)
def test_what_is_no_address_is_a_name(text: str) -> None:
    assert parse_ip(text) is None


def test_the_reference_name_is_small_absolute_and_in_a_labels() -> None:
    assert reference_dns_name("WWW.Bücher.Example.") == "www.xn--bcher-kva.example"
    assert reference_dns_name("a b") is None
    assert reference_dns_name("\u200d.test") is None


def test_a_name_is_written_as_curl_does() -> None:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Łódź; é"),
            x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4"), "odd"),
        ]
    )
    assert name_text(subject.public_bytes()) == "C=SE; O=\\U0141ód\\U017A; é; 1.2.3.4=odd"


def test_an_rdn_of_several_values_is_written_with_plus() -> None:
    rdn = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "b")]
    )
    assert name_text(x509.Name([rdn]).public_bytes()) in ("CN=a + O=b", "O=b + CN=a")


def test_a_broken_name_is_shown_as_octets() -> None:
    assert name_text(b"\x30\x05ab") == "(not a name: 30056162)"


def test_names_are_the_same_whatever_their_case_spaces_and_string_type() -> None:
    plain = canonical_name(name("Some Root", C="SE").public_bytes())
    assert canonical_name(name("  some   ROOT ", C="se").public_bytes()) == plain
    assert canonical_name(name("SomeRoot", C="SE").public_bytes()) != plain


def test_general_names_of_unknown_shape_are_errors() -> None:
    with pytest.raises(DerError, match="IP address of 5 octets"):
        read_general_names(DerReader(b"\x87\x05aaaaa"))
    with pytest.raises(DerError, match="tag 0x30"):
        read_general_names(DerReader(b"\x30\x00"))
    assert read_general_names(DerReader(b"\x81\x03a@b")).others == {0x81}
