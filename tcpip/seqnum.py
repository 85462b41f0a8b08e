"""Sequence numbers: 32 bits on the wire, plain integers that never wrap inside (RFC 9293 §3.4).

A connection keeps SND.NXT, RCV.NXT and all the others unwrapped, so that `<`
means what it says and a difference is a count of octets.  A number from the
wire is unwrapped next to one that is known; one that leaves is wrapped.
Nothing else in the package does arithmetic modulo 2³².
"""

from __future__ import annotations

MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000


def wrap(number: int) -> int:
    """What goes on the wire."""
    return number & MASK


def unwrap(wire: int, near: int) -> int:
    """The integer that reads `wire` modulo 2³² and lies closest to `near` (at most 2³¹ below it)."""
    return near + ((wire - near + _HALF) & MASK) - _HALF


def distance(start: int, end: int) -> int:
    """How far `end` is ahead of `start`, both from the wire; negative when it lies behind."""
    return ((end - start + _HALF) & MASK) - _HALF
