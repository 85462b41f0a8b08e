"""Verdicts on chains beside `openssl verify`, row by row: verdict and words are the same.

`DIFFERENCES` holds the rows where they are not, with the reason.
"""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.fakes.pki import DAY, NOW, SERVER, Issued, ca, corrupt, key, key_usage, leaf, name
from tls.certificates import Certificate
from tls.der import time_text
from tls.errors import CertificateError
from tls.paths import verify_chain
from tls.trust import SYSTEM_BUNDLES, TrustStore, pem_certificates, subject_hash

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl program to compare with"),
]


class Case(NamedTuple):
    sent: list[Issued]
    store: list[Issued]
    server_name: str = "localhost"
    partial_chain: bool = False


CASES: dict[str, Callable[[], Case]] = {}


def case(build: Callable[[], Case]) -> Callable[[], Case]:
    CASES[build.__name__] = build
    return build


def plain(by: Callable[[Issued], Issued] | None = None, **fields: object) -> Case:
    """Root, intermediate and a leaf with these fields, or what `by` makes of the intermediate."""
    root = ca()
    middle = ca("Middle", root)
    return Case([by(middle) if by else leaf(middle, **fields), middle], [root])


def with_middle(**fields: object) -> Case:
    root = ca()
    middle = ca("Middle", root, **fields)
    return Case([leaf(middle), middle], [root])


@case
def leaf_intermediate_root() -> Case:
    return plain()


@case
def root_sent_too() -> Case:
    case = plain()
    return case._replace(sent=[*case.sent, *case.store])


@case
def sent_out_of_order_with_a_stranger() -> Case:
    root, stranger = ca(), ca("Stranger")
    outer, inner = ca("Outer", root), None
    inner = ca("Inner", outer)
    return Case([leaf(inner), outer, stranger, inner], [root])


@case
def self_signed_ca_true_leaf_in_the_store() -> Case:
    own = leaf(None, is_ca=True, usage=None)
    return Case([own], [own])


@case
def self_signed_ca_false_leaf_in_the_store() -> Case:
    own = leaf(None)
    return Case([own], [own])


@case
def self_signed_leaf_not_in_the_store() -> Case:
    return Case([leaf(None)], [ca()])


@case
def self_signed_leaf_named_as_one_in_the_store() -> Case:
    return Case([leaf(None, private_key=key("P-256", 1))], [leaf(None, private_key=key("P-256", 2))])


@case
def leaf_without_key_identifiers() -> Case:
    return plain(key_ids=False)


@case
def intermediate_and_leaf_without_key_identifiers() -> Case:
    root = ca(key_ids=False)
    middle = ca("Middle", root, key_ids=False)
    return Case([leaf(middle, key_ids=False), middle], [root])


@case
def chain_signed_by_ed25519() -> Case:
    root = ca(private_key=key("ed25519"))
    middle = ca("Middle", root, private_key=key("ed25519", 2))
    return Case([leaf(middle, private_key=key("ed25519", 3)), middle], [root])


@case
def chain_signed_by_ed448() -> Case:
    root = ca(private_key=key("ed448"))
    return Case([leaf(root)], [root])


@case
def ed25519_leaf_under_ecdsa() -> Case:
    return plain(private_key=key("ed25519"))


@case
def chain_of_p384_and_p521() -> Case:
    root = ca(private_key=key("P-521"), digest=hashes.SHA512())
    middle = ca("Middle", root, private_key=key("P-384"), digest=hashes.SHA512())
    return Case([leaf(middle, digest=hashes.SHA384()), middle], [root])


@case
def chain_of_rsa() -> Case:
    root = ca(private_key=key("rsa2048"))
    return Case([leaf(root, private_key=key("rsa2048", 2))], [root])


@case
def chain_signed_with_pss() -> Case:
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    root = ca(private_key=key("rsa2048"), padding=pss, digest=hashes.SHA384())
    return Case([leaf(root, padding=pss, digest=hashes.SHA384())], [root])


@case
def rsa_1024_leaf() -> Case:
    return plain(private_key=key("rsa1024"))


@case
def rsa_1024_intermediate() -> Case:
    return with_middle(private_key=key("rsa1024"))


