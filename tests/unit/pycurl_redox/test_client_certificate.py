"""What `-E` and `--key` name: each form is read, each fault has curl's words, no secret is told."""

from __future__ import annotations

import io
import os
import pty
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from pycurl_redox.client_certificate import PROMPT, ask_at_the_terminal, load
from pycurl_redox.config import OperationConfig
from pycurl_redox.errors import ClientCertificateError
from pycurl_redox.option_actions import split_certificate
from pycurl_redox.tls_options import TlsOptions, proxy_options, server_options
from tests.fakes import pki
from tls.config import ClientCertificate

SECRET = "a pass phrase"
CA = pki.ca("CA")
FORMATS = serialization.PrivateFormat


def encoded(
    key: object, form: FORMATS = FORMATS.PKCS8, password: str | None = None, der: bool = False
) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password.encode())
    encoding = serialization.Encoding.DER if der else serialization.Encoding.PEM
    return key.private_bytes(encoding, form, encryption)  # type: ignore[attr-defined]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of a P-256 certificate, its key and others, each in every form."""
    monkeypatch.chdir(tmp_path)
    issued = pki.issue("client", CA)
    other = pki.key("P-256", 77)
    rsa = pki.issue("rsa", CA, private_key=pki.key("rsa2048"))
    files = {
        "c.pem": issued.pem,
        "c.der": issued.der,
        "k.pem": encoded(issued.key),
        "k.der": encoded(issued.key, der=True),
        "sec1.pem": encoded(issued.key, FORMATS.TraditionalOpenSSL),
        "both.pem": issued.pem + CA.pem + encoded(issued.key),
        "key first.pem": encoded(issued.key) + issued.pem,
        "locked.pem": issued.pem + encoded(issued.key, password=SECRET),
        "locked.der": encoded(issued.key, password=SECRET, der=True),
        "old locked.pem": issued.pem + encoded(issued.key, FORMATS.TraditionalOpenSSL, SECRET),
        "other.pem": encoded(other),
        "rsa.pem": rsa.pem + encoded(rsa.key),
        "rsa1.pem": rsa.pem + encoded(rsa.key, FORMATS.TraditionalOpenSSL, SECRET),
        "garbage": b"nothing in here",
        "bad.pem": b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        "bad key.pem": b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
        "huge": b" " * ((1 << 20) + 1),
    }
    for name, password in (("c.p12", SECRET), ("open.p12", None)):
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password.encode())
        files[name] = pkcs12.serialize_key_and_certificates(
            b"me", issued.key, issued.x509, [CA.x509], encryption
        )
    files["keyless.p12"] = pkcs12.serialize_key_and_certificates(
        b"me", None, issued.x509, None, serialization.NoEncryption()
    )
    files["certless.p12"] = pkcs12.serialize_key_and_certificates(
        b"me", issued.key, None, None, serialization.NoEncryption()
    )
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def loaded(**fields: str) -> ClientCertificate:
    found = load(TlsOptions(**fields))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_without_a_file_there_is_none() -> None:
    assert load(TlsOptions(key="k.pem", cert_type="P12")) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"cert": "both.pem"},
        {"cert": "key first.pem"},
        {"cert": "c.pem", "key": "k.pem"},
        {"cert": "c.pem", "key": "sec1.pem"},
        {"cert": "c.pem", "key": "k.der", "key_type": "der"},
        {"cert": "c.der", "cert_type": "DER", "key": "k.pem"},
        {"cert": "c.der", "cert_type": "der", "key": "k.der", "key_type": "DER"},
        {"cert": "locked.pem", "passphrase": SECRET},
        {"cert": "old locked.pem", "passphrase": SECRET},
        {"cert": "c.pem", "key": "locked.der", "key_type": "DER", "passphrase": SECRET},
        {"cert": "both.pem", "passphrase": "not needed"},
        {"cert": "both.pem", "key_type": "FOO"},
        {"cert": "c.p12", "cert_type": "P12", "passphrase": SECRET},
        {"cert": "c.p12", "cert_type": "p12", "passphrase": SECRET, "key": "other.pem"},
        {"cert": "open.p12", "cert_type": "P12"},
    ],
    ids=str,
)
def test_each_form_is_read(folder: Path, fields: dict[str, str]) -> None:
    mine = loaded(**fields)
    assert mine.chain[0] == (folder / "c.der").read_bytes()
    assert mine.signer.schemes == (0x0403,)
    public_key = x509.load_der_x509_certificate(mine.chain[0]).public_key()
    from tls.crypto import verify_signature

    assert verify_signature(public_key, 0x0403, mine.signer.sign(0x0403, b"content"), b"content")


