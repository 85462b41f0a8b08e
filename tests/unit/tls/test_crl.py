"""Lists of revoked certificates: which one counts, what it says, and what is none.

What OpenSSL says to the same lists is in tests/interop/test_openssl_crl.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.fakes import pki
from tests.fakes.pki import crl, issuing_point
from tls.alerts import Alert
from tls.crl import Crl, CrlStore
from tls.errors import CertificateError, UsageError
from tls.paths import verify_chain
from tls.trust import TrustStore

NOW, DAY = pki.NOW, pki.DAY
ROOT = pki.ca("Root")
MIDDLE = pki.ca("Middle", ROOT)
LEAF = pki.leaf(MIDDLE)


def store(tmp_path: Path, *lists: bytes) -> CrlStore:
    (tmp_path / "crl.pem").write_bytes(b"".join(lists))
    return CrlStore.from_file(str(tmp_path / "crl.pem"))


def verdict(tmp_path: Path, *lists: bytes, leaf: pki.Issued = LEAF) -> tuple[str, Alert | None, str]:
    """The words, the alert, and the certificate at fault; three times nothing where all is well."""
    chain = [leaf.certificate, MIDDLE.certificate]
    trust = TrustStore.from_pem(ROOT.pem)
    try:
        verify_chain(chain, "localhost", trust, NOW, crls=store(tmp_path, *lists))
    except CertificateError as error:
        return error.openssl_text, error.alert, str(error).rpartition(": ")[2]
    return "", None, ""


FINE = "", None, ""


def test_a_path_with_a_list_by_each_issuer_holds(tmp_path):
    assert verdict(tmp_path, crl(ROOT), crl(MIDDLE)) == FINE


@pytest.mark.parametrize(
    ("who", "lists"), [(LEAF, (crl(ROOT), crl(MIDDLE, LEAF))), (MIDDLE, (crl(ROOT, MIDDLE), crl(MIDDLE)))]
)
def test_a_revoked_certificate_is_refused_wherever_it_is(tmp_path, who, lists):
    expected = "certificate revoked", Alert.CERTIFICATE_REVOKED, who.certificate.subject
    assert verdict(tmp_path, *lists) == expected


@pytest.mark.parametrize(("lists", "who"), [((crl(ROOT),), "CN=leaf"), ((crl(MIDDLE),), "CN=Middle")])
def test_every_issuer_needs_a_list(tmp_path, lists, who):
    assert verdict(tmp_path, *lists) == ("unable to get certificate CRL", Alert.UNKNOWN_CA, who)


def test_a_list_out_of_its_time_is_refused(tmp_path):
    late = verdict(tmp_path, crl(ROOT), crl(MIDDLE, until=NOW - 1))
    early = verdict(tmp_path, crl(ROOT), crl(MIDDLE, updated=NOW + 1))
    assert late == ("CRL has expired", Alert.CERTIFICATE_EXPIRED, "CN=leaf")
    assert early == ("CRL is not yet valid", Alert.BAD_CERTIFICATE, "CN=leaf")


def test_of_two_lists_the_one_in_its_time_counts_then_the_later(tmp_path):
    old, new = crl(MIDDLE, updated=NOW - 3 * DAY, until=NOW - 2 * DAY), crl(MIDDLE, LEAF)
    assert verdict(tmp_path, crl(ROOT), old, new)[0] == "certificate revoked"
    newer = crl(MIDDLE, updated=NOW - 10)
    assert verdict(tmp_path, crl(ROOT), new, newer) == FINE
    assert verdict(tmp_path, crl(ROOT), newer, new) == FINE


def test_a_list_by_another_key_is_refused(tmp_path):
    forged = crl(MIDDLE, key=pki.key("P-256", 999))
    expected = "CRL signature failure", Alert.DECRYPT_ERROR, "CN=leaf"
    assert verdict(tmp_path, crl(ROOT), forged) == expected


def test_a_list_that_names_another_key_is_not_taken(tmp_path):
    other = x509.AuthorityKeyIdentifier.from_issuer_public_key(pki.key("P-256", 999).public_key())
    lists = crl(ROOT), crl(MIDDLE, extra=((other, False),))
    assert verdict(tmp_path, *lists)[0] == "unable to get certificate CRL"


def test_an_issuer_that_may_not_sign_lists_is_refused(tmp_path):
    middle = pki.ca("Bare", ROOT, usage=pki.key_usage("key_cert_sign"))
    leaf = pki.leaf(middle)
    trust, crls = TrustStore.from_pem(ROOT.pem), store(tmp_path, crl(ROOT), crl(middle))
    with pytest.raises(CertificateError, match="key usage does not include CRL signing"):
        verify_chain([leaf.certificate, middle.certificate], "localhost", trust, NOW, crls=crls)


@pytest.mark.parametrize("kind", ["P-384", "P-521", "rsa2048", "ed25519", "ed448"])
def test_keys_of_each_kind_sign_lists(tmp_path, kind):
    root = pki.ca("Other root", private_key=pki.key(kind))
    leaf, bad = pki.leaf(root), pki.leaf(root)
    trust, crls = TrustStore.from_pem(root.pem), store(tmp_path, crl(root, bad))
    verify_chain([leaf.certificate], "localhost", trust, NOW, crls=crls)
    with pytest.raises(CertificateError, match="certificate revoked"):
        verify_chain([bad.certificate], "localhost", trust, NOW, crls=crls)


def test_what_a_delta_list_takes_off_is_not_revoked(tmp_path):
    lists = crl(ROOT), crl(MIDDLE, LEAF, reason=x509.ReasonFlags.remove_from_crl)
    assert verdict(tmp_path, *lists) == FINE
    lists = crl(ROOT), crl(MIDDLE, LEAF, reason=x509.ReasonFlags.key_compromise)
    assert verdict(tmp_path, *lists)[0] == "certificate revoked"


def test_a_list_for_one_kind_of_certificate_is_for_that_kind(tmp_path):
    users, authorities = (
        issuing_point(only_contains_user_certs=True),
        issuing_point(only_contains_ca_certs=True),
    )
    attributes = issuing_point(only_contains_attribute_certs=True)
    assert verdict(tmp_path, crl(ROOT), crl(MIDDLE, extra=(users,))) == FINE
    assert verdict(tmp_path, crl(ROOT, extra=(authorities,)), crl(MIDDLE)) == FINE
    for extra in (authorities, attributes):
        assert verdict(tmp_path, crl(ROOT), crl(MIDDLE, extra=(extra,)))[0] == "different CRL scope"


def test_a_list_of_one_distribution_point_is_for_certificates_that_name_it(tmp_path):
    def at(name: str) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(f"http://{name}.test/crl")]

    point = x509.DistributionPoint(at("here"), None, None, None)
    leaf = pki.leaf(MIDDLE, extra=[(x509.CRLDistributionPoints([point]), False)])
    here = crl(MIDDLE, extra=(issuing_point(full_name=at("here")),))
    there = crl(MIDDLE, extra=(issuing_point(full_name=at("there")),))
    assert verdict(tmp_path, crl(ROOT), here, leaf=leaf) == FINE
    assert verdict(tmp_path, crl(ROOT), there, leaf=leaf)[0] == "different CRL scope"
    assert verdict(tmp_path, crl(ROOT), there, here, leaf=leaf) == FINE
    assert verdict(tmp_path, crl(ROOT), here)[0] == "different CRL scope"


@pytest.mark.parametrize(
    "extra",
    [
        issuing_point(indirect_crl=True),
        issuing_point(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])),
        (x509.DeltaCRLIndicator(1), True),
    ],
)
def test_lists_that_tell_only_a_part_are_not_used(tmp_path, extra):
    lists = crl(ROOT), crl(MIDDLE, extra=(extra,))
    assert verdict(tmp_path, *lists)[0] == "unable to get certificate CRL"


def test_a_critical_extension_that_is_not_known_spoils_a_list(tmp_path):
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")
    lists = crl(ROOT), crl(MIDDLE, extra=((unknown, True),))
    assert verdict(tmp_path, *lists)[0] == "unhandled critical CRL extension"
    assert verdict(tmp_path, crl(ROOT), crl(MIDDLE, extra=((unknown, False),))) == FINE


def test_a_serial_number_that_only_looks_alike_is_not_revoked(tmp_path):
    """The octets of one are inside those of another."""
    inner = pki.leaf(MIDDLE, serial=0x41424344)
    outer = pki.leaf(MIDDLE, serial=0x4041424344)
    assert verdict(tmp_path, crl(ROOT), crl(MIDDLE, outer), leaf=inner) == FINE
    assert verdict(tmp_path, crl(ROOT), crl(MIDDLE, outer, inner), leaf=inner)[0] == "certificate revoked"


@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 0xFF, 0x100, (1 << 159) - 1])
def test_serial_numbers_of_each_size_are_found(tmp_path, serial):
    leaf = pki.leaf(MIDDLE, serial=serial)
    assert verdict(tmp_path, crl(ROOT), crl(MIDDLE, leaf), leaf=leaf)[0] == "certificate revoked"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        crl(ROOT)[:120],
        b"-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n",
        b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n" * 1001,
    ],
)
def test_a_file_with_anything_but_lists_is_refused(tmp_path, content):
    with pytest.raises(UsageError, match="CRL"):
        store(tmp_path, content)


def test_every_cut_of_a_list_is_an_error_by_name():
    der = x509.load_pem_x509_crl(
        crl(MIDDLE, LEAF, extra=(issuing_point(only_contains_user_certs=True),))
    ).public_bytes(serialization.Encoding.DER)
    Crl.parse(der)
    for size in range(len(der)):
        with pytest.raises(UsageError):
            Crl.parse(der[:size])


def test_lists_in_a_hashed_directory_count_too(tmp_path):
    from tls.trust import subject_hash

    name = subject_hash(MIDDLE.certificate.subject_der)
    (tmp_path / f"{name}.r0").write_bytes(crl(MIDDLE, updated=NOW - 3 * DAY))
    (tmp_path / f"{name}.r1").write_bytes(crl(MIDDLE, LEAF))
    (tmp_path / "root.pem").write_bytes(crl(ROOT))
    crls = CrlStore.from_file(str(tmp_path / "root.pem"), [str(tmp_path)])
    with pytest.raises(CertificateError, match="certificate revoked"):
        verify_chain(
            [LEAF.certificate, MIDDLE.certificate],
            "localhost",
            TrustStore.from_pem(ROOT.pem),
            NOW,
            crls=crls,
        )