@case
def rsa_1024_root() -> Case:
    root = ca(private_key=key("rsa1024"))
    return Case([leaf(root)], [root])


@case
def signed_with_sha1() -> Case:
    root = ca(private_key=key("rsa2048"))
    # cryptography signs certificates with SHA-1 no more: the signature is made here, over a changed body
    return Case([sha1_leaf(root)], [root])


@case
def signed_with_sha224() -> Case:
    return plain(digest=hashes.SHA224())


@case
def expired_leaf() -> Case:
    return plain(not_before=NOW - 3 * DAY, not_after=NOW - DAY)


@case
def leaf_not_yet_valid() -> Case:
    return plain(not_before=NOW + DAY, not_after=NOW + 2 * DAY)


@case
def expired_intermediate() -> Case:
    return with_middle(not_before=NOW - 3 * DAY, not_after=NOW - DAY)


@case
def expired_root() -> Case:
    root = ca(not_before=NOW - 3 * DAY, not_after=NOW - DAY)
    return Case([leaf(root)], [root])


@case
def last_second_of_validity() -> Case:
    return plain(not_after=NOW)


@case
def first_second_of_validity() -> Case:
    return plain(not_before=NOW)


@case
def one_second_too_late() -> Case:
    return plain(not_after=NOW - 1)


@case
def unknown_critical_extension() -> Case:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    return plain(extra=[(unknown, True)])


@case
def unknown_extension() -> Case:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    return plain(extra=[(unknown, False)])


@case
def unknown_critical_extension_in_the_intermediate() -> Case:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    return with_middle(extra=[(unknown, True)])


@case
def critical_certificate_policies() -> Case:
    policy = x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)
    return plain(extra=[(x509.CertificatePolicies([policy]), True)])


@case
def must_staple() -> Case:
    return plain(extra=[(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)])


@case
def intermediate_without_ca() -> Case:
    return with_middle(is_ca=False)


@case
def intermediate_without_basic_constraints_and_key_usage() -> Case:
    return with_middle(is_ca=None, usage=None)


@case
def intermediate_without_basic_constraints() -> Case:
    return with_middle(is_ca=None)


@case
def root_without_basic_constraints() -> Case:
    root = ca(is_ca=None)
    return Case([leaf(root)], [root])


@case
def intermediate_without_key_cert_sign() -> Case:
    return with_middle(usage=key_usage("digital_signature"))


@case
def intermediate_without_key_usage() -> Case:
    return with_middle(usage=None)


@case
def leaf_without_key_usage_and_extended() -> Case:
    return plain(usage=None, extended=None, is_ca=None)


@case
def leaf_with_ca_true_and_cert_sign() -> Case:
    return plain(is_ca=True, usage=key_usage("digital_signature", "key_cert_sign"))


@case
def leaf_for_clients_only() -> Case:
    return plain(extended=[ExtendedKeyUsageOID.CLIENT_AUTH])


@case
def leaf_for_any_purpose_only() -> Case:
    return plain(extended=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])


@case
def intermediate_for_clients_only() -> Case:
    return with_middle(extended=[ExtendedKeyUsageOID.CLIENT_AUTH])


@case
def intermediate_for_servers() -> Case:
    return with_middle(extended=[SERVER])


@case
def leaf_for_key_encipherment_only() -> Case:
    return plain(usage=key_usage("key_encipherment"))


@case
def leaf_for_non_repudiation_only() -> Case:
    return plain(usage=key_usage("content_commitment"))


@case
def path_length_kept() -> Case:
    root = ca(path_length=1)
    middle = ca("Middle", root, path_length=0)
    return Case([leaf(middle), middle], [root])


@case
def path_length_exceeded() -> Case:
    root = ca(path_length=0)
    middle = ca("Middle", root)
    return Case([leaf(middle), middle], [root])


@case
def path_length_exceeded_in_the_middle() -> Case:
    root = ca()
    outer = ca("Outer", root, path_length=0)
    inner = ca("Inner", outer)
    return Case([leaf(inner), inner, outer], [root])


@case
def path_length_with_a_self_issued_intermediate() -> Case:
    root = ca(path_length=0)
    renewed = ca("Root", root, private_key=key("P-256", 77))
    return Case([leaf(renewed), renewed], [root])