@pytest.mark.parametrize(
    "fields", [{"cert": "both.pem"}, {"cert": "c.p12", "cert_type": "P12", "passphrase": SECRET}]
)
def test_the_chain_goes_along(folder: Path, fields: dict[str, str]) -> None:
    assert loaded(**fields).chain[1:] == (CA.der,)


def test_an_rsa_key_is_read_too(folder: Path) -> None:
    assert loaded(cert="rsa.pem").signer.schemes == (0x0804, 0x0805, 0x0806)
    assert loaded(cert="rsa1.pem", passphrase=SECRET).signer.schemes[0] == 0x0804


NO_PEM = "could not load PEM client certificate from {}, OpenSSL error error:{}, "
NO_PEM += "(no key found, wrong pass phrase, or wrong file format?)"
NO_KEY = "unable to set private key file: '{}' type {}"
NO_PKCS12 = (
    "could not parse PKCS12 file, check password, OpenSSL error "
    "error:11800071:PKCS12 routines::mac verify failure"
)


@pytest.mark.parametrize(
    ("fields", "text", "reason"),
    [
        (
            {"cert": "none"},
            NO_PEM.format("none", "80000002:system library::No such file or directory"),
            "",
        ),
        ({"cert": "k.pem"}, NO_PEM.format("k.pem", "0480006C:PEM routines::no start line"), ""),
        ({"cert": "garbage"}, NO_PEM.format("garbage", "0480006C:PEM routines::no start line"), ""),
        (
            {"cert": "c.pem", "cert_type": "DER"},
            NO_PEM.format("c.pem", "068000A8:asn1 encoding routines::wrong tag").replace("PEM", "ASN1"),
            "",
        ),
        ({"cert": "c.pem"}, NO_KEY.format("c.pem", "PEM"), "there is none in the file"),
        ({"cert": "c.der", "cert_type": "DER"}, NO_KEY.format("c.der", "PEM"), "there is none in the file"),
        ({"cert": "c.pem", "key": "none"}, NO_KEY.format("none", "PEM"), "No such file or directory"),
        ({"cert": "c.pem", "key": "bad key.pem"}, NO_KEY.format("bad key.pem", "PEM"), "not readable"),
        ({"cert": "c.pem", "key": "huge"}, NO_KEY.format("huge", "PEM"), "longer than 1048576 octets"),
        (
            {"cert": "c.pem", "key": "k.pem", "key_type": "der"},
            NO_KEY.format("k.pem", "der"),
            "not readable",
        ),
        ({"cert": "c.pem", "key": "other.pem"}, NO_KEY.format("other.pem", "PEM"), "not the key of the"),
        (
            {"cert": "c.pem", "key": "rsa.pem"},
            "Private key does not match the certificate public key",
            "",
        ),
        ({"cert": "locked.pem"}, NO_KEY.format("locked.pem", "PEM"), "there is no pass phrase; --pass"),
        (
            {"cert": "locked.pem", "passphrase": "wrong"},
            NO_KEY.format("locked.pem", "PEM"),
            "the pass phrase is wrong; --pass",
        ),
        (
            {"cert": "old locked.pem", "passphrase": "wrong"},
            NO_KEY.format("old locked.pem", "PEM"),
            "the pass phrase is wrong",
        ),
        ({"cert": "c.p12", "cert_type": "P12"}, NO_PKCS12, ""),
        ({"cert": "c.p12", "cert_type": "P12", "passphrase": "wrong"}, NO_PKCS12, ""),
        ({"cert": "none", "cert_type": "P12"}, "could not open PKCS12 file 'none'", ""),
        ({"cert": "c.pem", "cert_type": "P12"}, "error reading PKCS12 file 'c.pem'", ""),
        (
            {"cert": "keyless.p12", "cert_type": "P12"},
            "unable to use private key from PKCS12 file 'keyless.p12'",
            "there is none in the file",
        ),
        (
            {"cert": "certless.p12", "cert_type": "P12"},
            "could not load PKCS12 client certificate",
            "there is none in the file",
        ),
        ({"cert": "c.pem", "cert_type": "FOO"}, "not supported file type 'FOO' for certificate", ""),
        ({"cert": "c.pem", "cert_type": "ENG"}, "crypto engine not set, can't load certificate", ""),
        ({"cert": "pkcs11:token=x"}, "SSL Engine 'pkcs11' not found", ""),
        (
            {"cert": "c.pem", "key": "k.pem", "key_type": "ENG"},
            "crypto engine not set, can't load private key",
            "",
        ),
        (
            {"cert": "c.pem", "key": "k.pem", "key_type": "P12"},
            "file type P12 for private key not supported",
            "",
        ),
        (
            {"cert": "c.pem", "key": "k.pem", "key_type": "FOO"},
            "not supported file type for private key",
            "",
        ),
    ],
    ids=str,
)
def test_each_fault_has_curls_words_and_then_its_reason(
    folder: Path, fields: dict[str, str], text: str, reason: str
) -> None:
    with pytest.raises(ClientCertificateError) as caught:
        loaded(**fields)
    assert caught.value.exit_code == 58
    first, _, rest = str(caught.value).partition("\n")
    assert first == text
    assert reason in rest and bool(reason) == bool(rest)


