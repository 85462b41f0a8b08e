"""The user-mode network: a gateway made of host sockets, behind the software device.

It fits `virtio.device.backend.Backend` by its shape.  `transmit` takes the
guest's frames and at once hands their payload to the host's sockets;
`service` brings what the sockets have, answers, and runs the timers.

    frame --> ARP, ND       neighbors.py
              TCP           tcp_table.py -> splice.py      (a fast path: no object per header)
              UDP           DHCP, else datagrams.py        (DNS to the host's resolvers)
              ICMP          the gateway's own echo, else datagrams.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tcpip.errors import MalformedPacketError, UsageError
from tcpip.usernet.config import UserNetConfig
from tcpip.usernet.counters import Counters
from tcpip.usernet.datagrams import EchoTable, UdpTable
from tcpip.usernet.dhcp_server import DhcpServer
from tcpip.usernet.errors_to_guest import ErrorSender
from tcpip.usernet.fragments import Packet, Reassembler
from tcpip.usernet.link import DATA_VALID, NEEDS_CSUM, OFFERED, Link
from tcpip.usernet.neighbors import ADVERTISEMENT_INTERVAL, GATEWAY_LINK_LOCAL, Neighbors
from tcpip.usernet.port import NetHeader, Port
from tcpip.usernet.sockets import HostSockets
from tcpip.usernet.tcp_table import TcpTable
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IPV4_LOOPBACK, IPV6_LOOPBACK, IpAddress
from tcpip.wire.checksum import is_valid, ones_sum
from tcpip.wire.dhcp import CLIENT_PORT, SERVER_PORT
from tcpip.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, HEADER_SIZE
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import ICMP, ICMPV6, TCP, UDP
from tcpip.wire.udp import UdpDatagram

if TYPE_CHECKING:
    from tcpip.usernet.impair import ImpairedPort, Wire
    from tcpip.usernet.info import UserNetInfo
    from tcpip.usernet.local_end import LocalEnd

OnFrame = Callable[[bool, Sequence[memoryview]], None]
Target = tuple[IpAddress, int]

_FULL_HEADERS = 14 + 40 + 60
_V4_MAPPED = bytes(10) + b"\xff\xff"


class UserNetwork:
    """The network on the far side of the default NIC; one guest, one thread, never waits."""

    def __init__(
        self,
        config: UserNetConfig,
        sockets: HostSockets | None = None,
        *,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.config = config
        self._sockets = HostSockets() if sockets is None else sockets
        self._counters = Counters()
        self._link = Link(config.gateway_mac, config.guest_mac, config.mtu, config.max_queued_frames)
        gateway6 = config.gateway6 or GATEWAY_LINK_LOCAL
        self._errors = ErrorSender(self._link, config.gateway, gateway6)
        self._neighbors = Neighbors(config, self._link)
        self._dhcp = DhcpServer(config)
        self._reassembler = Reassembler(config.max_fragments, config.fragment_timeout)
        self._forwards: dict[int, Target] = {}
        self._local_ends: dict[int, LocalEnd] = {}
        self._gateways = {
            config.gateway: IPV4_LOOPBACK,
            gateway6: IPV6_LOOPBACK,
            GATEWAY_LINK_LOCAL: IPV6_LOOPBACK,
        }
        self._dns = (config.dns, config.dns6)
        self._own = {*self._gateways, *self._dns}
        self._nobody = (config.guest, config.network.address, config.network.broadcast)
        self._tcp = TcpTable(
            config, self._link, self._sockets, self._counters, random_bytes,
            self._route_tcp, self._errors.send_refusal, self._forget_forward, self._take_local_end,
        )  # fmt: skip
        self._udp = UdpTable(
            config, self._link, self._sockets, self._counters, self._errors, self._route_datagram
        )
        self._echo = EchoTable(
            config, self._link, self._sockets, self._counters, self._errors, config.max_echo_flows
        )
        self._wire_out: Wire | None = None
        self._wire_in: Wire | None = None
        if config.impair is not None:
            from tcpip.usernet.impair import Wire

            self._wire_out = Wire(config.impair.from_guest, config.impair.seed * 2)
            self._wire_in = Wire(config.impair.to_guest, config.impair.seed * 2 + 1)
        self._impaired: ImpairedPort | None = None
        self._port: Port | None = None
        self._features = 0
        self._on_frame: OnFrame | None = None
        self._advertise_at: float | None = None
        self._now = 0.0
        self._is_closed = False

    # --- what a software device asks (Backend) -------------------------

    @property
    def mac(self) -> bytes:
        return self.config.guest_mac

    @property
    def mtu(self) -> int:
        return self.config.mtu

    @property
    def features(self) -> int:
        return OFFERED

    def attach(self, port: Port, features: int) -> None:
        """Begin to deliver to `port`; flows outlive a reset of the device."""
        self._port, self._features = port, features
        if self._on_frame is not None:
            from tcpip.usernet.impair import CapturingPort

            port = CapturingPort(port, self._on_frame)
        if self._wire_in is not None:
            from tcpip.usernet.impair import ImpairedPort

            self._impaired = ImpairedPort(port, self._wire_in)
            self._impaired.now = self._now
            port = self._impaired
        self._link.attach(port, features)
        self._advertise_at = None  # the next `service` knows what time it is

    def detach(self) -> None:
        self._port = self._impaired = self._advertise_at = None
        self._link.detach()

    def transmit(self, pieces: Sequence[memoryview], header: NetHeader) -> None:
        """Take a frame of the guest; nothing in it makes this raise."""
        if self._is_closed:
            return
        if self._on_frame is not None:
            self._on_frame(True, pieces)
        if self._wire_out is not None:
            self._wire_out.offer(b"".join(pieces), header, self._now)
            self._wire_out.take_due(self._now, self._receive_copy)
            return
        self._receive(pieces, header)

    def service(self, now: float) -> None:
        """Move what can be moved; `now` is also the time of what is transmitted until the next call."""
        if self._is_closed:
            return
        self._now = now
        if self._wire_out is not None:
            self._wire_out.take_due(now, self._receive_copy)
        if self._impaired is not None:
            self._impaired.deliver_due(now)
        self._link.flush()
        for fileno, events in self._sockets.poll():
            if not self._tcp.receive_event(fileno, events, now) and not self._udp.receive_event(
                fileno, events, now
            ):
                self._echo.receive_event(fileno, events, now)
        self._run_timers(now)
        self._tcp.pump(now)
        self._udp.pump(now)
        self._echo.pump(now)
        if self._impaired is not None:
            self._impaired.deliver_due(now)

    def next_timeout(self) -> float | None:
        """When there is something to do; `service`'s last time if there is already."""
        if self._is_closed:
            return None
        is_stuck = self._link.has_queued or self._port is None
        if not is_stuck and (
            (self._tcp.has_ready and not self._tcp.is_blocked) or self._udp.has_ready or self._echo.has_ready
        ):
            return self._now
        times = [
            self._tcp.next_timeout(),
            self._udp.next_timeout(),
            self._echo.next_timeout(),
            self._advertise_at,
        ]
        if self._wire_out is not None:
            times.append(self._wire_out.next_timeout())
        if self._wire_in is not None and self._impaired is not None and not self._impaired.is_blocked:
            times.append(self._wire_in.next_timeout())
        return min((t for t in times if t is not None), default=None)

    def wait_fds(self) -> Sequence[int]:
        return () if self._is_closed else (self._sockets.fileno,)

    def close(self) -> None:
        """End all flows, as the end of a program ends its connections."""
        if self._is_closed:
            return
        self._is_closed = True
        self.detach()
        for port in list(self._local_ends):
            self.take_back(port)
        self._tcp.close()
        self._udp.close()
        self._echo.close()
        self._sockets.close()

    # --- what the host program asks ------------------------------------

    def forward(self, local_port: int, target: Target) -> None:
        """Send the next connection from this port of the guest to exactly this address of the host.

        For loopback addresses, which no frame can carry.  It holds for a
        connection to the gateway, and ends with it.
        """
        address, port = target
        if not 0 < local_port < 65_536 or not 0 < port < 65_536:
            raise UsageError(f"user-mode network: cannot forward port {local_port} to {address} port {port}")
        self._forwards.pop(local_port, None)
        while len(self._forwards) >= self.config.max_forwards:
            del self._forwards[next(iter(self._forwards))]
        self._forwards[local_port] = target

    def prepare(self, local_port: int, end: LocalEnd) -> None:
        """Let the next connection from this port of the guest go on from a socket that is bound already.

        It belongs to the network from now on.
        """
        self._local_ends[local_port] = end

    def take_back(self, local_port: int) -> None:
        """Forget the rules of a port from which no connection will come after all."""
        self._forwards.pop(local_port, None)
        end = self._local_ends.pop(local_port, None)
        if end is not None:
            end.close()

    def forward_datagrams(self, local_port: int, target: Target | None, end: LocalEnd | None) -> None:
        """The same for UDP from a port of the guest, until it is taken back; None leaves it as it is."""
        self._udp.rules[local_port] = target, end

    def take_back_datagrams(self, local_port: int) -> None:
        """End the flows of such a port, and its rule."""
        self._udp.forget(local_port)

    def host_endpoint(self, local_port: int, family: int) -> Target | None:
        """What a server sees as the other end of the connection from this port of the guest.

        `family` is 4 or 6, of the guest's connection.  None: no such connection.
        """
        return self._tcp.local_of(local_port, family)

    def tune(
        self, local_port: int, family: int, *, nagle: bool, keepalive: float | None, probes: int | None
    ) -> None:
        """Set on the host's half of a connection what `TcpStream.tune` sets on the guest's."""
        flow = self._tcp.flow_of(local_port, family)
        if flow is not None:
            try:
                flow.socket.tune(nagle=nagle, keepalive=keepalive, probes=probes)
            except OSError:
                pass  # it broke meanwhile, which is told elsewhere

    def reached_by(self, address: IpAddress) -> IpAddress:
        """Which address of the host a connection to this address comes to."""
        if address in self._dns:
            return self._udp.resolver or address
        return self._gateways.get(address, address)

    def icmp_refusal(self) -> str | None:
        """Why hosts beyond the gateway cannot be pinged; None: they can."""
        return self._sockets.echo_refusal()

    def capture(self, on_frame: OnFrame | None) -> None:
        """Show each frame at the device's side: `on_frame(is_from_guest, pieces)`, good during the call."""
        self._on_frame = on_frame
        if self._port is not None:
            self.attach(self._port, self._features)

    def info(self) -> UserNetInfo:
        from tcpip.usernet.info import UserNetInfo, flow_info

        counters, config = self._counters, self.config
        flows = self._tcp.flows.values()
        lost = sum(wire.frames_lost for wire in (self._wire_out, self._wire_in) if wire is not None)
        return UserNetInfo(
            network=str(config.network),
            network6=str(config.network6) if config.network6 else None,
            tcp_flows=tuple(flow_info(flow) for flow in flows),
            udp_flows=len(self._udp),
            forwards=len(self._forwards),
            echo_flows=len(self._echo),
            frames_from_guest=counters.frames_from_guest,
            frames_to_guest=self._link.frames_sent,
            frames_dropped=self._link.frames_dropped,
            frames_lost_on_purpose=lost,
            malformed=counters.malformed,
            martians=counters.martians,
            flows_opened=counters.flows_opened,
            flows_refused=counters.flows_refused,
            resets_sent=counters.resets_sent,
            retransmissions=counters.retransmissions + sum(flow.retransmissions for flow in flows),
            host_errors=dict(counters.host_errors),
        )

    # --- frames from the guest -----------------------------------------

    def _receive_copy(self, frame: bytes, header: NetHeader) -> bool:
        self._receive((memoryview(frame),), header)
        return True

    def _receive(self, pieces: Sequence[memoryview], header: NetHeader) -> None:
        self._counters.frames_from_guest += 1
        if not pieces or (len(pieces[0]) < _FULL_HEADERS and len(pieces) > 1 and not _has_headers(pieces[0])):
            pieces = (memoryview(b"".join(pieces)),)
        head = pieces[0]
        if len(head) < HEADER_SIZE + 20:
            self._counters.malformed += 1
            return
        ethertype = head[12] << 8 | head[13]
        is_trusted = bool(header[0] & (NEEDS_CSUM | DATA_VALID)) or not self.config.verify_checksums
        if ethertype == ETHERTYPE_IPV4:
            if head[23] == TCP and head[14] == 0x45 and not head[20] & 0x3F and not head[21]:
                self._receive_tcp4(pieces, is_trusted)
                return
        elif ethertype == ETHERTYPE_IPV6:
            if head[20] == TCP and head[14] >> 4 == 6 and len(head) >= 54:
                self._receive_tcp6(pieces, is_trusted)
                return
        try:
            self._receive_slowly(ethertype, memoryview(b"".join(pieces))[HEADER_SIZE:], is_trusted)
        except MalformedPacketError:
            self._counters.malformed += 1

    def _receive_tcp4(self, pieces: Sequence[memoryview], is_trusted: bool) -> None:
        head = pieces[0]
        if len(head) < 54 or not is_valid(ones_sum(head[14:34])):
            self._counters.malformed += 1
            return
        end = 14 + (head[16] << 8 | head[17])
        self._tcp.receive(bytes(head[26:38]), head, 34, end, pieces, is_trusted, self._now)

    def _receive_tcp6(self, pieces: Sequence[memoryview], is_trusted: bool) -> None:
        head = pieces[0]
        if len(head) < 74:
            self._counters.malformed += 1
            return
        end = 54 + (head[18] << 8 | head[19])
        self._tcp.receive(bytes(head[22:58]), head, 54, end, pieces, is_trusted, self._now)

    def _receive_slowly(self, ethertype: int, octets: memoryview, is_trusted: bool) -> None:
        """Take anything but plain TCP; raises MalformedPacketError."""
        if ethertype == ETHERTYPE_ARP:
            self._neighbors.receive_arp(octets)
        elif ethertype == ETHERTYPE_IPV4:
            self._receive_packet(Ipv4Packet.parse(octets), octets, is_trusted)
        elif ethertype == ETHERTYPE_IPV6:
            self._receive_packet(Ipv6Packet.parse(octets), octets, is_trusted)
        else:
            self._counters.unsupported += 1

    def _receive_packet(self, packet: Packet, octets: memoryview, is_trusted: bool) -> None:
        if packet.is_fragment:
            whole = self._reassembler.add(packet, self._now)
            if whole is None:
                return
            packet = whole
        if packet.protocol == UDP:
            self._receive_udp(packet, octets, is_trusted)
        elif packet.protocol == ICMP and len(packet.source) == 4:
            self._receive_icmp(packet, octets)
        elif packet.protocol == ICMPV6 and len(packet.source) == 16:
            self._receive_icmpv6(packet, octets)
        elif packet.protocol == TCP:
            self._receive_odd_tcp(packet, is_trusted)
        else:
            self._counters.unsupported += 1

    def _receive_odd_tcp(self, packet: Packet, is_trusted: bool) -> None:
        """Take TCP behind options or extension headers, or out of fragments: make it a plain frame."""
        plain: Packet
        if isinstance(packet, Ipv4Packet):
            plain = packet._replace(options=b"", dont_fragment=True)
        else:
            plain = packet._replace(has_fragment_header=False)
        frame = memoryview(bytes(14) + plain.build())
        start = len(frame) - len(packet.payload)
        if len(packet.payload) < 20:
            raise MalformedPacketError("TCP: shorter than a header")
        key = bytes(packet.source + packet.destination + packet.payload[:4])
        self._tcp.receive(key, frame, start, len(frame), (frame,), is_trusted, self._now)

    def _receive_udp(self, packet: Packet, octets: memoryview, is_trusted: bool) -> None:
        datagram = UdpDatagram.parse(packet.payload, packet.source, packet.destination, verify=not is_trusted)
        if datagram.destination_port == SERVER_PORT and len(packet.source) == 4:
            self._receive_dhcp(datagram)
        elif not self._is_guest(packet.source) or not self._is_host(packet.destination):
            self._counters.martians += 1
        elif self._ends_here(packet, octets):
            self._udp.receive(packet, datagram, bytes(octets), self._now)

    def _receive_dhcp(self, datagram: UdpDatagram) -> None:
        answer = self._dhcp.receive(datagram.payload)
        if answer is not None:
            destination, message = answer
            source = self.config.gateway
            reply = UdpDatagram(SERVER_PORT, CLIENT_PORT, message).build(source, destination)
            self._link.send_packet(source, destination, UDP, reply)

    def _receive_icmp(self, packet: Packet, octets: memoryview) -> None:
        message = Icmpv4Message.parse(packet.payload)
        if message.type != icmpv4.ECHO_REQUEST:
            return
        if packet.destination in self._own:
            reply = Icmpv4Message.echo(message.identifier, message.sequence, message.body, is_reply=True)
            self._link.send_packet(packet.destination, packet.source, ICMP, reply.build())
        else:
            self._receive_echo(packet, message.identifier, message.sequence, bytes(message.body), octets)

    def _receive_icmpv6(self, packet: Packet, octets: memoryview) -> None:
        assert isinstance(packet, Ipv6Packet)
        source, destination = packet.source, packet.destination
        message = Icmpv6Message.parse(packet.payload, source, destination)
        if message.type != icmpv6.ECHO_REQUEST:
            self._neighbors.receive_icmpv6(packet, message)
        elif destination in self._own:
            reply = Icmpv6Message.echo(message.identifier, message.sequence, message.body, is_reply=True)
            self._link.send_packet(destination, source, ICMPV6, reply.build(destination, source))
        else:
            self._receive_echo(packet, message.identifier, message.sequence, bytes(message.body), octets)

    def _receive_echo(
        self, packet: Packet, identifier: int, sequence: int, data: bytes, octets: memoryview
    ) -> None:
        if not self._is_guest(packet.source) or not self._is_host(packet.destination):
            self._counters.martians += 1
        elif self._ends_here(packet, octets):
            self._echo.receive(packet, identifier, sequence, data, bytes(octets), self._now)

    # --- where things go -----------------------------------------------

    def _ends_here(self, packet: Packet, octets: memoryview) -> bool:
        """Count the gateway as a hop; False when it was the last one."""
        if packet.hop_limit > 1 or packet.destination in self._own:
            return True
        self._errors.send_time_exceeded(bytes(octets))
        return False

    def _route_tcp(self, key: bytes) -> Target | None:
        half = len(key) - 4 >> 1
        source, destination = IpAddress(key[:half]), IpAddress(key[half:-4])
        source_port, port = int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")
        if not source_port or not port or not self._is_guest(source):
            self._counters.martians += 1
            return None
        if destination in self._gateways and source_port in self._forwards:
            return self._forwards[source_port]
        if destination in self._dns:
            resolver = self._udp.resolver
            return (resolver, 53) if resolver is not None and port == 53 else None
        return self._route_datagram(destination, port)

    def _route_datagram(self, destination: IpAddress, port: int) -> Target | None:
        loopback = self._gateways.get(destination)
        if loopback is not None:
            return loopback, port
        return (destination, port) if self._is_host(destination) else None

    def _is_guest(self, source: IpAddress) -> bool:
        """Whether a packet may come from here: an address of our networks that is not the gateway's."""
        if source in self._own:
            return False
        if len(source) == 4:
            return source in self.config.network
        network6 = self.config.network6
        return network6 is not None and (source in network6 or source.is_link_local)

    def _is_host(self, destination: IpAddress) -> bool:
        """Whether a packet may go there: one host, and not the guest or the host's inside."""
        if destination in self._own:
            return True
        if destination.is_loopback or destination.is_multicast or destination.is_unspecified:
            return False
        if len(destination) == 4:
            return destination not in self._nobody and 0 < destination[0] < 240
        return not destination.is_link_local and destination[:12] != _V4_MAPPED

    def _forget_forward(self, local_port: int) -> None:
        self._forwards.pop(local_port, None)

    def _take_local_end(self, local_port: int) -> LocalEnd | None:
        return self._local_ends.pop(local_port, None)

    def _run_timers(self, now: float) -> None:
        self._tcp.handle_timeout(now)
        self._udp.handle_timeout(now)
        self._echo.handle_timeout(now)
        if self.config.network6 is not None and self._port is not None:
            if self._advertise_at is not None and self._advertise_at <= now:
                self._neighbors.advertise()
                self._advertise_at = None
            if self._advertise_at is None:
                self._advertise_at = now + ADVERTISEMENT_INTERVAL


def _has_headers(head: memoryview) -> bool:
    """Whether a first piece holds all the headers of a TCP frame, as it does when payload is apart."""
    if len(head) < 54:
        return False
    if head[12] == 0x08 and head[14] == 0x45 and head[23] == TCP:
        return len(head) >= 34 + (head[46] >> 4) * 4
    if head[12] == 0x86 and head[20] == TCP and len(head) >= 74:
        return len(head) >= 54 + (head[66] >> 4) * 4
    return False
