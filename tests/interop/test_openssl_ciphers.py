"""The language of `--ciphers` beside `openssl ciphers`: the same suites in the same order."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from pycurl_redox.cipher_list import CLASSES, CipherListError, read_cipher_list

VERSION = (
    subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout
    if shutil.which("openssl")
    else ""
)

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(not VERSION.startswith("OpenSSL 3.0"), reason="the suites are those of OpenSSL 3.0"),
]

LISTS = """
DEFAULT
DEFAULT:!AES
DEFAULT@SECLEVEL=1
DEFAULTx
HIGH:DEFAULT
HIGH:!aNULL
HIGH:MEDIUM:!SSLv2
HIGH:-AES:AES128
HIGH:+AES256
ALL:@STRENGTH
PSK:@STRENGTH:AES
HIGH@STRENGTH
ALL:eNULL:-ALL:ALL
HIGH/AES
HIGH+
HIGH:+
+
HIGH+!AES
FOO+AES:AES
AES+FOO
AES+SHA
RSA+ECDHE
AES+AES128-SHA
AES128+AES256
HIGH:-
@FOO
HIGH:@FOO
HIGH:@SECLEVEL=9
HIGH:@SECLEVEL=
@SECLEVEL=2:HIGH:!MD5
SUITEB128
SUITEB192
SUITEB128ONLY
AES128-SHA:AES256-SHA
AES128-SHA:-AES128-SHA:AES
HIGH::AES
HIGH;aNULL,eNULL AES
TLS_AES
HIGH:AES_X
ECDHE+AESGCM:ECDHE+CHACHA20:!aRSA
default
TLSv1.1
RC4
EECDH+ECDSA+AESGCM EECDH+aRSA+AESGCM EECDH+ECDSA+SHA384 !aNULL !eNULL !LOW !3DES !PSK !SRP !RC4
"""
WRITTEN = LISTS.strip().split("\n")


def made_up(number: int) -> str:
    """A list of classes by chance, the same for each number."""
    chance = random.Random(number)
    words = [*CLASSES, "FOO", "AES128-SHA", "ECDHE-RSA-AES128-SHA"]
    rules = [
        chance.choice(["", "", "", "-", "+", "!"])
        + "+".join(chance.sample(words, chance.choice([1, 1, 2, 3])))
        for _ in range(chance.randint(1, 5))
    ]
    return ":".join(["", *rules]) + chance.choice(["", ":@STRENGTH"])  # a first "-" would be an option


def openssls(text: str) -> list[str]:
    done = subprocess.run(["openssl", "ciphers", text], capture_output=True, text=True)
    return [name for name in done.stdout.strip().split(":") if name and not name.startswith("TLS_")]


def ours(text: str) -> list[str]:
    try:
        return [suite.name for suite in read_cipher_list(text)]
    except CipherListError:
        return []


def test_lists_are_read_as_openssl_reads_them() -> None:
    for text in [*WRITTEN, *CLASSES, *map(made_up, range(100))]:
        assert ours(text) == openssls(text), text


def test_each_suite_is_what_openssl_says_it_is() -> None:
    done = subprocess.run(
        ["openssl", "ciphers", "-V", "ALL:eNULL@SECLEVEL=0"], capture_output=True, text=True
    )
    theirs = {}
    for line in done.stdout.splitlines():
        number, _, name, version, *_ = line.split()
        theirs[name] = int(number.replace("0x", "").replace(",", ""), 16), version
    for suite in read_cipher_list("ALL:eNULL"):
        assert theirs[suite.name] == (suite.code, suite.version), suite.name
