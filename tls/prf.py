"""The key schedule of TLS 1.2: one PRF for everything (RFC 5246 §5), master secrets as in RFC 7627."""

from __future__ import annotations

from . import crypto

MASTER_SECRET_SIZE = 48
VERIFY_DATA_SIZE = 12


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """PRF(secret, label, seed) with P_hash of the suite's hash (RFC 5246 §5)."""
    seed = label + seed
    output, chained = b"", seed
    while len(output) < length:
        chained = crypto.hmac_digest(hash_name, secret, chained)
        output += crypto.hmac_digest(hash_name, secret, chained + seed)
    return output[:length]


def extended_master_secret(hash_name: str, premaster: bytes, session_hash: bytes) -> bytes:
    """Bind the secret to the whole handshake so far (RFC 7627 §4); the older way is not offered."""
    return prf(hash_name, premaster, b"extended master secret", session_hash, MASTER_SECRET_SIZE)


def verify_data(hash_name: str, master: bytes, side: str, transcript_digest: bytes) -> bytes:
    """The MAC of Finished (RFC 5246 §7.4.9); `side` is "client" or "server"."""
    label = f"{side} finished".encode()
    return prf(hash_name, master, label, transcript_digest, VERIFY_DATA_SIZE)


def key_block(
    hash_name: str, master: bytes, client_random: bytes, server_random: bytes, length: int
) -> bytes:
    """RFC 5246 §6.3; for an AEAD: both keys, then both implicit parts of the nonces."""
    return prf(hash_name, master, b"key expansion", server_random + client_random, length)


def exported_keying_material(
    hash_name: str, master: bytes, label: bytes, randoms: bytes, context: bytes | None, length: int
) -> bytes:
    """RFC 5705 §4; no context is not the same as an empty one."""
    seed = randoms if context is None else randoms + len(context).to_bytes(2, "big") + context
    return prf(hash_name, master, label, seed, length)
