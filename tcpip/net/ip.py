"""IP of both families for one host: what comes in is checked and handed up, what goes out is routed.

This is the layer between frames and sockets.  Above it nobody asks which
family a packet is of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from tcpip.counters import Counters, DropReason
from tcpip.device import Buffer
from tcpip.errors import AddressError, MalformedPacketError, UnreachableError
from tcpip.events import AddressConfigured, AddressConflict, AddressRemoved, Event, NeighborFailed
from tcpip.net import icmp
from tcpip.net.fragments import Reassembler
from tcpip.net.icmp import RateLimiter, ReportedError
from tcpip.net.interface import Interface, LocalAddress
from tcpip.net.link import Link
from tcpip.net.pathmtu import PathMtus
from tcpip.net.routes import LOOPBACK, Route, RoutingTable
from tcpip.net.slaac import LINK_LOCAL, RouterDiscovery, address_in
from tcpip.wire import icmpv4, icmpv6, ipv6, ndisc
from tcpip.wire.address import IpAddress, IpNetwork
from tcpip.wire.ethernet import ETHERTYPE_IPV4, ETHERTYPE_IPV6
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet, has_source_route
from tcpip.wire.ipv6 import Ipv6Packet, ParameterProblemError
from tcpip.wire.ndisc import RouterAdvertisement
from tcpip.wire.protocols import HOP_BY_HOP, ICMP, ICMPV6, NO_NEXT_HEADER, UDP

IpPacket: TypeAlias = Ipv4Packet | Ipv6Packet

LOOPBACK_MTU = 65_535
MAX_LOOPED = 512
"""Packets under way to ourselves."""
PROBE_SECONDS = 1.0
"""How long a new address is on probation, while it is used (RFC 4862 §5.1, RFC 4429)."""
MAX_REFUSED = 32

_SOLICITATION = bytes((ndisc.NEIGHBOR_SOLICITATION,))
_ADVERTISEMENT = bytes((ndisc.NEIGHBOR_ADVERTISEMENT,))
_DHCP_CLIENT_PORT = (68).to_bytes(2, "big")
_DEFAULT_IPV4 = IpNetwork.parse("0.0.0.0/0")
_DEFAULT_IPV6 = IpNetwork.parse("::/0")


class IpLayer:
    """One interface and the loopback, one routing table.

    Packets that ask for more than ICMP are given to `deliver(packet,
    is_trusted, now)`, which tells whether anybody wanted the protocol; errors
    that ICMP reports to `report(error, now)`; echo replies to `echoed`.
    """

    def __init__(
        self,
        interface: Interface,
        counters: Counters,
        random_bytes: Callable[[int], bytes],
        deliver: Callable[[IpPacket, bool, float], bool],
        report: Callable[[ReportedError, float], None],
        echoed: Callable[[IpPacket, Icmpv4Message | Icmpv6Message, float], None],
    ) -> None:
        self._counters = counters
        self._random_bytes = random_bytes
        self._deliver = deliver
        self._report = report
        self._echoed = echoed
        self._reassembler = Reassembler(counters)
        self._error_limit = RateLimiter()
        self._probations: list[tuple[float, IpAddress]] = []
        self._refused: set[IpAddress] = set()
        self.interface = interface
        self.routes = RoutingTable()
        self.link = Link(interface, counters, self._address_claimed)
        self.discovery = RouterDiscovery(interface, self.routes, self.add_address)
        self.path_mtus = PathMtus()
        self.looped: deque[tuple[int, bytes]] = deque()
        """Packets to ourselves: Ethertype and octets."""
        self.events: deque[Event] = deque(maxlen=256)
        self.decline: Callable[[float], None] = lambda now: None
        """Called when the address of the DHCP lease is somebody else's."""
        self.awaits_lease = False
        """A DHCP server may answer to an address that is not ours yet (RFC 2131 §4.1)."""
        self._lifetime: float | None = None
        """When the first route or address ends, of the versions in `_lifetimes_of`."""
        self._lifetimes_of = (-1, -1)
        self._now = 0.0

    # ---- addresses and routes

    def start_ipv6(self, now: float) -> None:
        """Make the link-local address and look for routers."""
        mac = self.interface.mac
        self.add_address(LocalAddress(address_in(LINK_LOCAL, mac), 64, "link-local"), now)
        self.discovery.start(now)
        self._flush_discovery()

    def add_address(self, local: LocalAddress, now: float) -> None:
        """Begin to use an address, and ask meanwhile whether somebody else does."""
        address = local.address
        if address in self._refused:
            return
        is_new = self.interface.find(address) is None
        if not self.interface.add(local):
            return
        network = IpNetwork.of(address, local.prefix_length)
        self.routes.add(Route(IpNetwork(address, address.bits), LOOPBACK, origin="local"))
        if (
            local.origin != "slaac" and local.prefix_length < address.bits
        ):  # SLAAC: the router says what is on-link
            self.routes.add(Route(network, self.interface.name, origin=local.origin))
        if is_new:
            local.is_tentative = True
            self._probations.append((now + PROBE_SECONDS, address))
            self.link.probe_address(address)
            if address.version == 4:
                self.link.announce(address)
            self.events.append(AddressConfigured(address, local.prefix_length, local.origin))

    def remove_address(self, address: IpAddress, reason: str) -> None:
        """Stop using an address."""
        local = self.interface.find(address)
        if local is None:
            return
        self.interface.remove(address)
        self.routes.remove(IpNetwork(address, address.bits), None, "local")
        network = IpNetwork.of(address, local.prefix_length)
        if not any(IpNetwork.of(a.address, a.prefix_length) == network for a in self.interface):
            self.routes.remove(network, None, local.origin)
        self._probations = [p for p in self._probations if p[1] != address]
        self.events.append(AddressRemoved(address, reason))

    def add_default_route(self, gateway: IpAddress, origin: str) -> None:
        network = _DEFAULT_IPV4 if gateway.version == 4 else _DEFAULT_IPV6
        self.routes.add(Route(network, self.interface.name, gateway, origin=origin))

    def route_to(self, destination: IpAddress) -> Route:
        """Look up the way; UnreachableError when there is none."""
        if destination.is_multicast or destination.is_broadcast:
            return Route(IpNetwork(destination, destination.bits), self.interface.name)
        route = self.routes.lookup(destination)
        if route is None:
            self._counters.drop(DropReason.NO_ROUTE)
            raise UnreachableError(f"IPv{destination.version}: no route to {destination}")
        return route

    def source_for(self, destination: IpAddress) -> IpAddress:
        """Choose our address; AddressError when there is none of the family."""
        return self.interface.source_for(destination, self._now)

    def mtu_to(self, destination: IpAddress, route: Route, now: float) -> int:
        if route.is_loopback:
            return LOOPBACK_MTU
        return self.path_mtus.of(destination, self.interface.mtu_of(destination.version), now)

    # ---- sending

    def send(self, packet: IpPacket, now: float, failed: Callable[[], None] | None = None) -> None:
        """Route a packet and send it, in fragments if it must be.

        UnreachableError without a route; `failed` is called later, when the
        next hop does not answer.
        """
        self._now = now
        destination = packet.destination
        route = self.route_to(destination)
        for part in self._fragments(packet, self.mtu_to(destination, route, now)):
            if route.is_loopback:
                self._loop(part)
            else:
                ethertype = ETHERTYPE_IPV4 if destination.version == 4 else ETHERTYPE_IPV6
                header = part.build_header(len(part.payload))
                self.link.send(route.gateway or destination, ethertype, (header, part.payload), now, failed)

    def send_unconfigured(self, packet: Ipv4Packet, now: float) -> None:
        """Broadcast a packet on the link without asking the routes, for DHCP."""
        data = packet.build()
        self.link.send(packet.destination, ETHERTYPE_IPV4, (data,), now)

    def loop(self, ethertype: int, data: bytes) -> None:
        """Put a packet to ourselves on its way."""
        if len(self.looped) >= MAX_LOOPED:
            self._counters.drop(DropReason.LOOPBACK_FULL)
        else:
            self.looped.append((ethertype, data))

    def _loop(self, packet: IpPacket) -> None:
        self.loop(ETHERTYPE_IPV4 if len(packet.source) == 4 else ETHERTYPE_IPV6, packet.build())

    def _fragments(self, packet: IpPacket, mtu: int) -> list[IpPacket]:
        header = len(packet.build_header(0))
        size = len(packet.payload)
        if header + size <= mtu:
            return [packet]
        step = (mtu - header - (0 if len(packet.source) == 4 else 8)) & ~7
        identification = int.from_bytes(self._random_bytes(4), "big")
        parts: list[IpPacket] = []
        for start in range(0, size, step):
            more = start + step < size
            payload = packet.payload[start : start + step]
            if isinstance(packet, Ipv4Packet):
                part: IpPacket = packet._replace(
                    payload=payload,
                    identification=identification & 0xFFFF,
                    more_fragments=more,
                    fragment_offset=start,
                )
            else:
                part = packet._replace(
                    payload=payload,
                    identification=identification,
                    more_fragments=more,
                    fragment_offset=start,
                    has_fragment_header=True,
                )
            parts.append(part)
        return parts

    # ---- receiving

    def receive(
        self, ethertype: int, data: Buffer, now: float, *, is_looped: bool = False, is_trusted: bool = False
    ) -> None:
        """Take an IP packet; never raises what a packet can cause.

        `is_trusted`: the device vouches for the transport checksum.
        """
        self._now = now
        packet: IpPacket | None = None
        try:
            packet = Ipv4Packet.parse(data) if ethertype == ETHERTYPE_IPV4 else Ipv6Packet.parse(data)
            if not self._is_welcome(packet, is_looped):
                return
            if packet.is_fragment:
                packet = self._reassembler.receive_fragment(packet, now)
                is_trusted = False
                if packet is None:
                    return
            self._dispatch(packet, is_trusted or is_looped, now)
        except ParameterProblemError as problem:
            self._counters.drop(DropReason.MALFORMED)
            if ethertype == ETHERTYPE_IPV6:
                self._answer_problem(problem, data, now)
        except MalformedPacketError:
            self._counters.drop(DropReason.MALFORMED)
        except (UnreachableError, AddressError):
            pass  # counted; whoever sent this cannot be answered

    def receive_arp(self, data: Buffer, source_mac: bytes, now: float) -> None:
        self._now = now
        try:
            self.link.receive_arp(data, source_mac, now)
        except MalformedPacketError:
            self._counters.drop(DropReason.MALFORMED)

    def _is_welcome(self, packet: IpPacket, is_looped: bool) -> bool:
        """Filter what is not for us, and what cannot be: martians (RFC 1812 §5.3.7, RFC 4291 §2.5, §2.7)."""
        source, destination, interface = packet.source, packet.destination, self.interface
        if is_looped:
            return True
        if (
            source.is_multicast
            or source.is_broadcast
            or source.is_loopback
            or destination.is_loopback
            or (source.is_unspecified and packet.protocol != ICMPV6)  # which probes addresses so
            or (interface.find(source) is not None and not _is_neighbor_message(packet))  # land, and its kin
            or interface.is_group(source)
        ):
            self._counters.drop(DropReason.MARTIAN)
            return False
        if not interface.accepts(destination) and not (self.awaits_lease and _is_for_dhcp(packet)):
            self._counters.drop(DropReason.NOT_OURS)
            return False
        if isinstance(packet, Ipv4Packet) and packet.options and has_source_route(packet.options):
            self._counters.drop(DropReason.SOURCE_ROUTE)
            return False
        return True

    def _dispatch(self, packet: IpPacket, is_trusted: bool, now: float) -> None:
        protocol = packet.protocol
        if isinstance(packet, Ipv4Packet):
            if protocol == ICMP:
                self._receive_icmpv4(packet, now)
                return
        elif protocol == ICMPV6:
            self._receive_icmpv6(packet, now)
            return
        elif protocol == NO_NEXT_HEADER:
            return
        if not self._deliver(packet, is_trusted, now):
            self._counters.drop(DropReason.UNKNOWN_PROTOCOL)
            value = 0 if len(packet.source) == 4 else packet.next_header_offset
            self.send_error(packet, icmp.PROTOCOL_UNREACHABLE, now, value)

    def _receive_icmpv4(self, packet: Ipv4Packet, now: float) -> None:
        message = Icmpv4Message.parse(packet.payload)
        if message.type == icmpv4.ECHO_REQUEST:
            if not self.interface.is_group(packet.destination):  # RFC 1122 §3.2.2.6: smurf
                self._answer_echo(packet, message, now)
        elif message.type == icmpv4.ECHO_REPLY:
            self._echoed(packet, message, now)
        else:
            self._receive_error(message, packet.source, now)

    def _receive_icmpv6(self, packet: Ipv6Packet, now: float) -> None:
        message = Icmpv6Message.parse(packet.payload, packet.source, packet.destination)
        if message.type == icmpv6.ECHO_REQUEST:
            if not packet.source.is_unspecified:
                self._answer_echo(packet, message, now)
        elif message.type == icmpv6.ECHO_REPLY:
            self._echoed(packet, message, now)
        elif ndisc.ROUTER_SOLICITATION <= message.type <= ndisc.NEIGHBOR_ADVERTISEMENT:
            self._receive_discovery(message, packet, now)
        elif message.type < icmpv6.FIRST_INFORMATIONAL_TYPE:
            self._receive_error(message, packet.source, now)

    def _receive_error(self, message: Icmpv4Message | Icmpv6Message, reporter: IpAddress, now: float) -> None:
        error = icmp.read_error(message, reporter)
        if error is None:
            return
        if self.interface.find(error.quoted.source) is None and not error.quoted.source.is_loopback:
            self._counters.drop(DropReason.ICMP_UNMATCHED)
            return
        self._report(error, now)

    def _receive_discovery(self, message: Icmpv6Message, packet: Ipv6Packet, now: float) -> None:
        """Neighbour discovery, from this link only (RFC 4861 §6.1, §7.1)."""
        if packet.hop_limit != ndisc.HOP_LIMIT or message.code != 0:
            self._counters.drop(DropReason.BAD_HOP_LIMIT)
        elif message.type == ndisc.NEIGHBOR_SOLICITATION:
            self.link.receive_solicitation(message, packet, now)
        elif message.type == ndisc.NEIGHBOR_ADVERTISEMENT:
            self.link.receive_advertisement(message, packet, now)
        elif message.type == ndisc.ROUTER_ADVERTISEMENT and packet.source.is_link_local:
            advertisement = RouterAdvertisement.parse(message)
            if advertisement.source_mac is not None:
                self.link.neighbors.heard_request(packet.source, advertisement.source_mac, now)
            self.discovery.receive_advertisement(advertisement, packet.source, now)

    # ---- answering

    def _answer_echo(self, packet: IpPacket, message: Icmpv4Message | Icmpv6Message, now: float) -> None:
        source = packet.destination
        if self.interface.is_group(source):
            source = self.source_for(packet.source)
        echo = (message.identifier, message.sequence, bytes(message.body))
        self._send_quietly(icmp.echo_packet(source, packet.source, echo, is_reply=True), now)

    def send_error(
        self, packet: IpPacket, types: tuple[tuple[int, int], tuple[int, int]], now: float, value: int = 0
    ) -> None:
        """Tell a packet's sender what is wrong, if the rules and the rate allow it."""
        if self.interface.is_group(packet.destination):
            return
        error = icmp.error_about(packet, types, packet.destination, value)
        if error is None:
            return
        if not self._error_limit.allows(now):
            self._counters.drop(DropReason.ICMP_RATE_LIMITED)
            return
        self._send_quietly(error, now)

    def _answer_problem(self, problem: ParameterProblemError, data: Buffer, now: float) -> None:
        """Send the parameter problem of a packet that could not be walked to its end."""
        length = ipv6.HEADER_SIZE + int.from_bytes(data[4:6], "big")
        quoted = Ipv6Packet(
            IpAddress(data[8:24]),
            IpAddress(data[24:40]),
            HOP_BY_HOP,
            bytes(data[ipv6.HEADER_SIZE : length]),
        )
        if self.interface.find(quoted.destination) is None:
            return
        self.send_error(
            quoted._replace(protocol=data[6], hop_limit=data[7]),
            icmp.parameter_problem(problem.code),
            now,
            problem.pointer,
        )

    def _send_quietly(self, packet: IpPacket, now: float) -> None:
        try:
            self.send(packet, now)
        except (UnreachableError, AddressError):
            pass  # counted; nobody is there to be told

    # ---- time

    def next_timeout(self) -> float | None:
        versions = (self.routes.version, self.interface.version)
        if versions != self._lifetimes_of:
            self._lifetimes_of = versions
            self._lifetime = _earliest(self.routes.next_timeout(), self.interface.next_timeout())
        return _earliest(
            self.link.neighbors.next_timeout(),
            self._reassembler.next_timeout(),
            self.discovery.next_timeout(),
            self._lifetime,
            self._probations[0][0] if self._probations else None,
        )

    def handle_timeout(self, now: float) -> None:
        self._now = now
        self.link.neighbors.handle_timeout(now)
        while (address := self.link.neighbors.next_failure()) is not None:
            self.events.append(NeighborFailed(address))
        self.link.flush()
        for first_fragment in self._reassembler.handle_timeout(now):
            self.send_error(first_fragment, icmp.REASSEMBLY_TIME_EXCEEDED, now)
        self.discovery.handle_timeout(now)
        self._flush_discovery()
        self.routes.handle_timeout(now)
        for local in self.interface.expired(now):
            self.routes.remove(IpNetwork(local.address, local.address.bits), None, "local")
            self.events.append(AddressRemoved(local.address, "its lifetime is over"))
        while self._probations and self._probations[0][0] <= now:
            probed = self.interface.find(self._probations.pop(0)[1])
            if probed is not None:
                probed.is_tentative = False

    def _flush_discovery(self) -> None:
        if self.discovery.next_solicitation():
            self.link.solicit_routers()

    def _address_claimed(self, address: IpAddress, mac: bytes) -> None:
        """Somebody else has our address: give up what is on probation, defend what is not (RFC 5227 §2.4)."""
        local = self.interface.find(address)
        if local is None:
            return
        self.events.append(AddressConflict(address, mac))
        if not local.is_tentative:
            if self._error_limit.allows(self._now):
                self.link.announce(address)
            return
        if local.origin == "static":
            return  # the user has the last word
        if local.origin == "dhcp":
            self.decline(self._now)
        elif len(self._refused) < MAX_REFUSED:
            self._refused.add(address)
        self.remove_address(address, "another host has it")


def _earliest(*times: float | None) -> float | None:
    earliest = None
    for time in times:
        if time is not None and (earliest is None or time < earliest):
            earliest = time
    return earliest


def _is_for_dhcp(packet: IpPacket) -> bool:
    return packet.protocol == UDP and bytes(packet.payload[2:4]) == _DHCP_CLIENT_PORT


def _is_neighbor_message(packet: IpPacket) -> bool:
    """Tell whether another host may rightly send this from our address: the one that has it as well."""
    return (
        isinstance(packet, Ipv6Packet)
        and packet.protocol == ICMPV6
        and packet.hop_limit == ndisc.HOP_LIMIT
        and packet.payload[:1] in (_SOLICITATION, _ADVERTISEMENT)
    )
