"""Reassembly of fragments, both families (RFC 791 §3.2, RFC 8200 §4.5, RFC 5722, RFC 8900).

Bounded in octets, datagrams and time.  When there is no room the oldest
datagram goes.  Overlaps: an exact repetition of a fragment is ignored, any
other overlap discards the datagram with all that has come of it; RFC 5722
asks for it in IPv6, and in IPv4 only attacks overlap.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from tcpip.counters import Counters, DropReason
from tcpip.wire.address import IpAddress
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet

IpPacket: TypeAlias = Ipv4Packet | Ipv6Packet

MAX_OCTETS = 1 << 20
"""Payload kept of all datagrams: sixteen of the largest."""
MAX_DATAGRAMS = 64
MAX_FRAGMENTS = 128
"""Of one datagram: 64 KiB over the smallest IPv6 MTU are 54."""
TIMEOUT_SECONDS = 30.0
"""RFC 791 suggests 15, RFC 8200 60; Linux waits 30 for IPv4."""

_Key = tuple[IpAddress, IpAddress, int, int]


class _Datagram:
    __slots__ = ("deadline", "first", "fragments", "is_discarded", "octets", "total")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.first: Ipv4Packet | Ipv6Packet | None = None
        self.fragments: dict[int, bytes] = {}
        self.octets = 0
        self.total: int | None = None
        self.is_discarded = False


class Reassembler:
    """Fragments in, whole packets out."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._datagrams: OrderedDict[_Key, _Datagram] = OrderedDict()
        self.octets = 0

    def receive_fragment(self, packet: IpPacket, now: float) -> IpPacket | None:
        """Take a fragment; give the packet back when it is whole.

        MalformedPacketError when the whole is no packet.
        """
        # RFC 8200 §4.5 leaves the protocol out of the key; a later fragment may name another one.
        key = (
            packet.source,
            packet.destination,
            packet.identification,
            packet.protocol if len(packet.source) == 4 else 0,
        )
        datagram = self._datagrams.get(key)
        if datagram is None:
            datagram = self._begin(key, now)
        if datagram.is_discarded or not self._add(key, datagram, packet):
            return None
        if datagram.total is None or datagram.octets < datagram.total:
            return None
        self._forget(key)
        payload = b"".join(datagram.fragments[start] for start in sorted(datagram.fragments))
        first = datagram.first
        assert first is not None and type(first) is type(packet)
        return first.reassembled(payload)

    def next_timeout(self) -> float | None:
        return next(iter(self._datagrams.values())).deadline if self._datagrams else None

    def handle_timeout(self, now: float) -> list[IpPacket]:
        """Give up what is too old; for each of the first fragments returned an ICMP error is due."""
        abandoned: list[IpPacket] = []
        while (deadline := self.next_timeout()) is not None and deadline <= now:
            datagram = self._forget(next(iter(self._datagrams)))
            if not datagram.is_discarded:
                self._counters.drop(DropReason.FRAGMENT_TIMEOUT)
                if datagram.first is not None:
                    abandoned.append(datagram.first)
        return abandoned

    def _begin(self, key: _Key, now: float) -> _Datagram:
        if len(self._datagrams) == MAX_DATAGRAMS:
            self._evict()
        datagram = self._datagrams[key] = _Datagram(now + TIMEOUT_SECONDS)
        return datagram

    def _add(self, key: _Key, datagram: _Datagram, packet: Ipv4Packet | Ipv6Packet) -> bool:
        start, data = packet.fragment_offset, bytes(packet.payload)
        if (
            datagram.fragments.get(start) == data
            and (datagram.total == start + len(data)) != packet.more_fragments
        ):
            return False
        if not self._fits(datagram, start, len(data), packet.more_fragments):
            self._counters.drop(DropReason.FRAGMENT_OVERLAP)
            self._discard(datagram)
            return False
        if len(datagram.fragments) == MAX_FRAGMENTS:
            self._counters.drop(DropReason.FRAGMENT_LIMIT)
            self._discard(datagram)
            return False
        while self.octets + len(data) > MAX_OCTETS:
            self._evict()
        if key not in self._datagrams:
            return False
        if not packet.more_fragments:
            datagram.total = start + len(data)
        if start == 0:
            datagram.first = packet._replace(payload=data)
        datagram.fragments[start] = data
        datagram.octets += len(data)
        self.octets += len(data)
        return True

    def _fits(self, datagram: _Datagram, start: int, size: int, more: bool) -> bool:
        """Tell whether a fragment lies beside all others, and agrees with them about the end."""
        end = start + size
        if more and (size == 0 or size & 7):
            return False
        if datagram.total is not None and (not more or end > datagram.total):
            return False
        others = datagram.fragments.items()
        if not more and any(other + len(data) > end for other, data in others):
            return False
        return all(other >= end or other + len(data) <= start for other, data in others) and (
            start not in datagram.fragments
        )

    def _discard(self, datagram: _Datagram) -> None:
        """Let go of the octets; the entry stays, so that late fragments do not begin the datagram anew."""
        self.octets -= datagram.octets
        datagram.octets = 0
        datagram.fragments.clear()
        datagram.first = None
        datagram.is_discarded = True

    def _evict(self) -> None:
        self._counters.drop(DropReason.FRAGMENT_LIMIT)
        self._forget(next(iter(self._datagrams)))

    def _forget(self, key: _Key) -> _Datagram:
        datagram = self._datagrams.pop(key)
        self.octets -= datagram.octets
        return datagram
