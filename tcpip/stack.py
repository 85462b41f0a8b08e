"""A host's network stack without input or output: frames in, frames out, sockets above.

    stack = Stack(StackConfig(), device.mac, device.mtu, device.offloads, random_bytes)
    stack.receive_frame(frame, flags, gso_size, now)
    for frame in stack.frames_to_send(now): device.send_frame(*frame)

Who reads on finds IP in `net/ip`, connections in `flows`, TCP in `tcp/`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tcpip.config import StackConfig
from tcpip.counters import Counters, DropReason
from tcpip.device import CHECKSUM_GOOD, CHECKSUM_PARTIAL, Buffer
from tcpip.dhcp import DhcpClient, DhcpState
from tcpip.errors import AddressError, MalformedPacketError, StackError, UnreachableError
from tcpip.events import Event, Lease, LeaseLost, LeaseObtained
from tcpip.flow import DEFAULT_BACKLOG, Listener
from tcpip.flows import Flows
from tcpip.net import icmp
from tcpip.net.frame import Frame
from tcpip.net.icmp import IcmpKind, ReportedError
from tcpip.net.interface import Interface, LocalAddress
from tcpip.net.ip import IpLayer, IpPacket
from tcpip.net.ports import PortAllocator
from tcpip.tcp.connection import TcpConnection
from tcpip.wire import dhcp, icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import ones_sum
from tcpip.wire.dhcp import DhcpMessage
from tcpip.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, HEADER_SIZE
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import ICMP, ICMPV6, TCP, UDP
from tcpip.wire.tcp import ACK, SYN, Segment
from tcpip.wire.udp import UdpDatagram

if TYPE_CHECKING:
    from tcpip.ping import PingSocket
    from tcpip.udp import UdpSocket

__all__ = ["Frame", "Listener", "Stack", "StackConfig", "TcpConnection"]

# Ethernet and IPv4 without options at once: destination MAC, Ethertype, version and header length, total
# length, fragment, protocol, and the octets that name the connection.
_TCP_IPV4 = struct.Struct("!6s6xHBxHxxHxBxx12s")
# The same for IPv6 without extension headers.
_TCP_IPV6 = struct.Struct("!6s6xHB3xHBx36s")
_SYN_ACK = SYN | ACK
_TRUSTED = CHECKSUM_GOOD | CHECKSUM_PARTIAL
_MIN_TCP_IPV4 = 14 + 20 + 20
_MIN_TCP_IPV6 = 14 + 40 + 20
_LOOPED_AT_ONCE = 256


class Stack:
    """One interface with its addresses, and all sockets."""

    def __init__(
        self, config: StackConfig, mac: bytes, mtu: int, offloads: int, random_bytes: Callable[[int], bytes]
    ) -> None:
        self.config = config
        self.counters = Counters()
        self._random_bytes = random_bytes
        self._mac = bytes(mac)
        self._interface = Interface(config.interface_name, self._mac, mtu)
        self._ip = IpLayer(
            self._interface,
            self.counters,
            random_bytes,
            self._deliver,
            self._report,
            self._echoed,
        )
        self._flows = Flows(
            self._ip, self.counters, config.tcp, offloads, random_bytes, config.max_connections
        )
        self._by_key = self._flows.by_key
        self._outbox = self._ip.link.outbox
        self._ports = PortAllocator(random_bytes)
        self._udp: dict[int, UdpSocket] = {}
        self._pings: dict[int, PingSocket] = {}
        self._dhcp = DhcpClient(self._mac, random_bytes, config.host_name)
        self._ip.decline = self._decline_lease
        self._started = False
        self._now = 0.0

    # ---- questions

    def is_configured(self, version: int) -> bool:
        """Tell whether there is an address of a family (4 or 6) that reaches beyond the link."""
        return self._interface.has_usable(version)

    def dns_servers(self) -> tuple[IpAddress, ...]:
        """Resolvers: the user's if there are any, else those of the lease and of routers."""
        if self.config.dns_servers:
            return self.config.dns_servers
        lease = self._dhcp.lease
        return (lease.dns_servers if lease is not None else ()) + self._ip.discovery.dns_servers(self._now)

    def search_domains(self) -> tuple[str, ...]:
        lease = self._dhcp.lease
        own = (lease.domain,) if lease is not None and lease.domain else ()
        return own + self._ip.discovery.search

    @property
    def lease(self) -> Lease | None:
        return self._dhcp.lease

    def info(self) -> dict[str, object]:
        """Everything to show of the state: plain values, ready for JSON."""
        from tcpip.snapshot import snapshot

        return snapshot(self._ip, self._flows, self._dhcp, self.dns_servers(), self.counters, self._now)

    def local_of(self, connection: TcpConnection) -> tuple[IpAddress, int]:
        """Name this side of a connection that is not closed."""
        return self._flows.of(connection).local, connection.local_port

    def remote_of(self, connection: TcpConnection) -> tuple[IpAddress, int]:
        return self._flows.of(connection).remote, connection.remote_port

    # ---- frames in

    def receive_frame(self, frame: memoryview, flags: int, gso_size: int, now: float) -> None:
        """Take an Ethernet frame; whatever is in it, nothing is raised.

        What is kept of the frame longer is copied.
        """
        counters = self.counters
        counters.frames_received += 1
        counters.octets_received += len(frame)
        self._now = now
        try:
            if not self._receive_tcp(frame, flags, now):
                self._receive(frame, flags, now)
        except MalformedPacketError:
            counters.drop(DropReason.MALFORMED)

    def _receive_tcp(self, frame: memoryview, flags: int, now: float) -> bool:
        """The short way of segments of known connections; False: nothing was done with the frame."""
        size = len(frame)
        if size < _MIN_TCP_IPV4:
            return False
        mac, ethertype, version, total, fragment, protocol, key = _TCP_IPV4.unpack_from(frame)
        if ethertype == ETHERTYPE_IPV4:
            if version != 0x45 or protocol != TCP or fragment & 0x3FFF:
                return False
            start, end = 34, 14 + total
            if end > size or ones_sum(frame[14:34]):
                return False
        elif ethertype == ETHERTYPE_IPV6 and size >= _MIN_TCP_IPV6:
            mac, _, version, total, protocol, key = _TCP_IPV6.unpack_from(frame)
            if version >> 4 != 6 or protocol != TCP:
                return False
            start, end = 54, 54 + total
            if end > size:
                return False
        else:
            return False
        flow = self._by_key.get(key)
        if flow is None or flow.is_loopback or mac != self._mac:
            return False
        data = frame[start:end]
        if not flags & _TRUSTED and not flow.is_valid_checksum(data):
            self.counters.drop(DropReason.CHECKSUM)
            return True
        segment = Segment.parse(data)
        if segment.flags & _SYN_ACK == SYN:
            return False  # it may begin a connection in place of this one
        flow.connection.receive_segment(segment, now)
        if not flow.is_ready:
            self._flows.mark_ready(flow)
        return True

    def _receive(self, frame: memoryview, flags: int, now: float) -> None:
        if not self._started:
            self._start(now)
        if len(frame) < HEADER_SIZE:
            self.counters.drop(DropReason.MALFORMED)
            return
        destination, source = bytes(frame[0:6]), bytes(frame[6:12])
        if destination != self._mac and not destination[0] & 1:
            self.counters.drop(DropReason.NOT_OURS)
            return
        ethertype = frame[12] << 8 | frame[13]
        data = frame[HEADER_SIZE:]
        if ethertype in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            self._ip.receive(ethertype, data, now, is_trusted=bool(flags & _TRUSTED))
        elif ethertype == ETHERTYPE_ARP:
            self._ip.receive_arp(data, source, now)
        else:
            self.counters.drop(DropReason.UNKNOWN_ETHERTYPE)

    # ---- frames out

    def frames_to_send(self, now: float) -> Iterator[Frame]:
        """Lazily what may be sent now; whoever stops asking loses nothing.  A burst may be built already."""
        self._now = now
        if not self._started:
            self._start(now)
        outbox = self._outbox
        while True:
            while outbox:
                yield outbox.popleft()
            yield from self._flows.frames_to_send(now)
            if not self._receive_looped(now) and not outbox:
                return

    def _receive_looped(self, now: float) -> bool:
        """Take what we sent to ourselves; True when there was any."""
        looped = self._ip.looped
        for count in range(_LOOPED_AT_ONCE):
            if not looped:
                return count > 0
            ethertype, data = looped.popleft()
            self._ip.receive(ethertype, memoryview(data), now, is_looped=True)
        return True

    # ---- time and news

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is to be called; now or earlier: at once."""
        if not self._started:
            return self._now
        times = (self._ip.next_timeout(), self._flows.next_timeout(), self._dhcp.next_timeout())
        return min((t for t in times if t is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        self._now = now
        if not self._started:
            self._start(now)
        self._ip.handle_timeout(now)
        self._flows.handle_timeout(now)
        self._dhcp.handle_timeout(now)
        self._serve_dhcp(now)

    def next_event(self) -> Event | None:
        """Give the oldest news; old news are lost when nobody asks."""
        events = self._ip.events
        return events.popleft() if events else None

    # ---- sockets

    def tcp_connect(
        self,
        remote: IpAddress,
        port: int,
        now: float,
        *,
        local: IpAddress | None = None,
        local_port: int = 0,
        traffic_class: int = 0,
    ) -> TcpConnection:
        """Open a connection; UnreachableError without a route, AddressError without an address of ours.

        `local` and `local_port` choose our end; AddressError when it cannot be had.
        """
        self._begin(now)
        return self._flows.connect(remote, port, local_port, now, local, traffic_class)

    def has_address(self, address: IpAddress) -> bool:
        """Tell whether an address is one of ours, loopback included."""
        return self._interface.is_local(address)

    def source_for(self, address: IpAddress) -> IpAddress | None:
        """The address that we would send from; None without a way there."""
        try:
            self._ip.route_to(address)
            return self._ip.source_for(address)
        except StackError:
            return None

    def tcp_listen(self, port: int, backlog: int = DEFAULT_BACKLOG) -> Listener:
        """Take connections at a port of every address of ours; port 0: choose one."""
        return self._flows.listen(port, backlog)

    def is_listening(self, port: int) -> bool:
        """Tell whether somebody here takes connections at a port."""
        return self._flows.is_listening(port)

    def wants_to_send(self, connection: TcpConnection) -> None:
        """Look at a connection in the next `frames_to_send`: call it after a command."""
        self._flows.wants_to_send(connection)

    def release(self, connection: TcpConnection) -> None:
        """Say that nobody will ask the connection any more; it is closed, and forgotten when it has ended."""
        self._flows.release(connection, self._now)

    def udp_open(self, local_port: int = 0) -> UdpSocket:
        """Open a port; 0: a random one.  AddressError when it is taken."""
        from tcpip.udp import UdpSocket

        if len(self._udp) >= self.config.max_sockets:
            raise AddressError(f"UDP: {len(self._udp)} sockets are open, and no more may be")
        if local_port == 0:
            local_port = self._ports.choose(self._udp.__contains__)
        if local_port in self._udp or (local_port == dhcp.CLIENT_PORT and self.config.dhcp):
            raise AddressError(f"UDP: port {local_port} is taken")
        socket = UdpSocket(local_port, self._send_datagram, lambda s: self._close_udp(s))
        self._udp[local_port] = socket
        return socket

    def ping_open(self) -> PingSocket:
        """Open an echo socket with a random identifier."""
        from tcpip.ping import PingSocket

        if len(self._pings) >= self.config.max_sockets:
            raise AddressError(f"ICMP: {len(self._pings)} sockets are open, and no more may be")
        identifier = int.from_bytes(self._random_bytes(2), "big")
        while identifier in self._pings:
            identifier = identifier + 1 & 0xFFFF
        socket = PingSocket(identifier, self._send_echo, lambda s: self._close_ping(s))
        self._pings[identifier] = socket
        return socket

    def release_lease(self, now: float) -> None:
        """Give the DHCP lease back; the messages still have to be sent."""
        if self._dhcp.state is not DhcpState.STOPPED:
            self._dhcp.release()
            self._serve_dhcp(now)

    def _close_udp(self, socket: UdpSocket) -> None:
        self._udp.pop(socket.local_port, None)

    def _close_ping(self, socket: PingSocket) -> None:
        self._pings.pop(socket.identifier, None)

    # ---- delivering

    def _deliver(self, packet: IpPacket, is_trusted: bool, now: float) -> bool:
        if packet.protocol == TCP:
            self._flows.receive_packet(packet, is_trusted, now)
        elif packet.protocol == UDP:
            self._receive_udp(packet, is_trusted, now)
        else:
            return False
        return True

    def _receive_udp(self, packet: IpPacket, is_trusted: bool, now: float) -> None:
        datagram = UdpDatagram.parse(packet.payload, packet.source, packet.destination, verify=not is_trusted)
        port = datagram.destination_port
        if port == dhcp.CLIENT_PORT and self.config.dhcp and len(packet.source) == 4:
            if datagram.source_port == dhcp.SERVER_PORT:
                self._dhcp.receive_message(DhcpMessage.parse(datagram.payload), now)
                self._serve_dhcp(now)
            return
        socket = self._udp.get(port)
        if socket is None:
            self.counters.drop(DropReason.NO_SOCKET)
            self._ip.send_error(packet, icmp.PORT_UNREACHABLE, now)
        elif not socket.deliver(bytes(datagram.payload), packet.source, datagram.source_port):
            self.counters.drop(DropReason.SOCKET_QUEUE_FULL)

    def _echoed(self, packet: IpPacket, message: Icmpv4Message | Icmpv6Message, now: float) -> None:
        socket = self._pings.get(message.identifier)
        is_known = False
        if socket is not None:
            asked = socket.destination_of(message.sequence) == packet.source
            is_known = socket.receive_reply(
                packet.source, message.sequence, len(message.body), packet.hop_limit, asked, now
            )
        if not is_known:
            self.counters.drop(DropReason.ICMP_UNMATCHED)

    def _report(self, error: ReportedError, now: float) -> None:
        """Hand an ICMP error to the socket whose packet it quotes."""
        quoted = error.quoted
        if quoted.protocol == TCP:
            is_known = self._flows.receive_error(error, now)
        elif quoted.protocol == UDP:
            is_known = self._report_to_udp(error, now)
        elif quoted.protocol in (ICMP, ICMPV6):
            is_known = self._report_to_ping(error, now)
        else:
            is_known = False
        if not is_known:
            self.counters.drop(DropReason.ICMP_UNMATCHED)

    def _report_to_udp(self, error: ReportedError, now: float) -> bool:
        socket = self._udp.get(error.quoted.source_port)
        if socket is None:
            return False
        if error.kind is IcmpKind.PACKET_TOO_BIG:
            self._take_path_mtu(error, now)  # what is sent next goes in fragments
        else:
            socket.fail(error.as_exception(), error.quoted.destination, error.quoted.destination_port)
        return True

    def _report_to_ping(self, error: ReportedError, now: float) -> bool:
        quoted = error.quoted
        if quoted.payload[0] not in (icmpv4.ECHO_REQUEST, icmpv6.ECHO_REQUEST):
            return False
        identifier = int.from_bytes(quoted.payload[4:6], "big")
        sequence = int.from_bytes(quoted.payload[6:8], "big")
        socket = self._pings.get(identifier)
        if socket is None or socket.destination_of(sequence) != quoted.destination:
            return False
        if error.kind is IcmpKind.PACKET_TOO_BIG:
            self._take_path_mtu(error, now)
        socket.receive_error(error.reporter, sequence, error.ping_text)
        return True

    def _take_path_mtu(self, error: ReportedError, now: float) -> None:
        destination = error.quoted.destination
        link_mtu = self._interface.mtu_of(destination.version)
        self._ip.path_mtus.report(destination, error.mtu, link_mtu, now)

    # ---- sending for sockets

    def _send_datagram(
        self, socket: UdpSocket, data: bytes, address: IpAddress, port: int, now: float
    ) -> None:
        self._begin(now)
        self._ip.route_to(address)
        source = self._ip.source_for(address)
        payload = UdpDatagram(socket.local_port, port, data).build(source, address)
        self._ip.send(
            _packet(source, address, UDP, payload), now, lambda: self._fail_datagram(socket, address, port)
        )

    def _fail_datagram(self, socket: UdpSocket, address: IpAddress, port: int) -> None:
        socket.fail(UnreachableError(f"UDP: no neighbour answers on the way to {address}"), address, port)

    def _send_echo(
        self, socket: PingSocket, address: IpAddress, sequence: int, data: Buffer, hop_limit: int, now: float
    ) -> None:
        self._begin(now)
        self._ip.route_to(address)
        source = self._ip.source_for(address)
        echo = (socket.identifier, sequence, data)
        packet = icmp.echo_packet(source, address, echo, is_reply=False, hop_limit=hop_limit)
        kind = IcmpKind.HOST_UNREACHABLE
        self._ip.send(
            packet, now, lambda: socket.receive_error(source, sequence, icmp.ping_text(kind, address))
        )

    # ---- configuration

    def _begin(self, now: float) -> None:
        self._now = now
        if not self._started:
            self._start(now)

    def _start(self, now: float) -> None:
        """Bring the interface up: what is configured, and whom to ask for the rest."""
        self._started = True
        config = self.config
        for static in config.addresses:
            self._ip.add_address(LocalAddress(static.address, static.prefix_length, "static"), now)
        for gateway in config.gateways:
            self._ip.add_default_route(gateway, "static")
        if config.dhcp:
            self._dhcp.start(now)
            self._serve_dhcp(now)
        if config.router_advertisements:
            self._ip.start_ipv6(now)

    def _serve_dhcp(self, now: float) -> None:
        """Do what the DHCP client has decided, and send what it says."""
        client, ip = self._dhcp, self._ip
        while (event := client.next_event()) is not None:
            if isinstance(event, LeaseObtained):
                self._take_lease(event.lease, now)
            else:
                self._drop_lease(event)
            ip.events.append(event)
        ip.awaits_lease = client.state is not DhcpState.STOPPED
        while (outgoing := client.next_message()) is not None:
            message, source, destination = outgoing
            data = UdpDatagram(dhcp.CLIENT_PORT, dhcp.SERVER_PORT, message.build()).build(source, destination)
            packet = Ipv4Packet(source, destination, UDP, data)
            try:
                if destination.is_broadcast:
                    ip.send_unconfigured(packet, now)
                else:
                    ip.send(packet, now)
            except StackError:
                pass  # counted; the client tries again

    def _take_lease(self, lease: Lease, now: float) -> None:
        ip = self._ip
        if ip.interface.find(lease.address) is None:
            ip.add_address(LocalAddress(lease.address, lease.prefix_length, "dhcp"), now)
        if lease.mtu is not None:
            ip.interface.set_mtu(4, lease.mtu)
        if not self.config.gateways:
            for router in lease.routers[:1]:
                ip.add_default_route(router, "dhcp")

    def _decline_lease(self, now: float) -> None:
        self._dhcp.decline(now)
        self._serve_dhcp(now)

    def _drop_lease(self, event: LeaseLost) -> None:
        self._ip.remove_address(event.address, event.reason)
        self._ip.routes.remove_origin("dhcp")


def _packet(source: IpAddress, destination: IpAddress, protocol: int, payload: bytes) -> IpPacket:
    if source.version == 4:
        return Ipv4Packet(source, destination, protocol, payload)
    return Ipv6Packet(source, destination, protocol, payload)