@case
def missing_intermediate() -> Case:
    case = plain()
    return case._replace(sent=case.sent[:1])


@case
def unknown_root() -> Case:
    return plain()._replace(store=[ca("Other root")])


@case
def unknown_root_sent_too() -> Case:
    case = plain()
    return Case([*case.sent, *case.store], [ca("Other root")])


@case
def intermediate_in_the_store_only() -> Case:
    case = plain()
    return Case(case.sent[:1], [case.sent[1]])


@case
def intermediate_in_the_store_only_partial_chain() -> Case:
    return intermediate_in_the_store_only()._replace(partial_chain=True)


@case
def leaf_in_the_store_only() -> Case:
    case = plain()
    return Case(case.sent[:1], case.sent[:1])


@case
def leaf_in_the_store_only_partial_chain() -> Case:
    return leaf_in_the_store_only()._replace(partial_chain=True)


@case
def intermediate_and_root_in_the_store() -> Case:
    case = plain()
    return Case(case.sent[:1], [case.sent[1], *case.store])


@case
def leaf_signature_broken() -> Case:
    case = plain()
    return case._replace(sent=[corrupt(case.sent[0]), case.sent[1]])


@case
def intermediate_signature_broken() -> Case:
    case = plain()
    return case._replace(sent=[case.sent[0], corrupt(case.sent[1])])


@case
def signature_of_the_root_broken() -> Case:
    root = ca()
    return Case([leaf(root)], [corrupt(root)])


@case
def other_root_of_the_same_name() -> Case:
    case = plain()
    return case._replace(store=[ca(private_key=key("P-256", 5))])


@case
def other_root_of_the_same_name_without_key_identifiers() -> Case:
    root = ca(key_ids=False)
    return Case([leaf(root, key_ids=False)], [ca(private_key=key("P-256", 5), key_ids=False)])


@case
def old_and_new_root_of_the_same_name() -> Case:
    case = plain()
    return case._replace(store=[ca(private_key=key("P-256", 5)), *case.store])


@case
def issuer_written_in_another_case() -> Case:
    root = ca("Some  Root")
    return Case([leaf(root, issuer=name("some root"))], [root])


@case
def cross_signed_and_the_old_root_is_gone() -> Case:
    new_root = ca("New root", private_key=key("P-256", 8))
    cross = ca("New root", ca("Old root"), private_key=key("P-256", 8))
    middle = ca("Middle", new_root)
    return Case([leaf(middle), middle, cross], [new_root])


@case
def cross_signed_by_an_expired_root() -> Case:
    old_root = ca("Old root", not_before=NOW - 3 * DAY, not_after=NOW - DAY)
    new_root = ca("New root", private_key=key("P-256", 8))
    cross = ca("New root", old_root, private_key=key("P-256", 8))
    middle = ca("Middle", new_root)
    return Case([leaf(middle), middle, cross], [old_root, new_root])


@case
def way_through_the_store_is_expired_way_through_the_sent_is_not() -> Case:
    """The store's copy of the intermediate has run out, the server has the renewed one."""
    root = ca()
    stale = ca("Middle", root, not_before=NOW - 3 * DAY, not_after=NOW - DAY, private_key=key("P-256", 9))
    middle = ca("Middle", root, private_key=key("P-256", 9))
    return Case([leaf(middle), middle], [root, stale])


def constrained(server_name: str = "localhost", names: tuple[str, ...] = (), **subtrees: list[str]) -> Case:
    bases = {
        which: [
            x509.IPAddress(ipaddress.ip_network(text)) if text[0].isdigit() else x509.DNSName(text)
            for text in texts
        ]
        for which, texts in subtrees.items()
    }
    root = ca()
    constraints = x509.NameConstraints(bases.get("permitted"), bases.get("excluded"))
    middle = ca("Middle", root, constraints=constraints)
    return Case([leaf(middle, names=names or [server_name]), middle], [root], server_name)


@case
def permitted_name() -> Case:
    return constrained("www.example.org", permitted=["example.org"])


@case
def name_not_permitted() -> Case:
    return constrained("www.example.com", permitted=["example.org"])


