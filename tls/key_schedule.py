"""The key schedule (RFC 8446 §7): from shared secrets and transcript to traffic secrets.

Three stages, one class each, so that no secret is asked for before its input
is there: `EarlySecret` → `HandshakeSecret` → `MasterSecret`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from . import crypto


class TrafficKeys(NamedTuple):
    """A key and the base of its nonces (RFC 8446 §7.3)."""

    key: bytes
    iv: bytes

    def __repr__(self) -> str:
        return "TrafficKeys(...)"


class Transcript:
    """The hash over all handshake messages so far (RFC 8446 §4.4.1)."""

    __slots__ = ("_hash", "hash_name")

    def __init__(self, hash_name: str, client_hello: bytes) -> None:
        self.hash_name = hash_name
        self._hash = crypto.new_hash(hash_name)
        self._hash.update(client_hello)

    def add(self, message: bytes) -> None:
        self._hash.update(message)

    def copy(self) -> Transcript:
        """Another that goes on from here by itself."""
        other = Transcript.__new__(Transcript)
        other.hash_name, other._hash = self.hash_name, self._hash.copy()
        return other

    def digest(self) -> bytes:
        return self._hash.copy().finalize()

    def digest_with(self, partial_message: bytes) -> bytes:
        """The digest as it would be after these octets; the transcript stays as it is."""
        hashed = self._hash.copy()
        hashed.update(partial_message)
        return hashed.finalize()

    def replace_by_message_hash(self) -> None:
        """Put `message_hash` in the place of the first ClientHello, when a HelloRetryRequest came."""
        first = self._hash.finalize()
        self._hash = crypto.new_hash(self.hash_name)
        self._hash.update(b"\xfe\x00\x00" + bytes([len(first)]) + first)


class Expander:
    """HKDF-Expand-Label under one secret that several others are made of; it does not give it back."""

    __slots__ = ("_keyed", "size")

    def __init__(self, hash_name: str, secret: bytes) -> None:
        self._keyed = crypto.new_hmac(hash_name, secret)
        self.size = crypto.HASH_SIZES[hash_name]

    def expand(self, label: bytes, context: bytes, length: int) -> bytes:
        """At most a hash's length: one block of HKDF-Expand (RFC 5869 §2.3)."""
        keyed = self._keyed.copy()
        keyed.update(_label_head(label, length, len(context)) + context + b"\x01")
        return keyed.finalize()[:length]

    def derive(self, label: bytes, transcript_digest: bytes) -> bytes:
        """Derive-Secret (RFC 8446 §7.1), over a digest already made."""
        return self.expand(label, transcript_digest, self.size)


