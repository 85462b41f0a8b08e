"""Names of suites, groups and signatures: which are known, which are passed over, which spoil a list."""

from __future__ import annotations

import pytest

from pycurl_redox import tls_names
from pycurl_redox.cipher_list import CipherListError, read_cipher_list
from pycurl_redox.errors import CipherError, FetchError, TlsFailedError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("TLS_AES_128_GCM_SHA256", (0x1301,)),
        ("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384", (0x1303, 0x1302)),
        ("FOO:TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256", (0x1301,)),
        ("TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256", (0x1301,)),
    ],
)
def test_suites_of_tls_1_3(text: str, found: tuple[int, ...]) -> None:
    assert tls_names.suites(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("X25519", (0x1D,)),
        ("x25519", (0x1D,)),
        ("X25519MLKEM768:X25519", (0x11EC, 0x1D)),
        ("P-256:secp384r1:P-521", (0x17, 0x18, 0x19)),
        ("prime256v1", (0x17,)),
        ("X448:X25519: P-256", (0x1E, 0x1D, 0x17)),
        ("x448:SecP256r1MLKEM768", (0x1E, 0x11EB)),
        ("brainpoolP256r1:B-163:X25519", (0x1D,)),
    ],
)
def test_groups(text: str, found: tuple[int, ...]) -> None:
    assert tls_names.groups(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ed25519", (0x0807,)),
        ("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha512", (0x0403, 0x0806)),
        ("ECDSA+SHA384:RSA-PSS+SHA256:PSS+sha512", (0x0503, 0x0804, 0x0806)),
        ("RSA+SHA256:rsa_pkcs1_sha512:ed448", (0x0401, 0x0601, 0x0808)),
    ],
)
def test_signatures(text: str, found: tuple[int, ...]) -> None:
    assert tls_names.schemes(text) == found


FAULTS = [
    (tls_names.suites, "FOO", 59, "failed setting TLS 1.3 cipher suite: FOO"),
    (tls_names.suites, "ECDHE-RSA-AES128-SHA", 59, "failed setting TLS 1.3 cipher suite"),
    (tls_names.suites, "", 35, "none of these suites"),
    (tls_names.suites, "TLS_AES_128_CCM_SHA256", 35, "none of these suites"),
    (tls_names.groups, "X25519:FOO", 59, "failed setting curves list: 'X25519:FOO'"),
    (tls_names.groups, "", 59, "failed setting curves list: ''"),
    (tls_names.groups, "X25519:", 59, "failed setting curves list"),
    (tls_names.groups, "P-256:prime256v1", 59, "failed setting curves list"),
    (tls_names.groups, "p-256", 59, "failed setting curves list"),
    (tls_names.groups, "FFDHE2048:X25519", 59, "failed setting curves list"),
    (tls_names.groups, "ffdhe3072:ffdhe2048", 35, "none of these groups"),
    (tls_names.schemes, "FOO:ed25519", 59, "failed setting signature algorithms: 'FOO:ed25519'"),
    (tls_names.schemes, "", 59, "failed setting signature algorithms: ''"),
    (tls_names.schemes, "ed25519:ed25519", 59, "failed setting signature algorithms"),
    (tls_names.schemes, "ECDSA+SHA256:ecdsa_secp256r1_sha256", 59, "failed setting signature algorithms"),
    (tls_names.schemes, "ecdsa+SHA256", 59, "failed setting signature algorithms"),
    (tls_names.schemes, "ED25519", 59, "failed setting signature algorithms"),
    (tls_names.schemes, "ECDSA+MD5", 59, "failed setting signature algorithms"),
    (tls_names.schemes, "RSA+SHA1:ecdsa_sha224", 35, "none of these is a signature that is known here"),
    (tls_names.suites_12, "FOO", 59, "failed setting cipher list: FOO"),
    (tls_names.suites_12, "", 59, "failed setting cipher list: "),
    (tls_names.suites_12, "TLS_AES_128_GCM_SHA256", 59, "failed setting cipher list"),
]


@pytest.mark.parametrize(("read", "text", "code", "message"), FAULTS)
def test_a_list_that_is_of_no_use_is_refused(read, text: str, code: int, message: str) -> None:
    with pytest.raises(FetchError) as caught:
        read(text)
    assert isinstance(caught.value, CipherError if code == 59 else TlsFailedError)
    assert caught.value.exit_code == code and message in str(caught.value)


def test_a_list_for_tls_1_2_is_taken() -> None:
    tls_names.suites_12("HIGH:!aNULL:!MD5")


# Cipher lists; all of the language beside OpenSSL is in tests/interop/test_openssl_ciphers.py ------------


def names(text: str) -> list[str]:
    return [suite.name for suite in read_cipher_list(text)]


def test_a_suite_has_its_number_and_its_properties() -> None:
    (suite,) = read_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert suite.code == 0xC02B
    assert (suite.exchange, suite.auth, suite.cipher, suite.mac) == ("ECDHE", "ECDSA", "AESGCM128", "AEAD")
    assert (suite.version, suite.strength) == ("TLSv1.2", 128)


def test_the_order_is_that_of_the_list() -> None:
    assert names("AES128-SHA:FOO:AES256-SHA") == ["AES128-SHA", "AES256-SHA"]
    assert names("AES256-SHA AES128-SHA,AES128-SHA") == ["AES256-SHA", "AES128-SHA"]


def test_rules_take_out_for_good_or_for_now() -> None:
    assert names("AES128-SHA:AES256-SHA:-AES128-SHA:AES128-SHA") == ["AES256-SHA", "AES128-SHA"]
    assert names("AES128-SHA:AES256-SHA:!AES128-SHA:AES128-SHA") == ["AES256-SHA"]
    assert names("AES128-SHA:AES256-SHA:+AES128-SHA") == ["AES256-SHA", "AES128-SHA"]
    assert names("AES128-SHA:AES256-SHA:@STRENGTH") == ["AES256-SHA", "AES128-SHA"]


def test_a_plus_between_names_is_what_both_have() -> None:
    assert names("aNULL+ECDH+AES") == ["AECDH-AES256-SHA", "AECDH-AES128-SHA"]
    assert names("kRSA+AESGCM") == ["AES256-GCM-SHA384", "AES128-GCM-SHA256"]


@pytest.mark.parametrize(
    "text", ["HIGH/AES", "HIGH:@FOO", "HIGH:@SECLEVEL=9", "+", "HIGH:-", "ALL:-ALL", "!ALL"]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(CipherListError):
        read_cipher_list(text)
