"""Trust stores: reading, finding, and where the system's is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.pki import ca, issue, name
from tls.errors import UsageError
from tls.trust import TrustStore, pem_certificates, subject_hash, subject_of


def test_a_certificate_is_found_by_its_subject() -> None:
    roots = [ca(f"Root {n}") for n in range(3)]
    store = TrustStore.from_pem(b"text before\n" + b"and between\n".join(root.pem for root in roots))
    assert len(store) == 3
    assert store.find(roots[1].certificate.subject_der) == [roots[1].certificate]
    assert store.find(ca("Other").certificate.subject_der) == []


def test_a_subject_in_another_case_is_found_alike() -> None:
    root = ca("Some Root")
    store = TrustStore.from_pem(root.pem)
    other = name("SOME  root").public_bytes()
    assert store.find(other) == []
    assert store.find_alike(other) == [root.certificate]


def test_broken_certificates_are_skipped_and_counted() -> None:
    good, cut = ca("Good"), ca("Cut")
    no_base64 = b"-----BEGIN CERTIFICATE-----\n!A\n-----END CERTIFICATE-----\n"
    no_der = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    store = TrustStore.from_pem(no_base64 + no_der + good.pem)
    assert (len(store), store.skipped) == (1, 2)
    broken = bytearray(cut.der)
    broken[-len(cut.certificate.signature) - 3] ^= 0xFF  # found out only when it is read in full
    store.add(bytes(broken))
    assert store.find(cut.certificate.subject_der) == []
    assert (len(store), store.skipped) == (1, 3)


def test_the_subject_is_taken_without_reading_the_rest() -> None:
    old = ca("Old")
    assert subject_of(old.der) == old.certificate.subject_der


def test_older_pem_labels_are_read() -> None:
    root = ca()
    assert pem_certificates(root.pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE")) == [root.der]


def test_a_file_without_certificates_is_the_callers_mistake(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_bytes(b"nothing here")
    with pytest.raises(UsageError, match="no certificate in"):
        TrustStore.from_file(str(tmp_path / "empty.pem"))
    with pytest.raises(FileNotFoundError):
        TrustStore.from_file(str(tmp_path / "missing.pem"))


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    root = ca("In the file")
    (tmp_path / "roots.pem").write_bytes(root.pem)
    store = TrustStore.system({"SSL_CERT_FILE": str(tmp_path / "roots.pem")})
    assert len(store) == 1 and store.description == str(tmp_path / "roots.pem")
    assert store.find(root.certificate.subject_der) == [root.certificate]


def test_the_environment_names_directories_hashed_or_plain(tmp_path: Path) -> None:
    hashed, plain = tmp_path / "hashed", tmp_path / "plain"
    hashed.mkdir(), plain.mkdir()
    one, two, three = ca("One"), issue("One", ca("Two"), is_ca=True), ca("Three")
    prefix = subject_hash(one.certificate.subject_der)
    (hashed / f"{prefix}.0").write_bytes(one.pem)
    (hashed / f"{prefix}.1").write_bytes(two.pem)
    (hashed / f"{prefix}.3").write_bytes(three.pem)  # after a gap: not looked at, as with OpenSSL
    (plain / "three.crt").write_bytes(three.pem)
    (plain / "readme.txt").write_bytes(two.pem)
    store = TrustStore.system({"SSL_CERT_DIR": f"{hashed}:{plain}:{tmp_path / 'missing'}"})
    assert store.description == f"{hashed} and {plain} and {tmp_path / 'missing'}"
    assert store.find(name("ONE").public_bytes()) == [one.certificate, two.certificate]
    assert store.find(three.certificate.subject_der) == [three.certificate]
    assert store.find(ca("Two").certificate.subject_der) == []


def test_what_the_system_trusts_can_all_be_read() -> None:
    store = TrustStore.system({})
    pem = Path(store.description).read_bytes()
    for der in pem_certificates(pem):
        assert store.find(subject_of(der))
    assert len(store) > 50 and store.skipped == 0


def test_a_store_takes_all_of_another(tmp_path: Path) -> None:
    one, other, both, hashed = ca("One"), ca("Other"), ca("Both"), ca("Hashed")
    (tmp_path / f"{subject_hash(hashed.certificate.subject_der)}.0").write_bytes(hashed.pem)
    store, more = (
        TrustStore.from_pem(one.pem + both.pem, "mine"),
        TrustStore.from_pem(other.pem + both.pem, "theirs"),
    )
    more.add_directory(str(tmp_path))
    store.add_store(more)
    for root in (one, other, both, hashed):
        assert store.find(root.certificate.subject_der) == [root.certificate]
    assert (len(store), store.description) == (3, f"mine and theirs and {tmp_path}")
    assert store.find_alike(name("OTHER").public_bytes()) == [other.certificate]
