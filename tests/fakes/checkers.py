"""Composable checks of frames: `check(frame, ip(ttl=64), tcp(flags="SA"))`.

Each checker looks at one layer and names the field that failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tcpip.wire.address import IpAddress
from tcpip.wire.arp import ArpPacket
from tcpip.wire.checksum import ones_sum, pseudo_header_sum
from tcpip.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import ICMP, ICMPV6, TCP, UDP
from tcpip.wire.tcp import Segment
from tcpip.wire.udp import UdpDatagram

_FLAGS = "FSRPAUEC"


class Layers:
    """A frame taken apart; a layer that is not there is None."""

    def __init__(self, frame: bytes) -> None:
        self.ethernet = EthernetHeader.parse(frame)
        self.arp: ArpPacket | None = None
        self.ip: Ipv4Packet | Ipv6Packet | None = None
        self.tcp: Segment | None = None
        self.udp: UdpDatagram | None = None
        self.icmp: Icmpv4Message | Icmpv6Message | None = None
        rest = memoryview(frame)[14:]
        if self.ethernet.ethertype == ETHERTYPE_ARP:
            self.arp = ArpPacket.parse(rest)
        elif self.ethernet.ethertype == ETHERTYPE_IPV4:
            self._transport(Ipv4Packet.parse(rest))
        elif self.ethernet.ethertype == ETHERTYPE_IPV6:
            self._transport(Ipv6Packet.parse(rest))

    def _transport(self, packet: Ipv4Packet | Ipv6Packet) -> None:
        self.ip = packet
        if packet.is_fragment:
            return
        if packet.protocol == TCP:
            data = packet.payload
            total = pseudo_header_sum(packet.source, packet.destination, TCP, len(data)) + ones_sum(data)
            assert total % 0xFFFF == 0, "TCP: checksum is wrong"
            self.tcp = Segment.parse(data)
        elif packet.protocol == UDP:
            self.udp = UdpDatagram.parse(packet.payload, packet.source, packet.destination)
        elif packet.protocol == ICMP:
            self.icmp = Icmpv4Message.parse(packet.payload)
        elif packet.protocol == ICMPV6:
            self.icmp = Icmpv6Message.parse(packet.payload, packet.source, packet.destination)


Checker = Callable[[Layers], None]


def check(frame: bytes, *checkers: Checker) -> Layers:
    """Run checkers over a frame; AssertionError names layer, field and both values."""
    layers = Layers(bytes(frame))
    for checker in checkers:
        checker(layers)
    return layers


def matching(frames: list[bytes], *checkers: Checker) -> list[Layers]:
    """The frames that satisfy all checkers."""
    found = []
    for frame in frames:
        try:
            found.append(check(frame, *checkers))
        except AssertionError:
            continue
    return found


def ethernet(**fields: Any) -> Checker:
    return lambda layers: _compare("Ethernet", layers.ethernet, fields)


def arp(**fields: Any) -> Checker:
    return lambda layers: _compare("ARP", layers.arp, fields)


def ip(**fields: Any) -> Checker:
    if "ttl" in fields:
        fields["hop_limit"] = fields.pop("ttl")
    return lambda layers: _compare("IP", layers.ip, fields)


def udp(**fields: Any) -> Checker:
    return lambda layers: _compare("UDP", layers.udp, fields)


def icmp(**fields: Any) -> Checker:
    return lambda layers: _compare("ICMP", layers.icmp, fields)


def tcp(*, flags: str | None = None, **fields: Any) -> Checker:
    def run(layers: Layers) -> None:
        _compare("TCP", layers.tcp, fields)
        if flags is not None:
            assert layers.tcp is not None
            actual = "".join(name for i, name in enumerate(_FLAGS) if layers.tcp.flags >> i & 1)
            assert sorted(actual) == sorted(flags), f"TCP: flags are {actual!r}, not {flags!r}"

    return run


def _compare(name: str, layer: Any, fields: dict[str, Any]) -> None:
    assert layer is not None, f"{name}: not in this frame"
    for field, wanted in fields.items():
        actual = getattr(layer, field)
        if isinstance(wanted, str) and isinstance(actual, IpAddress):
            wanted = IpAddress.parse(wanted)
        if isinstance(actual, memoryview):
            actual = bytes(actual)
        assert actual == wanted, f"{name}: {field} is {actual!r}, not {wanted!r}"
