"""Hybrid public key encryption (RFC 9180), the sender's side in base mode: what ECH seals a ClientHello with.

Octets for a public key, with a key pair made for them alone; `Sender.seal`
counts, since ECH may have a second message under the same keys.
"""

from __future__ import annotations

from . import crypto
from .codec import uint16_list

# The registries of RFC 9180 §7, as far as anybody uses them for ECH.
DHKEM_X25519_HKDF_SHA256 = 0x0020
HKDF_SHA256 = 0x0001
HKDF_SHA384 = 0x0002
AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305 = 0x0001, 0x0002, 0x0003

_NONCE_SIZE = 12
_BASE_MODE = b"\x00"


KDFS = {HKDF_SHA256: "sha256", HKDF_SHA384: "sha384"}
AEADS = {
    AES_128_GCM: crypto.CIPHER_SUITES[0x1301],
    AES_256_GCM: crypto.CIPHER_SUITES[0x1302],
    CHACHA20_POLY1305: crypto.CIPHER_SUITES[0x1303],
}


class Sender:
    """An encryption context (RFC 9180 §5.2); `enc` is what the recipient needs to make it, too.

    The KEM is DHKEM(X25519, HKDF-SHA256); raises `PeerMisbehavedError` for a
    `public_key` that is none of X25519.
    """

    def __init__(
        self,
        kdf: int,
        aead: int,
        public_key: bytes,
        info: bytes,
        pair: crypto.X25519Exchange | None = None,
    ) -> None:
        pair = crypto.X25519Exchange() if pair is None else pair
        self.enc = pair.share
        self.shared_secret = _extract_and_expand(pair.shared_secret(public_key), self.enc + public_key)
        suite_id = b"HPKE" + uint16_list((DHKEM_X25519_HKDF_SHA256, kdf, aead))
        hash_name, suite = KDFS[kdf], AEADS[aead]

        def extract(salt: bytes, label: bytes, material: bytes) -> bytes:
            return _labeled_extract(hash_name, suite_id, salt, label, material)

        def expand(secret: bytes, label: bytes, length: int) -> bytes:
            return _labeled_expand(hash_name, suite_id, secret, label, context, length)

        context = _BASE_MODE + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
        secret = extract(self.shared_secret, b"secret", b"")
        self._aead = suite.new_aead(expand(secret, b"key", suite.key_size))
        self._nonce = int.from_bytes(expand(secret, b"base_nonce", _NONCE_SIZE), "big")
        self._sequence = 0

    def __repr__(self) -> str:
        return "Sender(...)"

    def seal(self, associated_data: bytes, plaintext: bytes) -> bytes:
        """Seal the next message."""
        nonce = (self._nonce ^ self._sequence).to_bytes(_NONCE_SIZE, "big")
        self._sequence += 1
        sealed = bytearray(len(plaintext) + crypto.TAG_SIZE)
        self._aead.encrypt_into(nonce, plaintext, associated_data, sealed)
        return bytes(sealed)


def _extract_and_expand(dh: bytes, context: bytes) -> bytes:
    """RFC 9180 §4.1."""
    suite_id = b"KEM" + DHKEM_X25519_HKDF_SHA256.to_bytes(2, "big")
    secret = _labeled_extract("sha256", suite_id, b"", b"eae_prk", dh)
    return _labeled_expand("sha256", suite_id, secret, b"shared_secret", context, 32)


def _labeled_extract(hash_name: str, suite_id: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    """RFC 9180 §4."""
    salt = salt or bytes(crypto.HASH_SIZES[hash_name])
    return crypto.hmac_digest(hash_name, salt, b"HPKE-v1" + suite_id + label + material)


def _labeled_expand(
    hash_name: str, suite_id: bytes, secret: bytes, label: bytes, info: bytes, length: int
) -> bytes:
    """RFC 9180 §4."""
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info
    return crypto.hkdf_expand(hash_name, secret, labeled, length)
