"""`-E`, `--key` and what belongs to them: from files to what a TLS client shows, with curl's refusals.

A refusal begins with curl's own line; where that does not say why, a second line does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from pycurl_redox.errors import ClientCertificateError
from tls.certificates import Certificate
from tls.config import ClientCertificate
from tls.crypto import load_pkcs12, load_signer
from tls.errors import CertificateError, PassPhraseError, TlsError, UsageError
from tls.trust import pem_certificates

if TYPE_CHECKING:
    from pycurl_redox.tls_options import TlsOptions
    from tls.crypto import PrivateKeySigner

MAX_FILE = 1 << 20
PROMPT = "Enter PEM pass phrase:"
CODES = {"no start line": "0480006C:PEM routines:", "wrong tag": "068000A8:asn1 encoding routines:"}
"""OpenSSL's numbers for what it finds in a file, which are in curl's text."""

Ask = Callable[[str], bytes | None]
"""Takes a prompt, gives the line that was typed; None when the input ends before the line does."""


def load(options: TlsOptions, ask: Ask | None = None) -> ClientCertificate | None:
    """Return what `-E` names, None without it; `ask` is asked for the pass phrase that no option gave."""
    if options.cert is None:
        return None
    kind = (options.cert_type or "PEM").upper()
    if any((name or "").lower().startswith("pkcs11:") for name in (options.cert, options.key)):
        raise ClientCertificateError("SSL Engine 'pkcs11' not found")
    if kind == "P12":
        return _from_pkcs12(options.cert, _octets(options.passphrase))
    if kind == "ENG":
        raise ClientCertificateError("crypto engine not set, can't load certificate")
    if kind not in ("PEM", "DER"):
        raise ClientCertificateError(f"not supported file type '{options.cert_type}' for certificate")
    chain = _chain(options.cert, is_der=kind == "DER")
    leaf = Certificate.parse(chain[0])
    return ClientCertificate(chain, _key(options, leaf, ask))


# Certificates -------------------------------------------------------------------------------------------


def _chain(path: str, is_der: bool) -> tuple[bytes, ...]:
    try:
        content = _read(path)
    except OSError as error:
        code = f"{0x80000000 | (error.errno or 0):08X}:system library"
        raise _no_certificate(path, is_der, f"{code}::{error.strerror}") from error
    chain = (content,) if is_der else tuple(pem_certificates(content))
    why = "wrong tag" if is_der else "no start line"
    try:
        for der in chain:
            Certificate.parse(der)
    except CertificateError as error:
        if not is_der:
            why = "bad base64 decode" if b"" in chain else "wrong tag"
        raise _no_certificate(path, is_der, CODES.get(why, ":") + f":{why}") from error
    if not chain:
        raise _no_certificate(path, is_der, f"{CODES[why]}:{why}")
    return chain


def _no_certificate(path: str, is_der: bool, why: str) -> ClientCertificateError:
    return ClientCertificateError(
        f"could not load {'ASN1' if is_der else 'PEM'} client certificate from {path}, "
        f"OpenSSL error error:{why}, (no key found, wrong pass phrase, or wrong file format?)"
    )


def _from_pkcs12(path: str, passphrase: bytes | None) -> ClientCertificate:
    try:
        content = _read(path)
    except OSError as error:
        raise ClientCertificateError(f"could not open PKCS12 file '{path}'") from error
    if not content.startswith(b"\x30"):
        raise ClientCertificateError(f"error reading PKCS12 file '{path}'")
    try:
        signer, chain = load_pkcs12(content, passphrase)
    except PassPhraseError as error:
        raise ClientCertificateError(
            "could not parse PKCS12 file, check password, OpenSSL error "
            "error:11800071:PKCS12 routines::mac verify failure"
        ) from error
    except TlsError as error:
        raise ClientCertificateError(
            f"unable to use private key from PKCS12 file '{path}'\n{error}"
        ) from error
    if not chain:
        raise ClientCertificateError("could not load PKCS12 client certificate\nthere is none in the file")
    if signer is None:
        raise ClientCertificateError(
            f"unable to use private key from PKCS12 file '{path}'\nthere is none in the file"
        )
    if not signer.is_key_of(Certificate.parse(chain[0]).public_key):
        raise ClientCertificateError(
            f"private key from PKCS12 file '{path}' does not match certificate in same file"
        )
    return ClientCertificate(chain, signer)


# Keys ---------------------------------------------------------------------------------------------------


def _key(options: TlsOptions, leaf: Certificate, ask: Ask | None) -> PrivateKeySigner:
    path, kind = options.cert or "", "PEM"
    if options.key is not None:  # without --key curl does not look at --key-type
        path, kind = options.key, (options.key_type or "PEM")
    if kind.upper() == "ENG":
        raise ClientCertificateError("crypto engine not set, can't load private key")
    if kind.upper() == "P12":
        raise ClientCertificateError("file type P12 for private key not supported")
    if kind.upper() not in ("PEM", "DER"):
        raise ClientCertificateError("not supported file type for private key")
    refused = f"unable to set private key file: '{path}' type {kind}"
    try:
        signer = _open_key(_read(path), kind.upper() == "DER", options.passphrase, leaf, ask)
    except OSError as error:
        raise ClientCertificateError(f"{refused}\n{error.strerror}: {path}") from error
    except PassPhraseError as error:
        raise ClientCertificateError(f"{refused}\n{error}; --pass gives one") from error
    except TlsError as error:
        raise ClientCertificateError(f"{refused}\n{error}") from error
    try:
        if not signer.is_of_the_kind_of(leaf.public_key):
            raise ClientCertificateError("Private key does not match the certificate public key")
        if not signer.is_key_of(leaf.public_key):
            raise ClientCertificateError(f"{refused}\nit is not the key of the certificate in {options.cert}")
    except CertificateError as error:
        raise ClientCertificateError(f"{refused}\n{error}") from error
    if not signer.schemes:
        raise ClientCertificateError(f"{refused}\nit signs in none of the ways that TLS 1.3 has")
    return signer


def _open_key(
    content: bytes, is_der: bool, passphrase: str | None, leaf: Certificate, ask: Ask | None
) -> PrivateKeySigner:
    """Open the key; ask for a pass phrase that is needed, and once more at the end of the input."""
    given = _octets(passphrase)
    try:
        return load_signer(content, given, is_der=is_der, of=leaf)
    except PassPhraseError:
        if given is not None or ask is None or is_der:
            raise
        if (typed := ask(PROMPT)) is None:
            typed = ask(PROMPT)
        return load_signer(content, typed, is_der=is_der, of=leaf)


def _octets(passphrase: str | None) -> bytes | None:
    return None if passphrase is None else passphrase.encode("utf-8", "surrogateescape")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise UsageError(f"it is longer than {MAX_FILE} octets")
    return content


# Asking -------------------------------------------------------------------------------------------------


def ask_at_the_terminal(prompt: str) -> bytes | None:
    """Ask as OpenSSL does: at the terminal, unseen; without one on stderr, for a line of stdin."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        import sys

        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.buffer.readline(MAX_FILE)
        print(file=sys.stderr, flush=True)
        return _typed(line)
    with open(terminal, "r+b", buffering=0) as file:
        import termios

        before = termios.tcgetattr(terminal)
        unseen = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        try:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, unseen)
            file.write(prompt.encode())
            return _typed(file.readline(MAX_FILE))
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            file.write(b"\n")


def _typed(line: bytes) -> bytes | None:
    return line.rstrip(b"\r\n") if line.endswith(b"\n") else None