@case
def name_that_only_ends_like_the_permitted() -> Case:
    return constrained("wwwexample.org", permitted=["example.org"])


@case
def permitted_with_a_leading_dot() -> Case:
    return constrained("www.example.org", permitted=[".example.org"])


@case
def permitted_with_a_leading_dot_but_no_label_more() -> Case:
    return constrained("example.org", permitted=[".example.org"])


@case
def excluded_name() -> Case:
    return constrained("www.example.org", excluded=["example.org"])


@case
def one_name_of_two_not_permitted() -> Case:
    return constrained("a.example.org", names=("a.example.org", "b.test"), permitted=["example.org"])


@case
def wildcard_that_covers_an_excluded_name() -> Case:
    return constrained("a.example.org", names=("*.example.org",), excluded=["bad.example.org"])


@case
def permitted_address() -> Case:
    return constrained("127.0.0.1", permitted=["127.0.0.0/8"])


@case
def address_not_permitted() -> Case:
    return constrained("127.0.0.1", permitted=["10.0.0.0/8"])


@case
def address_excluded() -> Case:
    return constrained("10.1.2.3", excluded=["10.0.0.0/8"])


@case
def constraints_on_other_kinds_of_names() -> Case:
    return constrained("127.0.0.1", permitted=["example.org"])


def constrained_directory(subject: x509.Name, **subtrees: list[x509.GeneralName]) -> Case:
    root = ca()
    constraints = x509.NameConstraints(subtrees.get("permitted"), subtrees.get("excluded"))
    middle = ca("Middle", root, constraints=constraints)
    return Case([leaf(middle, subject), middle], [root])


@case
def permitted_directory() -> Case:
    base = x509.DirectoryName(name(C="SE", O="Haxx"))
    return constrained_directory(name("x", C="SE", O="HAXX"), permitted=[base])


@case
def directory_not_permitted() -> Case:
    return constrained_directory(name("x", C="NO"), permitted=[x509.DirectoryName(name(C="SE"))])


@case
def directory_excluded() -> Case:
    return constrained_directory(name("x", C="SE"), excluded=[x509.DirectoryName(name(C="SE"))])


@case
def constraints_on_mail_and_a_mail_address() -> Case:
    return constrained_directory(name("x", E="a@example.org"), permitted=[x509.RFC822Name("example.org")])


def named(server_name: str, *names: str, subject: str = "leaf") -> Case:
    return plain(lambda middle: leaf(middle, subject, names=names))._replace(server_name=server_name)


NAMES = {
    "name_matches": ("a.example.org", "a.example.org"),
    "name_in_capitals": ("A.Example.ORG", "a.eXample.org"),
    "second_name_matches": ("b.test", "a.test", "b.test"),
    "other_name": ("b.example.org", "a.example.org"),
    "wildcard_label": ("a.example.org", "*.example.org"),
    "wildcard_for_two_labels": ("a.b.example.org", "*.example.org"),
    "wildcard_for_none": ("example.org", "*.example.org"),
    "wildcard_for_a_top_level": ("example.org", "*.org"),
    "wildcard_in_a_label": ("abc.example.org", "a*.example.org"),
    "wildcard_in_the_second_label": ("a.b.example.org", "a.*.example.org"),
    "bare_wildcard": ("localhost", "*"),
    "wildcard_for_an_a_label": ("xn--bcher-kva.example.org", "*.example.org"),
    "a_label": ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    "underscore": ("a_b.example.org", "a_b.example.org"),
    "wildcard_for_an_underscore": ("a_b.example.org", "*.example.org"),
    "trailing_dot_wanted": ("a.example.org.", "a.example.org"),
    "trailing_dot_in_certificate": ("a.example.org", "a.example.org."),
    "address": ("127.0.0.1", "localhost", "127.0.0.1"),
    "ipv6_address": ("::1", "::1"),
    "other_address": ("127.0.0.2", "127.0.0.1"),
    "address_but_only_names": ("127.0.0.1", "localhost"),
    "ipv4_mapped_is_not_ipv4": ("::ffff:127.0.0.1", "127.0.0.1"),
}
for label, (wanted, *presented) in NAMES.items():
    CASES[label] = lambda wanted=wanted, presented=presented: named(wanted, *presented)


