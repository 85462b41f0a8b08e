"""Pinned public keys: `--pinnedpubkey`, after RFC 7469 §2.4."""

from __future__ import annotations

MAX_PIN_FILE = 1 << 20


def is_pinned(pins: str, key_der: bytes) -> bool:
    """Compare a SubjectPublicKeyInfo with `sha256//BASE64[;...]`, or with a key in a DER or PEM file."""
    if pins.startswith("sha256//"):
        return pin_of(key_der) in pins.split(";")
    from binascii import Error, a2b_base64

    try:
        with open(pins, "rb") as file:
            content = file.read(MAX_PIN_FILE + 1)
        if content == key_der:
            return True
        before, begin, rest = content.partition(b"-----BEGIN PUBLIC KEY-----")
        body, end, _ = rest.partition(b"\n-----END PUBLIC KEY-----")
        if len(content) > MAX_PIN_FILE or not begin or not end or before[-1:] not in (b"", b"\n"):
            return False
        return a2b_base64(body) == key_der
    except (OSError, Error):
        return False


def pin_of(key_der: bytes) -> str:
    """Write a SubjectPublicKeyInfo as `--pinnedpubkey` has it."""
    from binascii import b2a_base64
    from hashlib import sha256

    return f"sha256//{b2a_base64(sha256(key_der).digest(), newline=False).decode()}"
