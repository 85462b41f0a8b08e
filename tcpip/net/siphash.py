"""SipHash-2-4, a keyed hash of a few octets (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012).

Linux makes its sequence numbers with it too.  The standard library's keyed
hashes come with OpenSSL, which takes 3 ms to map: more than a connection.
"""

from __future__ import annotations

import struct

KEY_SIZE = 16

_WORD = struct.Struct("<Q")
_KEY = struct.Struct("<QQ")
_MASK = 0xFFFF_FFFF_FFFF_FFFF


def siphash(key: bytes, data: bytes) -> int:
    """Hash octets under a key of 16: 64 bits, and those of one input tell nothing of another's."""
    k0, k1 = _KEY.unpack(key)
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    padded = data + bytes(7 - len(data) % 8) + bytes((len(data) & 0xFF,))
    for (word,) in _WORD.iter_unpack(padded):
        v0, v1, v2, v3 = _rounds(2, v0, v1, v2, v3 ^ word)
        v0 ^= word
    v0, v1, v2, v3 = _rounds(4, v0, v1, v2 ^ 0xFF, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _rounds(count: int, v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        v0 = v0 + v1 & _MASK
        v1 = (v1 << 13 | v1 >> 51) & _MASK ^ v0
        v0 = (v0 << 32 | v0 >> 32) & _MASK
        v2 = v2 + v3 & _MASK
        v3 = (v3 << 16 | v3 >> 48) & _MASK ^ v2
        v0 = v0 + v3 & _MASK
        v3 = (v3 << 21 | v3 >> 43) & _MASK ^ v0
        v2 = v2 + v1 & _MASK
        v1 = (v1 << 17 | v1 >> 47) & _MASK ^ v2
        v2 = (v2 << 32 | v2 >> 32) & _MASK
    return v0, v1, v2, v3