@case
def address_written_as_a_name() -> Case:
    written = x509.DNSName("127.0.0.1")
    return plain(lambda middle: leaf(middle, names=[written]))._replace(server_name="127.0.0.1")


@case
def common_name_without_alternatives() -> Case:
    return plain(lambda middle: leaf(middle, "localhost", names=()))


@case
def empty_subject_and_critical_alternatives() -> Case:
    return plain(lambda middle: leaf(middle, name()))


# What we say instead (None: accepted), and why.
DIFFERENCES: dict[str, tuple[str | None, str]] = {
    "leaf_for_key_encipherment_only": (
        "unsuitable certificate purpose",
        "RFC 8446 §4.4.2.2: in TLS 1.3 the key signs, so its digitalSignature bit must be set",
    ),
    "common_name_without_alternatives": ("hostname mismatch", "RFC 9525 §2: the common name is no name"),
    "wildcard_in_a_label": ("hostname mismatch", "RFC 9525 §6.3: a wildcard is a whole label"),
    "wildcard_for_an_underscore": (None, "curl takes it; names with underscores are in use"),
    "wildcard_that_covers_an_excluded_name": (
        "excluded subtree violation",
        "the certificate is good for a name that its CA must not vouch for",
    ),
    "constraints_on_mail_and_a_mail_address": (
        "unsupported name constraint type",
        "not understood, so refused (RFC 5280 §6.1.4): mail addresses say nothing about servers",
    ),
    "last_second_of_validity": (None, "RFC 5280 §4.1.2.5: notAfter belongs to the validity"),
    "way_through_the_store_is_expired_way_through_the_sent_is_not": (
        None,
        "one way that holds is enough (RFC 4158 §2.2); OpenSSL looks at one way only",
    ),
    "trailing_dot_wanted": (None, "curl takes the dot away, as RFC 9525 §6.3 compares absolute names"),
    "trailing_dot_in_certificate": (None, "as curl does: the dot says only that the name is absolute"),
}


def sha1_leaf(root: Issued) -> Issued:
    made = leaf(root)
    from tls.der import SEQUENCE, DerReader
    from tls.names import _element

    sha256_rsa, sha1_rsa = (
        bytes.fromhex("300d06092a864886f70d01010b0500"),
        bytes.fromhex("300d06092a864886f70d0101050500"),
    )
    tbs = DerReader(made.der).enter(SEQUENCE).read_whole(SEQUENCE).replace(sha256_rsa, sha1_rsa)
    signature = root.key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    der = _element(SEQUENCE, tbs + sha1_rsa + _element(3, b"\0" + signature))
    return Issued(x509.load_der_x509_certificate(der), made.key)


def ours(case: Case) -> str | None:
    """What we say: None, or OpenSSL's words for what is wrong."""
    store = TrustStore.from_pem(b"".join(each.pem for each in case.store))
    chain = [each.certificate for each in case.sent]
    try:
        verify_chain(chain, case.server_name, store, NOW, partial_chain=case.partial_chain)
    except CertificateError as error:
        return error.openssl_text
    return None


def openssl(case: Case, directory: Path) -> str | None:
    """What `openssl verify` says as a TLS client would be told."""
    for file, certificates in (("leaf", case.sent[:1]), ("sent", case.sent[1:]), ("store", case.store)):
        (directory / file).write_bytes(b"".join(each.pem for each in certificates))
    is_address = ":" in case.server_name or case.server_name.replace(".", "").isdigit()
    command = ["openssl", "verify", "-auth_level", "2", "-purpose", "sslserver", "-attime", str(NOW)]
    command += ["-no-CApath", "-no-CAstore", "-CAfile", "store"]
    command += ["-verify_ip" if is_address else "-verify_hostname", case.server_name]
    command += ["-untrusted", "sent"] if case.sent[1:] else []
    command += ["-partial_chain"] if case.partial_chain else []
    done = subprocess.run([*command, "leaf"], cwd=directory, capture_output=True, text=True, timeout=20)
    errors = re.findall(r"^error \d+ at \d+ depth lookup: (.*)$", done.stderr + done.stdout, re.M)
    assert bool(errors) == bool(done.returncode), done
    return errors[0] if errors else None


