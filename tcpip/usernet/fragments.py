"""Fragments of the guest's packets, put together within bounds (RFC 791 §3.2, RFC 8200 §4.5)."""

from __future__ import annotations

from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet

Packet = Ipv4Packet | Ipv6Packet


class _Partial:
    __slots__ = ("deadline", "first", "parts", "total")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.first: Packet | None = None
        self.parts: dict[int, bytes] = {}
        self.total: int | None = None


class Reassembler:
    """Keeps fragments until their packet is whole; a guest that sends too many loses the oldest packets.

    Of octets that come twice at the same offset the first count; any other
    overlap ends the packet (RFC 5722).
    """

    def __init__(self, max_fragments: int, timeout: float) -> None:
        self._max_fragments = max_fragments
        self._timeout = timeout
        self._partials: dict[tuple[bytes, bytes, int, int], _Partial] = {}
        self._count = 0

    def add(self, packet: Packet, now: float) -> Packet | None:
        """Take a fragment; returns the whole packet when this one completes it."""
        key = (packet.source, packet.destination, packet.identification, packet.protocol)
        partial = self._partials.get(key)
        if partial is not None and partial.deadline <= now:
            self._drop(key)
            partial = None
        if partial is None:
            partial = self._partials[key] = _Partial(now + self._timeout)
        offset = packet.fragment_offset
        if offset in partial.parts:
            return None
        partial.parts[offset] = bytes(packet.payload)
        self._count += 1
        if offset == 0:
            partial.first = packet
        if not packet.more_fragments:
            partial.total = offset + len(packet.payload)
        whole = self._join(partial)
        if whole is not None:
            self._drop(key)
            return None if partial.first is None else partial.first.reassembled(whole)
        while self._count > self._max_fragments:
            self._drop(next(iter(self._partials)))
        return None

    def _join(self, partial: _Partial) -> bytes | None:
        """All octets in order; None while some are missing, b"" when they do not fit together."""
        if partial.total is None or partial.first is None:
            return None
        if sum(map(len, partial.parts.values())) < partial.total:
            return None
        out = bytearray()
        for offset, part in sorted(partial.parts.items()):
            if offset != len(out):
                partial.first = None
                return b""
            out += part
        return bytes(out)

    def _drop(self, key: tuple[bytes, bytes, int, int]) -> None:
        self._count -= len(self._partials.pop(key).parts)
