"""Local ports, initial sequence numbers and timestamps that nobody can guess.

Ports are drawn at random (RFC 6056 §3.3.1), sequence numbers and timestamp
offsets are keyed hashes of the connection's addresses (RFC 6528, RFC 7323
§5.4), so that those of one peer tell nothing about those of another.
"""

from __future__ import annotations

from collections.abc import Callable

from tcpip.errors import AddressError
from tcpip.net.siphash import KEY_SIZE, siphash

FIRST_EPHEMERAL = 49_152
LAST_EPHEMERAL = 65_535
"""The range of RFC 6335 §6."""

SECRET_SIZE = KEY_SIZE
_ISS_TICKS = 250_000
"""A second of RFC 9293 §3.4.1's clock: one tick every 4 µs."""


class PortAllocator:
    """Chooses ephemeral ports."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes

    def choose(self, is_taken: Callable[[int], bool]) -> int:
        """Draw a port that is not taken; AddressError when there is none."""
        count = LAST_EPHEMERAL - FIRST_EPHEMERAL + 1
        start = int.from_bytes(self._random_bytes(4), "big") % count
        for i in range(count):
            port = FIRST_EPHEMERAL + (start + i) % count
            if not is_taken(port):
                return port
        raise AddressError("TCP/UDP: every ephemeral port is in use")


class ConnectionNumbers:
    """First sequence numbers and timestamp offsets of connections."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def choose(self, four_tuple: bytes, now: float) -> tuple[int, int]:
        """First sequence number and timestamp offset, the two halves of one hash.

        RFC 6528 §3: a clock is added, which puts an incarnation above the last.
        """
        digest = siphash(self._secret, four_tuple)
        return int(now * _ISS_TICKS) + digest & 0xFFFFFFFF, digest >> 32