@pytest.mark.parametrize("label", CASES)
def test_the_verdict_is_openssls(label: str, tmp_path: Path) -> None:
    case = CASES[label]()
    said, theirs = ours(case), openssl(case, tmp_path)
    if label in DIFFERENCES:
        assert said == DIFFERENCES[label][0]
        assert said != theirs, "no difference any more"
    else:
        assert said == theirs


@pytest.mark.slow
def test_names_dates_and_hashes_of_the_systems_roots_are_written_as_openssl_does() -> None:
    bundle = next((path for path in SYSTEM_BUNDLES if Path(path).exists()), None)
    if bundle is None:
        pytest.skip("this system has no bundle of roots")
    asked = ["-subject", "-dates", "-subject_hash", "-nameopt", "sep_semi_plus_space,sname"]
    for der in pem_certificates(Path(bundle).read_bytes())[::4]:
        command = ["openssl", "x509", "-inform", "DER", "-noout", *asked]
        said = subprocess.run(command, input=der, capture_output=True, timeout=20, check=True).stdout
        certificate = Certificate.parse(der)
        assert said.decode("latin-1").splitlines() == [
            f"subject={certificate.subject}",
            f"notBefore={time_text(certificate.not_before)}",
            f"notAfter={time_text(certificate.not_after)}",
            subject_hash(certificate.subject_der),
        ]


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    """A root with an RSASSA-PSS key for SHA-512 and salts of 48 octets and more."""
    folder = tmp_path_factory.mktemp("pss")
    options = ["rsa_keygen_bits:2048", "rsa_pss_keygen_md:sha512", "rsa_pss_keygen_mgf1_md:sha512"]
    options.append("rsa_pss_keygen_saltlen:48")
    words = [word for option in options for word in ("-pkeyopt", option)]
    make = ["openssl", "genpkey", "-algorithm", "RSA-PSS", *words, "-out", "key.pem"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    sign = ["openssl", "req", "-x509", "-key", "key.pem", "-subj", "/CN=Root", "-days", "20000", "-sha512"]
    subprocess.run([*sign, "-out", "root.pem"], cwd=folder, check=True, capture_output=True)
    private = load_pem_private_key((folder / "key.pem").read_bytes(), None)
    return Issued(x509.load_pem_x509_certificate((folder / "root.pem").read_bytes()), private)


@pytest.mark.parametrize(
    ("digest", "salt", "is_good"),
    [
        (hashes.SHA512(), 64, True),
        (hashes.SHA512(), 48, True),
        (hashes.SHA512(), 47, False),
        (hashes.SHA256(), 48, False),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_key_for_pss_signs_with_its_hash_and_salt_only(
    tmp_path: Path, restricted: Issued, digest: hashes.HashAlgorithm, salt: int, is_good: bool
) -> None:
    pss = padding.PSS(padding.MGF1(digest), salt)
    issued = leaf(restricted, digest=digest, padding=pss)
    (tmp_path / "root.pem").write_bytes(restricted.pem)
    (tmp_path / "leaf.pem").write_bytes(issued.pem)
    verify = ["openssl", "verify", "-no_check_time", "-CAfile", "root.pem", "leaf.pem"]
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode == 0) == is_good, done.stderr
    assert issued.certificate.is_signed_by(restricted.certificate) == is_good


def test_the_salt_of_a_signature_is_as_long_as_it_says(tmp_path: Path) -> None:
    private = key("rsa2048")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    root = ca(private_key=private, padding=pss)
    other = private.sign(
        root.certificate.tbs, padding.PSS(padding.MGF1(hashes.SHA256()), 20), hashes.SHA256()
    )
    der = root.der[: -len(other)] + other
    certificate = tmp_path / "root.der"
    certificate.write_bytes(der)
    verify = ["openssl", "verify", "-no_check_time", "-check_ss_sig", "-CAfile", "root.der", "root.der"]
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True)
    forged = Certificate.parse(der)
    assert done.returncode != 0 and not forged.is_signed_by(forged)
    assert root.certificate.is_signed_by(root.certificate)
