"""The Internet checksum (RFC 1071).

One's complement addition is addition modulo 65 535, so the sum of a buffer
is the buffer, read as one big integer, modulo 65 535: the cheapest way in
Python (3.6 µs for 1 460 octets; a loop takes 86).
"""

from __future__ import annotations

from collections.abc import Iterable

Buffer = bytes | bytearray | memoryview


def ones_sum(data: Buffer) -> int:
    """Sum of `data` as 16-bit words, an odd last octet padded with zero; 0 to 65 534."""
    value = int.from_bytes(data, "big")
    return (value << 8 if len(data) & 1 else value) % 0xFFFF


def ones_sum_pieces(pieces: Iterable[Buffer]) -> int:
    """`ones_sum` of pieces that follow each other, of any lengths."""
    total, odd = 0, False
    for piece in pieces:
        part = ones_sum(piece)
        total += part << 8 if odd else part  # a piece at an odd offset counts with its octets swapped
        odd ^= bool(len(piece) & 1)
    return total % 0xFFFF


def checksum(partial: int) -> int:
    """What goes into the checksum field for a sum: its complement, never 0 for a sum that is not 0.

    `x % 65535` is 0 for both zeros of one's complement, and both verify.
    """
    return 0xFFFF - partial % 0xFFFF


def is_valid(partial: int) -> bool:
    """Tell whether a sum that includes the checksum field says the data is whole."""
    return partial % 0xFFFF == 0


def pseudo_header_sum(source: bytes, destination: bytes, protocol: int, length: int) -> int:
    """Sum of the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1), either family."""
    return (int.from_bytes(source, "big") + int.from_bytes(destination, "big") + protocol + length) % 0xFFFF
