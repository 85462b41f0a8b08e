"""Paths: what is found, what is refused with which alert and words, and that no chain costs much."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from cryptography import x509

from tests.fakes.pki import DAY, NOW, Issued, ca, corrupt, issue, key, leaf
from tls.alerts import Alert
from tls.errors import CertificateError
from tls.paths import MAX_PATH, MAX_STEPS, VerifiedPath, verify_chain
from tls.trust import TrustStore


def store_of(*issued: Issued) -> TrustStore:
    return TrustStore.from_pem(b"".join(each.pem for each in issued), "the test's store")


def verify(
    sent: list[Issued], *roots: Issued, server_name: str = "localhost", now: float = NOW
) -> VerifiedPath:
    return verify_chain([each.certificate for each in sent], server_name, store_of(*roots), now)


def refusal(sent: list[Issued], *roots: Issued, **fields: str | float) -> CertificateError:
    with pytest.raises(CertificateError) as caught:
        verify(sent, *roots, **fields)  # type: ignore[arg-type]
    return caught.value


def test_the_path_goes_from_the_leaf_to_the_anchor() -> None:
    root = ca()
    middle = ca("Middle", root)
    end = leaf(middle, names=["*.example.org"])
    found = verify([end, middle], root, server_name="www.example.org")
    assert [c.subject for c in found.path] == ["CN=leaf", "CN=Middle", "CN=Root"]
    assert found.matched_name == "*.example.org"


def test_an_empty_chain_is_a_broken_message() -> None:
    with pytest.raises(CertificateError) as caught:
        verify_chain([], "localhost", store_of(), NOW)
    assert caught.value.alert == Alert.DECODE_ERROR


def fault_rows() -> dict[str, tuple[Callable[[], CertificateError], Alert]]:
    root = ca()
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"")
    return {
        "unable to get local issuer certificate": (lambda: refusal([leaf(root)]), Alert.UNKNOWN_CA),
        "self-signed certificate": (lambda: refusal([leaf(None)]), Alert.UNKNOWN_CA),
        "certificate has expired": (
            lambda: refusal([leaf(root)], root, now=NOW + 2 * DAY),
            Alert.CERTIFICATE_EXPIRED,
        ),
        "certificate is not yet valid": (
            lambda: refusal([leaf(root)], root, now=NOW - 2 * DAY),
            Alert.CERTIFICATE_EXPIRED,
        ),
        "certificate signature failure": (
            lambda: refusal([corrupt(leaf(root))], root),
            Alert.BAD_CERTIFICATE,
        ),
        "unhandled critical extension": (
            lambda: refusal([leaf(root, extra=[(unknown, True)])], root),
            Alert.UNSUPPORTED_CERTIFICATE,
        ),
        "unable to decode issuer public key": (
            lambda: refusal([leaf(root, private_key=key("K-256"))], root),
            Alert.UNSUPPORTED_CERTIFICATE,
        ),
        "hostname mismatch": (
            lambda: refusal([leaf(root)], root, server_name="other"),
            Alert.BAD_CERTIFICATE,
        ),
        "IP address mismatch": (
            lambda: refusal([leaf(root)], root, server_name="::1"),
            Alert.BAD_CERTIFICATE,
        ),
    }


@pytest.mark.parametrize("text", fault_rows())
def test_each_fault_has_its_words_its_alert_and_its_picture(text: str) -> None:
    refuse, alert = fault_rows()[text]
    error = refuse()
    assert (error.openssl_text, error.alert) == (text, alert)
    assert str(error).startswith(f"Certificate: {text}: ")
    assert f"^^^ {text}" in error.diagnosis
    assert "-k " in error.diagnosis


def test_the_picture_shows_each_certificate_and_where_the_chain_breaks() -> None:
    root = ca()
    middle = ca("Middle", root)
    error = refusal(
        [leaf(middle, names=["a.test", "127.0.0.1"]), middle], ca("Another"), server_name="a.test"
    )
    assert error.diagnosis.splitlines() == [
        "The server at 'a.test' sent 2 certificates:",
        "   0  CN=leaf",
        "      issuer  CN=Middle",
        "      valid   Jan 14 08:00:00 2027 GMT to Jan 16 08:00:00 2027 GMT",
        "      names   a.test, 127.0.0.1",
        "   1  CN=Middle",
        "      issuer  CN=Root",
        "      valid   Jan 14 08:00:00 2027 GMT to Jan 16 08:00:00 2027 GMT",
        "      names   (none)",
        "      ^^^ unable to get local issuer certificate:"
        " CN=Root was not sent and is not in the test's store",
        "--cacert FILE   trusts the certificates in FILE, such as the issuer missing here",
        "-k   goes on without checking who the server is",
    ]


def test_a_certificate_sent_twice_is_marked_once() -> None:
    root = ca()
    end = leaf(root)
    assert refusal([end, end], root, server_name="other").diagnosis.count("^^^") == 1


def test_the_picture_of_a_wrong_name_says_which_would_be_right() -> None:
    root = ca()
    error = refusal([leaf(root, names=["www.example.org"])], root, server_name="10.0.0.1")
    assert "--resolve www.example.org:PORT:ADDRESS" in error.diagnosis
    assert "IP address mismatch: none of its names covers '10.0.0.1'" in error.diagnosis


def test_the_picture_shows_a_root_that_was_not_sent() -> None:
    root = ca(not_after=NOW - 1)
    error = refusal([leaf(root)], root)
    assert "and the test's store has:\n   *  CN=Root\n" in error.diagnosis
    assert "the clock of this machine says Jan 15 08:00:00 2027 GMT" in error.diagnosis


def test_control_characters_of_a_hostile_certificate_do_not_reach_the_terminal() -> None:
    error = refusal([leaf(None, "\x1b]0;owned\x07", names=[x509.DNSName("a\x1b[2J")])])
    assert "\x1b" not in error.diagnosis + str(error)
    assert "\\1B]0;owned\\07" in error.diagnosis


def test_a_break_at_the_anchor_says_more_than_a_dead_end() -> None:
    expired = ca("Root", not_after=NOW - 1, private_key=key("P-256", 1))
    cross = ca("Root", ca("Nobody knows"), private_key=key("P-256", 1))
    assert refusal([leaf(expired), cross], expired).openssl_text == "certificate has expired"


# Chains made to be dear. Each ends within a second, whatever the verdict.


def same_subject_same_key(count: int) -> tuple[list[Issued], list[Issued]]:
    twins = [ca("Twin", private_key=key("P-256", 40)) for _ in range(count)]
    twins = [ca("Twin", twins[0], private_key=key("P-256", 40), key_ids=False) for _ in twins]
    return [leaf(twins[0], key_ids=False), *twins], [ca()]


def same_subject_other_keys(count: int) -> tuple[list[Issued], list[Issued]]:
    signer = ca("Twin", private_key=key("P-256", 50), key_ids=False)
    twins = [ca("Twin", signer, private_key=key("P-256", 50 + n), key_ids=False) for n in range(count)]
    return [leaf(signer, key_ids=False), *twins], [ca("Twin", key_ids=False)]


def mesh(count: int) -> tuple[list[Issued], list[Issued]]:
    """Few entities, each certified by each: every order of them is a path."""
    entities = [ca(f"CA {n}", private_key=key("P-256", 60 + n), key_ids=False) for n in range(3)]
    crosses = [
        ca(f"CA {n}", by, private_key=key("P-256", 60 + n), key_ids=False)
        for n in range(3)
        for by in entities
        if by is not entities[n]
    ]
    return [leaf(entities[0], key_ids=False), *(crosses * count)], [ca()]


def long_chain(count: int) -> tuple[list[Issued], list[Issued]]:
    root = above = ca()
    sent = []
    for number in range(count):
        above = ca(f"CA {number}", above)
        sent.insert(0, above)
    return [leaf(above), *sent], [root]


def loop(count: int) -> tuple[list[Issued], list[Issued]]:
    one = ca("One", private_key=key("P-256", 70), key_ids=False)
    two = ca("Two", one, private_key=key("P-256", 71), key_ids=False)
    back = ca("One", two, private_key=key("P-256", 70), key_ids=False)
    return [leaf(one, key_ids=False), *([back, two] * count)], [ca()]


def many_roots_of_one_name(count: int) -> tuple[list[Issued], list[Issued]]:
    roots = [ca("Twin", private_key=key("P-384", n), key_ids=False) for n in range(count)]
    return [leaf(ca("Twin", key_ids=False), key_ids=False)], roots


@pytest.mark.parametrize("count", [4, 10, 100])
@pytest.mark.parametrize(
    "build", [same_subject_same_key, same_subject_other_keys, mesh, long_chain, loop, many_roots_of_one_name]
)
def test_a_hostile_chain_is_refused_within_a_second(
    build: Callable[[int], tuple[list[Issued], list[Issued]]], count: int
) -> None:
    sent, roots = build(count)
    chain, store = [each.certificate for each in sent], store_of(*roots)
    begin = time.process_time()
    if build is long_chain and count < MAX_PATH - 1:
        verify_chain(chain, "localhost", store, NOW)
    else:
        with pytest.raises(CertificateError):
            verify_chain(chain, "localhost", store, NOW)
    assert time.process_time() - begin < 1


def test_the_right_one_of_many_roots_of_one_name_is_found() -> None:
    roots = [ca("Twin", private_key=key("P-256", 80 + n), key_ids=False) for n in range(20)]
    assert verify([leaf(roots[13], key_ids=False)], *roots).path[-1] == roots[13].certificate


def test_the_largest_keys_keep_the_whole_budget_within_a_second() -> None:
    """MAX_STEPS checks with the dearest key that is let in: 16384 bits, exponent of 33."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    modulus = (1 << 16_383) + (1 << 9_000) + 12_345
    dear = rsa.RSAPublicNumbers((1 << 33) - 1, modulus).public_key()
    begin = time.process_time()
    for _ in range(10):
        with pytest.raises(InvalidSignature):
            dear.verify(bytes(2047) + b"\2", b"", padding.PKCS1v15(), hashes.SHA256())
    assert (time.process_time() - begin) / 10 * MAX_STEPS < 1


def test_names_times_constraints_have_a_bound() -> None:
    subtrees = [x509.DNSName(f"c{n}.test") for n in range(400)]
    root = ca()
    middle = ca("Middle", root, constraints=x509.NameConstraints(None, subtrees))
    end = leaf(middle, names=[f"n{n}.test" for n in range(400)])
    begin = time.process_time()
    assert refusal([end, middle], root).openssl_text == "unspecified certificate verification error"
    assert time.process_time() - begin < 1


def test_an_enormous_name_is_compared_within_the_bound() -> None:
    from cryptography.x509.oid import NameOID

    huge = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x" * 60)] * 1000)
    sent = [issue("leaf", ca("A"), issuer=huge, names=["localhost"])] + [
        ca(f"B{n}", ca("C"), issuer=huge) for n in range(9)
    ]
    begin = time.process_time()
    refusal(sent, ca())
    assert time.process_time() - begin < 1