def expand_label(hash_name: str, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 §7.1)."""
    info = _label_head(label, length, len(context)) + context
    return crypto.hkdf_expand(hash_name, secret, info, length)


@lru_cache(maxsize=64)  # a handshake has some twenty of them, the same each time
def _label_head(label: bytes, length: int, context_size: int) -> bytes:
    """HkdfLabel, up to the octets of its context."""
    label = b"tls13 " + label
    return length.to_bytes(2, "big") + bytes((len(label),)) + label + bytes((context_size,))


def derive_secret(hash_name: str, secret: bytes, label: bytes, transcript_digest: bytes) -> bytes:
    """Derive-Secret (RFC 8446 §7.1), over a digest already made."""
    return expand_label(hash_name, secret, label, transcript_digest, crypto.HASH_SIZES[hash_name])


def traffic_keys(hash_name: str, secret: bytes, key_size: int) -> TrafficKeys:
    """RFC 8446 §7.3."""
    expander = Expander(hash_name, secret)
    return TrafficKeys(expander.expand(b"key", b"", key_size), expander.expand(b"iv", b"", 12))


def next_traffic_secret(hash_name: str, secret: bytes) -> bytes:
    """The secret after a KeyUpdate (RFC 8446 §7.2)."""
    return expand_label(hash_name, secret, b"traffic upd", b"", len(secret))


def finished_verify_data(hash_name: str, base_secret: bytes, transcript_digest: bytes) -> bytes:
    """The MAC of Finished and of PSK binders (RFC 8446 §4.4.4)."""
    return crypto.hmac_digest(hash_name, _finished_key(hash_name, base_secret), transcript_digest)


def is_finished(hash_name: str, base_secret: bytes, transcript_digest: bytes, verify_data: bytes) -> bool:
    """Whether a Finished received holds the right MAC."""
    return crypto.is_hmac(hash_name, _finished_key(hash_name, base_secret), transcript_digest, verify_data)


def _finished_key(hash_name: str, base_secret: bytes) -> bytes:
    return expand_label(hash_name, base_secret, b"finished", b"", len(base_secret))


class EarlySecret:
    """The first stage, from the PSK; without one it is the same for all."""

    __slots__ = ("_expander", "hash_name")

    def __init__(self, hash_name: str, psk: bytes | None = None) -> None:
        self.hash_name = hash_name
        self._expander = Expander(hash_name, _early_secret(hash_name, psk)) if psk else None

    def resumption_binder_secret(self) -> bytes:
        return self._derive(b"res binder", crypto.empty_digest(self.hash_name))

    def client_traffic_secret(self, hello_digest: bytes) -> bytes:
        return self._derive(b"c e traffic", hello_digest)

    def exporter_secret(self, hello_digest: bytes) -> bytes:
        return self._derive(b"e exp master", hello_digest)

    def handshake(self, shared_secret: bytes) -> HandshakeSecret:
        hash_name = self.hash_name
        if self._expander is None:
            salt = _salt_without_psk(hash_name)
        else:
            salt = _salt(hash_name, self._expander)
        return HandshakeSecret(hash_name, crypto.hmac_digest(hash_name, salt, shared_secret))

    def _derive(self, label: bytes, digest: bytes) -> bytes:
        assert self._expander is not None
        return self._expander.derive(label, digest)


class HandshakeSecret:
    """The second stage, from the key exchange."""

    __slots__ = ("_expander", "hash_name")

    def __init__(self, hash_name: str, secret: bytes) -> None:
        self.hash_name = hash_name
        self._expander = Expander(hash_name, secret)

    def client_traffic_secret(self, hello_digest: bytes) -> bytes:
        return self._expander.derive(b"c hs traffic", hello_digest)

    def server_traffic_secret(self, hello_digest: bytes) -> bytes:
        return self._expander.derive(b"s hs traffic", hello_digest)

    def master(self) -> MasterSecret:
        zeros = bytes(crypto.HASH_SIZES[self.hash_name])
        salt = _salt(self.hash_name, self._expander)
        return MasterSecret(self.hash_name, crypto.hmac_digest(self.hash_name, salt, zeros))


class MasterSecret:
    """The third stage: everything after the server's Finished."""

    __slots__ = ("_expander", "hash_name")

    def __init__(self, hash_name: str, secret: bytes) -> None:
        self.hash_name = hash_name
        self._expander = Expander(hash_name, secret)

    def client_traffic_secret(self, server_finished_digest: bytes) -> bytes:
        return self._expander.derive(b"c ap traffic", server_finished_digest)

    def server_traffic_secret(self, server_finished_digest: bytes) -> bytes:
        return self._expander.derive(b"s ap traffic", server_finished_digest)

    def exporter_secret(self, server_finished_digest: bytes) -> bytes:
        return self._expander.derive(b"exp master", server_finished_digest)

    def resumption_master_secret(self, client_finished_digest: bytes) -> bytes:
        return self._expander.derive(b"res master", client_finished_digest)


def resumption_secret(hash_name: str, resumption_master_secret: bytes, ticket_nonce: bytes) -> bytes:
    """The PSK of one ticket (RFC 8446 §4.6.1)."""
    return expand_label(
        hash_name, resumption_master_secret, b"resumption", ticket_nonce, len(resumption_master_secret)
    )


def exported_keying_material(
    hash_name: str, exporter_secret: bytes, label: bytes, context: bytes, length: int
) -> bytes:
    """Exporters (RFC 8446 §7.5)."""
    secret = derive_secret(hash_name, exporter_secret, label, crypto.empty_digest(hash_name))
    return expand_label(hash_name, secret, b"exporter", crypto.digest(hash_name, context), length)


def _early_secret(hash_name: str, psk: bytes) -> bytes:
    return crypto.hmac_digest(hash_name, bytes(crypto.HASH_SIZES[hash_name]), psk)


def _salt(hash_name: str, expander: Expander) -> bytes:
    """What one stage adds to the input of the next."""
    return expander.derive(b"derived", crypto.empty_digest(hash_name))


@cache
def _salt_without_psk(hash_name: str) -> bytes:
    return _salt(
        hash_name, Expander(hash_name, _early_secret(hash_name, bytes(crypto.HASH_SIZES[hash_name])))
    )
