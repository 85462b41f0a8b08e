"""What `--tls13-ciphers`, `--curves`, `--sigalgs` and `--ciphers` name, in OpenSSL's words, as numbers.

Where curl cannot use a list the error is curl's, with exit code 59. Names that OpenSSL knows and this client
does not speak are passed over; a list of nothing but those is refused with 35, as a handshake would be.
"""

from __future__ import annotations

from pycurl_redox.errors import CipherError, TlsFailedError
from tls.config import (
    CIPHER_SUITE_NAMES,
    ECDSA_SECP256R1_SHA256,
    ECDSA_SECP384R1_SHA384,
    ECDSA_SECP521R1_SHA512,
    GROUP_NAMES,
    RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512,
    RSA_PSS_RSAE_SHA256,
    RSA_PSS_RSAE_SHA384,
    RSA_PSS_RSAE_SHA512,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    SIGNATURE_SCHEME_NAMES,
    X448,
    X25519,
    TlsConfig,
)

SUITES_12 = frozenset(TlsConfig().cipher_suites_12)
SUITES_ELSEWHERE = ("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256")

GROUP_ALIASES = {
    "P-256": SECP256R1,
    "prime256v1": SECP256R1,
    "P-384": SECP384R1,
    "P-521": SECP521R1,
    "X25519": X25519,
    "X448": X448,
}
_GROUPS = (
    "ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192 "
    "brainpoolP256r1 brainpoolP384r1 brainpoolP512r1 "
    "secp160k1 secp160r1 secp160r2 secp192k1 secp192r1 prime192v1 secp224k1 secp224r1 secp256k1 "
    "sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1 sect239k1 sect283k1 sect283r1 "
    "sect409k1 sect409r1 sect571k1 sect571r1 P-192 P-224 K-163 B-163 K-233 B-233 K-283 B-283 K-409 B-409 "
    "K-571 B-571"
)
GROUPS_ELSEWHERE = frozenset(_GROUPS.split())
"""Groups that OpenSSL has a name for, of TLS 1.3 (RFC 8446 §4.2.7) and older."""

SIGNATURE_ALIASES = {
    "ECDSA+SHA256": ECDSA_SECP256R1_SHA256,
    "ECDSA+SHA384": ECDSA_SECP384R1_SHA384,
    "ECDSA+SHA512": ECDSA_SECP521R1_SHA512,
    "RSA+SHA256": RSA_PKCS1_SHA256,
    "RSA+SHA384": RSA_PKCS1_SHA384,
    "RSA+SHA512": RSA_PKCS1_SHA512,
    "RSA-PSS+SHA256": RSA_PSS_RSAE_SHA256,
    "RSA-PSS+SHA384": RSA_PSS_RSAE_SHA384,
    "RSA-PSS+SHA512": RSA_PSS_RSAE_SHA512,
}
SIGNATURES_ELSEWHERE = {
    f"{kind}_{digest}": f"{key}+{digest.upper()}"
    for kind, key, digests in (
        ("rsa_pkcs1", "RSA", ("sha256", "sha384", "sha512", "sha224", "sha1")),
        ("ecdsa", "ECDSA", ("sha224", "sha1")),
        ("dsa", "DSA", ("sha256", "sha384", "sha512", "sha224", "sha1")),
    )
    for digest in digests
}
"""Schemes of TLS 1.2, by both their names."""


def suites(text: str) -> tuple[int, ...]:
    """Read `--tls13-ciphers`: names that are not known are passed over, as long as one is."""
    numbers = {name: number for number, name in CIPHER_SUITE_NAMES.items() if name.startswith("TLS_")}
    words = text.split(":")
    found = tuple(numbers[word] for word in words if word in numbers)
    if not found:
        if not text or any(word in SUITES_ELSEWHERE for word in words):
            raise TlsFailedError(f"TLS: --tls13-ciphers {text}: none of these suites is spoken here")
        raise CipherError(f"failed setting TLS 1.3 cipher suite: {text}")
    return tuple(dict.fromkeys(found))


def groups(text: str) -> tuple[int, ...]:
    """Read `--curves`; a name that OpenSSL does not know, or one twice, spoils the list."""
    numbers = {name: number for number, name in GROUP_NAMES.items()} | GROUP_ALIASES
    words = [word.lstrip() for word in text.split(":")]
    found = [numbers[word] for word in words if word in numbers]
    if not all(word in numbers or word in GROUPS_ELSEWHERE for word in words) or _has_doubles(words, found):
        raise CipherError(f"failed setting curves list: '{text}'")
    if not found:
        raise TlsFailedError(f"TLS: --curves {text}: none of these groups is spoken here")
    return tuple(found)


def schemes(text: str) -> tuple[int, ...]:
    """Read `--sigalgs`: schemes by TLS 1.3's names, or KEY+HASH; all must be known, none twice."""
    numbers = {name: number for number, name in SIGNATURE_SCHEME_NAMES.items()}
    words = [_usual(word.strip()) for word in text.split(":")]
    known = numbers | SIGNATURE_ALIASES
    found = [known[word] for word in words if word in known]
    elsewhere = SIGNATURES_ELSEWHERE.values()
    if not all(word in known or word in elsewhere for word in words) or _has_doubles(words, found):
        raise CipherError(f"failed setting signature algorithms: '{text}'")
    if not found:
        raise TlsFailedError(f"TLS: --sigalgs {text}: none of these is a signature that is known here")
    return tuple(found)


def suites_12(text: str) -> tuple[int, ...]:
    """Read `--ciphers`: the suites of TLS 1.2 that are spoken here, in its order, be they none."""
    from pycurl_redox.cipher_list import CipherListError, read_cipher_list

    try:
        chosen = read_cipher_list(text)
    except CipherListError as error:
        raise CipherError(f"failed setting cipher list: {text}") from error
    return tuple(suite.code for suite in chosen if suite.code in SUITES_12)


def _usual(scheme: str) -> str:
    """One spelling of what has several."""
    key, plus, digest = scheme.partition("+")
    if plus:
        return f"{'RSA-PSS' if key == 'PSS' else key}+{digest.upper()}"
    return SIGNATURES_ELSEWHERE.get(scheme, scheme)


def _has_doubles(words: list[str], numbers: list[int]) -> bool:
    return len(set(words)) < len(words) or len(set(numbers)) < len(numbers)
