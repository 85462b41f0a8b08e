"""Who is on the link: ARP, neighbour discovery and router advertisements of the gateway (RFC 826, RFC 4861).

The gateway answers for every address of its networks but the guest's own,
so that a host of that number behind it stays reachable.
"""

from __future__ import annotations

from tcpip.usernet.config import UserNetConfig
from tcpip.usernet.link import Link
from tcpip.wire import arp, ndisc
from tcpip.wire.address import IPV4_ANY, IPV6_ANY, IpAddress
from tcpip.wire.arp import ArpPacket
from tcpip.wire.checksum import Buffer
from tcpip.wire.ethernet import ETHERTYPE_ARP, EthernetHeader
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.ndisc import (
    NeighborAdvertisement,
    NeighborSolicitation,
    PrefixInformation,
    RouterAdvertisement,
)
from tcpip.wire.protocols import ICMPV6

GATEWAY_LINK_LOCAL = IpAddress.parse("fe80::2")
_ALL_NODES = IpAddress.parse("ff02::1")
ADVERTISEMENT_INTERVAL = 600.0
_ROUTER_LIFETIME = 1_800
_PREFIX_LIFETIME = 86_400


class Neighbors:
    """Answers about addresses; keeps no state, as there is one guest with a known MAC."""

    def __init__(self, config: UserNetConfig, link: Link) -> None:
        self._config = config
        self._link = link
        self._own = {config.gateway, config.dns, config.gateway6, config.dns6, GATEWAY_LINK_LOCAL}
        self._not_hosts = {config.network.address, config.network.broadcast, config.guest}

    def receive_arp(self, data: Buffer) -> None:
        """Answer a request; raises MalformedPacketError."""
        packet = ArpPacket.parse(data)
        target = packet.target_ip
        if packet.operation != arp.REQUEST or not self._answers_for(target, packet.sender_ip):
            return
        mac = self._config.gateway_mac
        reply = ArpPacket(arp.REPLY, mac, target, packet.sender_mac, packet.sender_ip)
        header = EthernetHeader(self._config.guest_mac, mac, ETHERTYPE_ARP).build()
        self._link.send(header + reply.build())

    def receive_icmpv6(self, packet: Ipv6Packet, message: Icmpv6Message) -> None:
        """Take a message of neighbour discovery; raises MalformedPacketError."""
        if packet.hop_limit != ndisc.HOP_LIMIT or message.code != 0 or self._config.network6 is None:
            return
        if message.type == ndisc.ROUTER_SOLICITATION:
            self.advertise()
        elif message.type == ndisc.NEIGHBOR_SOLICITATION:
            self._receive_solicitation(packet.source, NeighborSolicitation.parse(message))

    def advertise(self) -> None:
        """Send a router advertisement (RFC 4861 §6.2.3, RFC 8106 §5.1)."""
        config = self._config
        assert config.network6 is not None and config.dns6 is not None
        prefix = PrefixInformation(config.network6, _PREFIX_LIFETIME, _PREFIX_LIFETIME)
        advertisement = RouterAdvertisement(
            hop_limit=64,
            router_lifetime=_ROUTER_LIFETIME,
            source_mac=config.gateway_mac,
            mtu=config.mtu if config.mtu >= 1_280 else None,
            prefixes=(prefix,),
            dns_servers=(config.dns6,),
            dns_lifetime=_ROUTER_LIFETIME,
        )
        self._send(_ALL_NODES, advertisement.build())

    def _receive_solicitation(self, source: IpAddress, solicitation: NeighborSolicitation) -> None:
        target = solicitation.target
        if not self._answers_for(target, source):
            return
        is_probe = source == IPV6_ANY
        advertisement = NeighborAdvertisement(
            target, self._config.gateway_mac, is_router=True, is_solicited=not is_probe
        )
        self._send(_ALL_NODES if is_probe else source, advertisement.build())

    def _answers_for(self, target: IpAddress, asker: IpAddress) -> bool:
        if target in self._own:
            return True
        if asker in (IPV4_ANY, IPV6_ANY, target) or target in self._not_hosts:
            return False  # a probe whether the address is free: it is (RFC 5227, RFC 4862 §5.4)
        network6 = self._config.network6
        return target in self._config.network or (network6 is not None and target in network6)

    def _send(self, destination: IpAddress, message: Icmpv6Message) -> None:
        source = GATEWAY_LINK_LOCAL
        octets = message.build(source, destination)
        self._link.send_packet(source, destination, ICMPV6, octets, ndisc.HOP_LIMIT)
