"""Protected records of TLS 1.2 (RFC 5246 §6.2.3.3): AES-GCM (RFC 5288) and ChaCha20-Poly1305 (RFC 7905).

The content type stands outside, the sequence number goes into the associated
data, and AES-GCM sends eight octets of each nonce along.
"""

from __future__ import annotations

from .alerts import Alert
from .crypto import TAG_SIZE, Aead, AuthenticationError, CipherSuite
from .errors import PeerMisbehavedError
from .record import HEADER_SIZE, MAX_INNER_PLAINTEXT, Buffer, plaintext_too_long

EXPLICIT_NONCE_SIZE = 8
_VERSION = b"\x03\x03"


class Protection12:
    """One direction under one key; `iv` is the part of the nonces that both sides know."""

    __slots__ = ("_explicit", "aead", "iv", "limit", "sequence", "suite")

    takes_plain_change_cipher_spec = False

    def __init__(self, suite: CipherSuite, key: bytes, iv: bytes) -> None:
        self.suite = suite
        self.aead: Aead = suite.new_aead(key)
        self._explicit = EXPLICIT_NONCE_SIZE if len(iv) == 4 else 0
        self.iv = int.from_bytes(iv, "big") << 8 * self._explicit
        self.sequence = 0
        self.limit = MAX_INNER_PLAINTEXT

    def open(self, octets: memoryview, opened: memoryview, start: int) -> tuple[int, int]:
        """Decrypt a record, header and all, to `opened[start:]`; return its type and length."""
        body = HEADER_SIZE + self._explicit
        length = len(octets) - body - TAG_SIZE
        room = opened[start : start + max(length, 0)]
        sequence = self.sequence.to_bytes(8, "big")
        if self._explicit:
            nonce = (self.iv | int.from_bytes(octets[HEADER_SIZE:body], "big")).to_bytes(12, "big")
        else:
            nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
        associated = sequence + bytes(octets[:1]) + _VERSION + max(length, 0).to_bytes(2, "big")
        try:
            self.aead.decrypt_into(nonce, octets[body:], associated, room)
        except (AuthenticationError, ValueError):
            room[:] = bytes(len(room))  # `decrypt_into` has written what nobody vouches for
            raise PeerMisbehavedError(
                f"record: authentication failed: number {self.sequence}", Alert.BAD_RECORD_MAC
            ) from None
        self.sequence += 1
        if length >= self.limit:
            raise plaintext_too_long(length, self.limit - 1)
        return octets[0], length

    def seal(self, content_type: int, data: Buffer, scratch: memoryview) -> bytearray:
        """Protect `data` in as few records as it takes, one behind the other; nothing is copied first."""
        data = memoryview(data).cast("B")
        total, explicit, longest = len(data), self._explicit, self.limit - 1
        count = max(-(-total // longest), 1)
        sealed = bytearray(total + count * (HEADER_SIZE + explicit + TAG_SIZE))
        room = memoryview(sealed)
        position = 0
        for start in range(0, max(total, 1), longest):
            piece = data[start : start + longest]
            length = len(piece)
            kind = bytes((content_type,)) + _VERSION
            sequence = self.sequence.to_bytes(8, "big")
            nonce = (self.iv ^ self.sequence).to_bytes(
                12, "big"
            )  # for AES-GCM its explicit part is the number
            self.sequence += 1  # before use: whatever happens, no nonce serves twice
            body = position + HEADER_SIZE + explicit
            end = body + length + TAG_SIZE
            header = kind + (explicit + length + TAG_SIZE).to_bytes(2, "big")
            room[position:body] = header + sequence if explicit else header
            self.aead.encrypt_into(nonce, piece, sequence + kind + length.to_bytes(2, "big"), room[body:end])
            position = end
        return sealed
