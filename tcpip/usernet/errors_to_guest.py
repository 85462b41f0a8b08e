"""ICMP errors to the guest, about packets of its own (RFC 792, RFC 4443)."""

from __future__ import annotations

from tcpip.usernet.link import Link
from tcpip.usernet.refusal import Refusal
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import ICMP, ICMPV6

_QUOTED4, _QUOTED6 = 548, 1_232
"""Octets that may be quoted: RFC 1812 §4.3.2.3 (576 in all), RFC 4443 §2.4 (the minimum MTU)."""


class ErrorSender:
    """Builds ICMP errors; `packet` is always the guest's IP packet, or what is known of its beginning."""

    def __init__(self, link: Link, gateway: IpAddress, gateway6: IpAddress) -> None:
        self._link = link
        self._gateways = {4: gateway, 6: gateway6}

    def send_refusal(self, refusal: Refusal, packet: bytes) -> None:
        """Say destination unreachable, in the gateway's name."""
        if refusal is Refusal.SILENCE:
            return
        if refusal is Refusal.RESET:
            refusal = Refusal.PORT
        if packet[0] >> 4 == 4:
            self.send(icmpv4.DESTINATION_UNREACHABLE, refusal.value[0], 0, None, packet)
        else:
            self.send(icmpv6.DESTINATION_UNREACHABLE, refusal.value[1], 0, None, packet)

    def send_time_exceeded(self, packet: bytes) -> None:
        """Say that the hop limit ended at the gateway."""
        kind = icmpv4.TIME_EXCEEDED if packet[0] >> 4 == 4 else icmpv6.TIME_EXCEEDED
        self.send(kind, 0, 0, None, packet)

    def send(self, kind: int, code: int, value: int, sender: IpAddress | None, packet: bytes) -> None:
        """Send an error of any type; in the gateway's name if `sender` is None or the host itself."""
        version = packet[0] >> 4
        if sender is None or sender.version != version or sender.is_loopback:
            sender = self._gateways[version]
        if version == 4:
            message4 = Icmpv4Message(kind, code, value, packet[:_QUOTED4])
            self._link.send_packet(sender, packet[12:16], ICMP, message4.build())
        else:
            message6 = Icmpv6Message(kind, code, value, packet[:_QUOTED6])
            guest = packet[8:24]
            self._link.send_packet(sender, guest, ICMPV6, message6.build(sender, guest))


def rebuild_packet(
    source: IpAddress, destination: IpAddress, protocol: int, payload: bytes, hop_limit: int = 1
) -> bytes:
    """The packet that the guest once sent, as far as anybody remembers."""
    if len(source) == 4:
        return Ipv4Packet(source, destination, protocol, payload, hop_limit).build()
    return Ipv6Packet(source, destination, protocol, payload, hop_limit).build()