def test_a_certificate_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(ClientCertificateError, match=r"from bad\.pem"):
        loaded(cert="bad.pem")


# Pass phrases -------------------------------------------------------------------------------------------


def answering(*answers: bytes | None) -> tuple[Callable[[str], bytes | None], list[str]]:
    asked: list[str] = []

    def ask(prompt: str) -> bytes | None:
        asked.append(prompt)
        return answers[len(asked) - 1]

    return ask, asked


@pytest.mark.parametrize(
    ("answers", "times"), [((SECRET.encode(),), 1), ((None, SECRET.encode()), 2)], ids=["at once", "later"]
)
def test_a_pass_phrase_that_no_option_gave_is_asked_for(
    folder: Path, answers: tuple[bytes | None, ...], times: int
) -> None:
    ask, asked = answering(*answers)
    assert load(TlsOptions(cert="locked.pem"), ask)
    assert asked == [PROMPT] * times


@pytest.mark.parametrize("answers", [(b"wrong",), (b"",), (None, None)])
def test_a_wrong_answer_is_the_end(folder: Path, answers: tuple[bytes | None, ...]) -> None:
    ask, asked = answering(*answers)
    with pytest.raises(ClientCertificateError, match="unable to set private key"):
        load(TlsOptions(cert="locked.pem"), ask)
    assert len(asked) == len(answers)


def test_nobody_is_asked_without_need(folder: Path) -> None:
    ask, asked = answering()
    load(TlsOptions(cert="both.pem"), ask)
    load(TlsOptions(cert="locked.pem", passphrase=SECRET), ask)
    with pytest.raises(ClientCertificateError):
        load(TlsOptions(cert="locked.pem", passphrase="wrong"), ask)
    assert asked == []


def test_without_a_terminal_a_line_of_stdin_is_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: str, *_: object) -> int:
        raise OSError(6, "No such device or address", path)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"first\r\nrest\nno end")))
    assert [ask_at_the_terminal(PROMPT) for _ in range(4)] == [b"first", b"rest", None, None]
    assert capsys.readouterr().err == f"{PROMPT}\n" * 4


def test_at_a_terminal_the_answer_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    real, answer = os.open, []
    name = os.ttyname(theirs)
    monkeypatch.setattr(os, "open", lambda path, flags: real(name, flags))
    asking = threading.Thread(target=lambda: answer.append(ask_at_the_terminal(PROMPT)))
    asking.start()
    seen = b""
    while PROMPT.encode() not in seen:
        seen += os.read(ours, 100)
    os.write(ours, SECRET.encode() + b"\n")
    asking.join(10)
    assert answer == [SECRET.encode()]
    import termios

    assert termios.tcgetattr(theirs)[3] & termios.ECHO  # as it was before
    os.close(theirs)
    seen += os.read(ours, 1000)
    os.close(ours)
    assert SECRET.encode() not in seen


def test_no_pass_phrase_is_told_anywhere(folder: Path) -> None:
    options = TlsOptions(cert="locked.pem", passphrase="not for your eyes")
    with pytest.raises(ClientCertificateError) as caught:
        load(options)
    told = "".join(traceback.format_exception(caught.value)) + repr(options) + str(options)
    config = OperationConfig()
    config.passphrase = config.proxy_pass = "not for your eyes"
    told += repr(config) + repr(server_options(config)) + repr(proxy_options(config))
    assert "not for your eyes" not in told


# The command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("file", ("file", None)),
        ("file:secret", ("file", "secret")),
        ("file:", ("file", None)),
        (":secret", ("", "secret")),
        ("file:a:b", ("file", "a:b")),
        (r"a\:b:c", ("a:b", "c")),
        (r"a\\:c", ("a\\", "c")),
        (r"a\b:c", (r"a\b", "c")),
        ("a\\", ("a\\", None)),
        (r"file:a\:b", ("file", r"a\:b")),
        ("pkcs11:a:b", ("pkcs11:a:b", None)),
        ("PKCS11:a:b", ("PKCS11:a:b", None)),
    ],
)
def test_the_password_is_behind_the_first_bare_colon(typed: str, parts: tuple[str, str | None]) -> None:
    assert split_certificate(typed) == parts
