"""The Ethernet below IP: neighbours asked and answered, and frames put together.

ARP and neighbour discovery differ in their packets only; both drive one
`NeighborCache`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tcpip.counters import Counters, DropReason
from tcpip.device import Buffer
from tcpip.errors import AddressError
from tcpip.net.frame import Frame
from tcpip.net.interface import ALL_NODES, ALL_ROUTERS, Interface
from tcpip.net.neighbors import NeighborCache, Pending, Solicitation
from tcpip.wire import arp, ndisc
from tcpip.wire.address import IPV4_ANY, IPV6_ANY, IpAddress
from tcpip.wire.arp import ArpPacket
from tcpip.wire.ethernet import (
    BROADCAST_MAC,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    EthernetHeader,
    multicast_mac,
)
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.ndisc import NeighborAdvertisement, NeighborSolicitation, RouterSolicitation
from tcpip.wire.protocols import ICMPV6

MAX_OUTBOX = 512
"""Frames kept for the device beside those of TCP, which are built when it has room."""

_NO_MAC = bytes(6)


class Link:
    """Sends packets to next hops; what is ready lies in `outbox`."""

    def __init__(
        self, interface: Interface, counters: Counters, claimed: Callable[[IpAddress, bytes], None]
    ) -> None:
        """`claimed` is called when another host says that it has an address of ours."""
        self._interface = interface
        self._counters = counters
        self._claimed = claimed
        self._now = 0.0
        self.neighbors = NeighborCache(counters)
        self.outbox: deque[Frame] = deque()

    # ---- sending

    def send(
        self,
        next_hop: IpAddress,
        ethertype: int,
        pieces: tuple[Buffer, ...],
        now: float,
        failed: Callable[[], None] | None = None,
    ) -> None:
        """Send a packet to a neighbour, now or when it has answered; `failed` is called when it does not."""
        if self._interface.is_group(next_hop):
            mac = BROADCAST_MAC if not next_hop.is_multicast else multicast_mac(next_hop)
            self._post(mac, ethertype, pieces)
            return
        neighbor = self.neighbors.use(next_hop, now)
        if neighbor is None:
            self._counters.drop(DropReason.NEIGHBOR_QUEUE_FULL)
        elif neighbor.mac is not None:
            self._post(neighbor.mac, ethertype, pieces)
        else:
            self.neighbors.enqueue(neighbor, Pending(ethertype, pieces, failed))
            self.flush()

    def flush(self) -> None:
        """Put on the way what the neighbour cache has decided."""
        while (solicitation := self.neighbors.next_solicitation()) is not None:
            self._solicit(solicitation)
        while (resolved := self.neighbors.next_resolved()) is not None:
            mac, pending = resolved
            self._post(mac, pending.ethertype, pending.pieces)

    def solicit_routers(self) -> None:
        source = self._link_local()
        mac = self._interface.mac if source is not None else None
        self._send_discovery(RouterSolicitation(mac).build(), source or IPV6_ANY, ALL_ROUTERS)

    def probe_address(self, address: IpAddress) -> None:
        """Ask whether anybody has an address that is to be ours (RFC 5227 §2.1.1, RFC 4862 §5.4.2)."""
        if address.version == 4:
            self._send_arp(arp.REQUEST, BROADCAST_MAC, IPV4_ANY, _NO_MAC, address)
        else:
            group = ndisc.solicited_node(address)
            self._send_discovery(NeighborSolicitation(address).build(), IPV6_ANY, group)

    def announce(self, address: IpAddress) -> None:
        """Tell everybody that an address is ours (RFC 5227 §2.3, RFC 4861 §7.2.6)."""
        if address.version == 4:
            self._send_arp(arp.REQUEST, BROADCAST_MAC, address, _NO_MAC, address)
        else:
            message = NeighborAdvertisement(address, self._interface.mac).build()
            self._send_discovery(message, address, ALL_NODES)

    # ---- receiving

    def receive_arp(self, data: Buffer, source_mac: bytes, now: float) -> None:
        """Take an ARP packet; MalformedPacketError."""
        packet = ArpPacket.parse(data)
        sender, mac = packet.sender_ip, packet.sender_mac
        if mac == self._interface.mac:
            return  # our own, sent back by a bridge
        if mac != source_mac or mac[0] & 1:
            self._counters.drop(DropReason.MARTIAN)
            return
        is_ours = self._interface.find(packet.target_ip) is not None
        if self._interface.find(sender) is not None:
            self._claimed(sender, mac)
            return
        if packet.operation == arp.REPLY:
            is_solicited = is_ours and packet.target_mac == self._interface.mac
            self.neighbors.heard_answer(sender, mac, now, is_solicited=is_solicited)
        elif is_ours:
            if not sender.is_unspecified:
                self.neighbors.heard_request(sender, mac, now)
            self._send_arp(arp.REPLY, mac, packet.target_ip, mac, sender)
        self.flush()

    def receive_solicitation(self, message: Icmpv6Message, packet: Ipv6Packet, now: float) -> None:
        """Take a neighbour solicitation; MalformedPacketError."""
        solicitation = NeighborSolicitation.parse(message)
        local = self._interface.find(solicitation.target)
        if local is None:
            return
        is_probe = packet.source.is_unspecified
        if is_probe and local.is_tentative:
            # Somebody wants the same address at the same time (RFC 4862 §5.4.3).
            self._claimed(solicitation.target, solicitation.source_mac or _NO_MAC)
            return
        if not is_probe and solicitation.source_mac is not None:
            self.neighbors.heard_request(packet.source, solicitation.source_mac, now)
        answer = NeighborAdvertisement(
            solicitation.target, self._interface.mac, is_solicited=not is_probe
        ).build()
        if is_probe:
            self._send_discovery(answer, solicitation.target, ALL_NODES)
        else:
            data = self._discovery_packet(answer, solicitation.target, packet.source)
            self.send(packet.source, ETHERTYPE_IPV6, (data,), now)
        self.flush()

    def receive_advertisement(self, message: Icmpv6Message, packet: Ipv6Packet, now: float) -> None:
        """Take a neighbour advertisement; MalformedPacketError."""
        advertisement = NeighborAdvertisement.parse(message)
        target, mac = advertisement.target, advertisement.target_mac
        if self._interface.find(target) is not None:
            if mac != self._interface.mac:
                self._claimed(target, mac or _NO_MAC)
            return
        neighbor = self.neighbors.find(target)
        if mac is None and neighbor is not None:
            mac = neighbor.mac  # an answer to a probe may leave the address out (RFC 4861 §4.4)
        if mac is None or (advertisement.is_solicited and packet.destination.is_multicast):
            self._counters.drop(DropReason.NEIGHBOR_UNSOLICITED)
            return
        self.neighbors.heard_answer(
            target,
            mac,
            now,
            is_solicited=advertisement.is_solicited,
            is_override=advertisement.is_override,
        )
        if neighbor is not None:
            neighbor.is_router = advertisement.is_router
        self.flush()

    # ---- frames

    def _solicit(self, solicitation: Solicitation) -> None:
        address, mac = solicitation
        source = self._source_for(address)
        if address.version == 4:
            self._send_arp(arp.REQUEST, mac or BROADCAST_MAC, source or IPV4_ANY, _NO_MAC, address)
            return
        message = NeighborSolicitation(address, self._interface.mac if source else None).build()
        destination = address if mac is not None else ndisc.solicited_node(address)
        self._send_discovery(message, source or IPV6_ANY, destination, mac)

    def _send_arp(
        self, operation: int, mac: bytes, sender: IpAddress, target_mac: bytes, target: IpAddress
    ) -> None:
        packet = ArpPacket(operation, self._interface.mac, sender, target_mac, target)
        self._post(mac, ETHERTYPE_ARP, (packet.build(),))

    def _send_discovery(
        self, message: Icmpv6Message, source: IpAddress, destination: IpAddress, mac: bytes | None = None
    ) -> None:
        data = self._discovery_packet(message, source, destination)
        self._post(mac or multicast_mac(destination), ETHERTYPE_IPV6, (data,))

    def _discovery_packet(self, message: Icmpv6Message, source: IpAddress, destination: IpAddress) -> bytes:
        body = message.build(source, destination)
        return Ipv6Packet(source, destination, ICMPV6, body, ndisc.HOP_LIMIT).build()

    def _post(self, mac: bytes, ethertype: int, pieces: tuple[Buffer, ...]) -> None:
        if len(self.outbox) >= MAX_OUTBOX:
            self._counters.drop(DropReason.OUTBOX_FULL)
            return
        header = EthernetHeader(mac, self._interface.mac, ethertype).build()
        self.outbox.append(Frame((header, *pieces)))
        self._counters.frames_sent += 1
        self._counters.octets_sent += len(header) + sum(map(len, pieces))

    def _source_for(self, address: IpAddress) -> IpAddress | None:
        try:
            return self._interface.source_for(address, self._now)
        except AddressError:
            return None

    def _link_local(self) -> IpAddress | None:
        return next(
            (a.address for a in self._interface if a.address.version == 6 and a.address.is_link_local), None
        )
