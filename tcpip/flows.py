"""All TCP connections of a host: which one a segment is for, and whose turn it is to send.

A connection is found by the octets of the headers that come in, as they are.
Those that may have something to send stand in one line, and send in turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from tcpip.counters import Counters, DropReason
from tcpip.device import TSO4, TSO6
from tcpip.errors import AddressError, StackError, UnreachableError, UsageError
from tcpip.flow import Flow, Listener, nobody
from tcpip.net.frame import Frame
from tcpip.net.icmp import IcmpKind, ReportedError
from tcpip.net.ip import IpLayer
from tcpip.net.neighbors import NeighborState
from tcpip.net.ports import ConnectionNumbers, PortAllocator
from tcpip.net.routes import Route
from tcpip.seqnum import wrap
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.connection import TcpConnection
from tcpip.tcp.states import State
from tcpip.timers import Timers
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import checksum, ones_sum, pseudo_header_sum
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import TCP
from tcpip.wire.tcp import ACK, RST, SYN, Segment, build_header

BURST = 32
"""Frames that one connection sends before the next one has its turn."""

ABOVE_PREVIOUS = 1 << 17
"""RFC 1122 §4.2.2.13: a connection that replaces one in TIME-WAIT numbers its octets above that one's."""

TCP_HEADER = 20
MAX_TCP_HEADER = 60
MAX_IP_PACKET = 65_535


class Flows:
    """All connections and listeners of a stack."""

    def __init__(
        self,
        ip: IpLayer,
        counters: Counters,
        config: TcpConfig,
        offloads: int,
        random_bytes: Callable[[int], bytes],
        max_connections: int,
    ) -> None:
        self._ip = ip
        self._counters = counters
        self._config = config
        self._offloads = offloads
        self._random_bytes = random_bytes
        self._max_connections = max_connections
        self._numbers = ConnectionNumbers(random_bytes(16))
        self._ports = PortAllocator(random_bytes)
        self._of_connection: dict[TcpConnection, Flow] = {}
        self._listeners: dict[int, Listener] = {}
        self._timers: Timers[Flow] = Timers()
        self._ready: deque[Flow] = deque()
        self._now = 0.0
        self.by_key: dict[bytes, Flow] = {}
        """By the octets of headers that come in: source, destination, ports."""

    def __iter__(self) -> Iterator[Flow]:
        return iter(list(self.by_key.values()))

    def of(self, connection: TcpConnection) -> Flow:
        return self._of_connection[connection]

    # ---- commands

    def connect(
        self,
        remote: IpAddress,
        port: int,
        local_port: int,
        now: float,
        local: IpAddress | None = None,
        traffic_class: int = 0,
    ) -> TcpConnection:
        if not 0 < port < 65_536 or remote.is_multicast or remote.is_broadcast or remote.is_unspecified:
            raise UsageError(f"TCP: no connection to {remote} port {port}")
        route = self._ip.route_to(remote)
        if local is None:
            local = self._ip.source_for(remote)
        elif len(local) != len(remote) or not self._ip.interface.is_local(local):
            raise AddressError(f"TCP: {local} is no address of ours to reach {remote} from")
        addresses = remote + local + port.to_bytes(2, "big")
        if local_port == 0:
            local_port = self._ports.choose(
                lambda p: p in self._listeners or addresses + p.to_bytes(2, "big") in self.by_key
            )
        elif addresses + local_port.to_bytes(2, "big") in self.by_key:
            raise AddressError(f"TCP: port {local_port} is connected to {remote} port {port} already")
        if not self._make_room():
            raise AddressError(f"TCP: {len(self.by_key)} connections are open, and no more may be")
        flow = self._open(local, local_port, remote, port, route, now, traffic_class=traffic_class)
        flow.connection.connect(now)
        self.mark_ready(flow)
        return flow.connection

    def is_listening(self, port: int) -> bool:
        return port in self._listeners

    def listen(self, port: int, backlog: int) -> Listener:
        if port == 0:
            port = self._ports.choose(lambda p: p in self._listeners)
        if port in self._listeners:
            raise AddressError(f"TCP: somebody listens at port {port} already")
        listener = self._listeners[port] = Listener(port, backlog, self._close_listener)
        return listener

    def release(self, connection: TcpConnection, now: float) -> None:
        """Nobody will ask the connection any more; it comes to its end by itself."""
        flow = self._of_connection.get(connection)
        if flow is not None and not flow.is_released:
            flow.is_released = True
            connection.on_change = nobody
            connection.close(now)
            self.mark_ready(flow)

    def wants_to_send(self, connection: TcpConnection) -> None:
        flow = self._of_connection.get(connection)
        if flow is not None:
            self.mark_ready(flow)

    def mark_ready(self, flow: Flow) -> None:
        """Ask a connection for segments in the next `frames_to_send`."""
        if flow.is_waiting:
            self._timers.set(flow, flow.connection.next_timeout())
        elif not flow.is_ready:
            flow.is_ready = True
            self._ready.append(flow)

    # ---- receiving

    def receive_packet(self, packet: Ipv4Packet | Ipv6Packet, is_trusted: bool, now: float) -> None:
        """Take a segment that did not come by the short way; MalformedPacketError."""
        data = memoryview(packet.payload)
        segment = Segment.parse(data)
        source, destination = packet.source, packet.destination
        if not is_trusted:
            total = pseudo_header_sum(source, destination, TCP, len(data)) + ones_sum(data)
            if total % 0xFFFF:
                self._counters.drop(DropReason.CHECKSUM)
                return
        flow = self.by_key.get(source + destination + bytes(data[:4]))
        if flow is not None and self._gives_way(flow, segment):
            self._receive_new(segment, packet, now, flow.connection)
        elif flow is not None:
            flow.connection.receive_segment(segment, now)
            self.mark_ready(flow)
        elif not self._ip.interface.is_group(destination):
            self._receive_new(segment, packet, now)

    def receive_error(self, error: ReportedError, now: float) -> bool:
        """Hand an ICMP error to the connection it quotes, which judges it (RFC 5927); False: none."""
        quoted = error.quoted
        ports = quoted.payload[2:4] + quoted.payload[0:2]
        flow = self.by_key.get(quoted.destination + quoted.source + ports)
        if flow is None:
            return False
        connection = flow.connection
        if error.kind is IcmpKind.PACKET_TOO_BIG:
            self._receive_too_big(flow, error, now)
        else:
            connection.receive_icmp_error(error.as_exception(), quoted.sequence_number, now)
        self.mark_ready(flow)
        return True

    def _receive_too_big(self, flow: Flow, error: ReportedError, now: float) -> None:
        connection, before = flow.connection, flow.connection.path_mss
        overhead = flow.ip_size + TCP_HEADER
        floor = 552 if flow.local.version == 4 else 1280
        connection.receive_packet_too_big(max(error.mtu, floor) - overhead, error.quoted.sequence_number, now)
        if connection.path_mss < before:  # it was about a segment in flight, so it is believed
            link_mtu = self._ip.interface.mtu_of(flow.local.version)
            self._ip.path_mtus.report(flow.remote, connection.path_mss + overhead, link_mtu, now)

    def _gives_way(self, flow: Flow, segment: Segment) -> bool:
        """Let a listener have the SYN of a new connection in place of one in TIME-WAIT (RFC 6191)."""
        listener = self._listeners.get(segment.destination_port)
        if listener is None or listener.is_full or not flow.connection.may_be_replaced_by(segment):
            return False
        flow.connection.give_way()
        self._forget(flow)
        return True

    def _receive_new(
        self,
        segment: Segment,
        packet: Ipv4Packet | Ipv6Packet,
        now: float,
        previous: TcpConnection | None = None,
    ) -> None:
        """A segment of no connection: a listener's, or refused (RFC 9293 §3.10.7.1).

        `previous` is the incarnation before.
        """
        listener = self._listeners.get(segment.destination_port)
        if listener is None or segment.flags & (SYN | ACK | RST) != SYN:
            if listener is None:
                self._counters.drop(DropReason.NO_SOCKET)
            self._refuse(segment, packet, now)
            return
        if listener.is_full or not self._make_room():
            self._counters.drop(DropReason.BACKLOG_FULL)
            return
        route = self._ip.route_to(packet.source)
        flow = self._open(
            packet.destination,
            segment.destination_port,
            packet.source,
            segment.source_port,
            route,
            now,
            previous,
        )
        flow.listener = listener
        listener.half_open += 1
        flow.connection.on_change = lambda: self._child_changed(flow)
        flow.connection.listen(now)
        flow.connection.receive_segment(segment, now)
        self.mark_ready(flow)

    def _child_changed(self, flow: Flow) -> None:
        listener = flow.listener
        if listener is None:
            return
        if flow.connection.is_established:
            flow.listener = None
            listener.half_open -= 1
            listener.queue.append(flow)
            listener.on_change()
        elif flow.connection.state is State.CLOSED:
            flow.listener = None
            listener.half_open -= 1

    def _refuse(self, segment: Segment, packet: Ipv4Packet | Ipv6Packet, now: float) -> None:
        """Answer with a reset that the sender will believe."""
        if segment.flags & RST:
            return
        if segment.flags & ACK:
            sequence, acknowledgment, flags = segment.acknowledgment, 0, RST
        else:
            sequence, flags = 0, RST | ACK
            acknowledgment = segment.sequence + segment.length & 0xFFFFFFFF
        local, remote = packet.destination, packet.source
        header = build_header(
            segment.destination_port, segment.source_port, sequence, acknowledgment, flags, 0
        )
        total = pseudo_header_sum(local, remote, TCP, len(header)) + ones_sum(header)
        header = header[:16] + checksum(total).to_bytes(2, "big") + header[18:]
        try:
            if isinstance(packet, Ipv4Packet):
                self._ip.send(Ipv4Packet(local, remote, TCP, header, dont_fragment=True), now)
            else:
                self._ip.send(Ipv6Packet(local, remote, TCP, header), now)
        except UnreachableError:
            pass  # counted

    # ---- sending

    def frames_to_send(self, now: float) -> Iterator[Frame]:
        """Lazily what connections may send, each in turn."""
        self._now = now
        ready, counters, outbox = self._ready, self._counters, self._ip.link.outbox
        while ready:
            flow = ready[0]
            connection = flow.connection
            if not self._resolve(flow, now):
                self._leave_ready(flow)
                continue
            count = 0
            for segment in connection.segments_to_send(now):
                if flow.is_loopback:
                    count += 1
                    self._ip.loop(*flow.build_packet(segment))
                else:
                    frames = flow.build_frames(segment)
                    count += len(frames)
                    counters.frames_sent += len(frames)
                    counters.octets_sent += segment.length + len(frames) * len(frames[0].pieces[0])
                    if len(frames) == 1:
                        yield frames[0]
                    else:
                        outbox.extend(frames)  # where the rest stays if the device has no more room
                        while outbox:
                            yield outbox.popleft()
                if count >= BURST:
                    break
            if ready and ready[0] is flow:
                if count >= BURST:
                    ready.rotate(-1)
                    if flow.is_loopback:
                        return  # so that what was sent is received before more is sent
                else:
                    self._leave_ready(flow)

    def next_timeout(self) -> float | None:
        for flow in self._ready:  # their deadlines may have moved since they were looked at
            self._timers.set(flow, flow.connection.next_timeout())
        return self._timers.next_timeout()

    def handle_timeout(self, now: float) -> None:
        self._now = now
        while (flow := self._timers.pop_due(now)) is not None:
            flow.connection.handle_timeout(now)
            flow.is_waiting = False
            self.mark_ready(flow)

    def _leave_ready(self, flow: Flow) -> None:
        self._ready.popleft()
        flow.is_ready = False
        if flow.connection.is_closed:
            self._forget(flow)
        else:
            self._timers.set(flow, flow.connection.next_timeout())

    def _resolve(self, flow: Flow, now: float) -> bool:
        """See that the next hop's MAC is known; False: the flow waits for it, or there is no way."""
        if flow.is_loopback:
            return True
        if flow.routes_version != self._ip.routes.version:
            try:
                flow.next_hop = self._ip.route_to(flow.remote).gateway or flow.remote
            except UnreachableError as error:
                self._cannot_send(flow, error, now)
                return False
            flow.routes_version = self._ip.routes.version
        neighbors = self._ip.link.neighbors
        neighbor = neighbors.use(flow.next_hop, now)
        if neighbor is None:
            self._cannot_send(flow, UnreachableError("Ethernet: too many neighbours"), now)
            return False
        if neighbor.mac is None:
            flow.is_waiting = True
            neighbor.waiters.append(lambda found: self._neighbor_settled(flow, found))
            self._ip.link.flush()
            return False
        if neighbor.mac is not flow.mac:
            flow.set_mac(neighbor.mac, self._ip.interface.mac)
        if neighbor.state is not NeighborState.DISCOVERED:
            acknowledged = flow.connection.snd_una
            if acknowledged > flow.acknowledged > 0:
                neighbors.confirm(neighbor, now)  # forward progress (RFC 4861 §7.3.1)
            flow.acknowledged = acknowledged
        return True

    def _neighbor_settled(self, flow: Flow, found: bool) -> None:
        flow.is_waiting = False
        if not found:
            error = UnreachableError(f"TCP: no neighbour answers on the way to {flow.remote}")
            self._cannot_send(flow, error, self._now)
        if self.by_key.get(flow.key) is flow:
            self.mark_ready(flow)

    def _cannot_send(self, flow: Flow, error: StackError, now: float) -> None:
        for _ in range(flow.connection.local_error(error, now)):
            self._counters.drop(DropReason.NEIGHBOR_FAILED)

    # ---- opening and forgetting

    def _open(
        self,
        local: IpAddress,
        local_port: int,
        remote: IpAddress,
        remote_port: int,
        route: Route,
        now: float,
        previous: TcpConnection | None = None,
        traffic_class: int = 0,
    ) -> Flow:
        key = remote + local + remote_port.to_bytes(2, "big") + local_port.to_bytes(2, "big")
        mtu = self._ip.mtu_to(remote, route, now)
        is_ipv4 = local.version == 4
        ip_size = 20 if is_ipv4 else 40
        mss = mtu - ip_size - TCP_HEADER
        gso_max = 0
        if self._offloads & (TSO4 if is_ipv4 else TSO6) and not route.is_loopback:
            gso_max = MAX_IP_PACKET - (ip_size if is_ipv4 else 0) - MAX_TCP_HEADER
        elif not route.is_loopback:
            gso_max = BURST * mss
        iss, timestamp_offset = self._numbers.choose(key, now)
        if previous is not None:
            iss = wrap(previous.snd_max + ABOVE_PREVIOUS)
        connection = TcpConnection(
            self._config,
            local_port,
            remote_port,
            iss=iss,
            timestamp_offset=timestamp_offset,
            mss=mss,
            gso_max=gso_max,
        )
        identification = int.from_bytes(self._random_bytes(2), "big")
        flow = Flow(
            connection,
            local,
            remote,
            key,
            self._offloads,
            identification,
            hop_limit=64 if is_ipv4 else self._ip.interface.hop_limit,
            is_loopback=route.is_loopback,
            traffic_class=traffic_class,
        )
        self.by_key[key] = self._of_connection[connection] = flow
        return flow

    def _forget(self, flow: Flow) -> None:
        """Drop a connection for good; what it has counted stays."""
        connection = flow.connection
        if self._of_connection.pop(connection, None) is None:
            return
        del self.by_key[flow.key]
        self._timers.set(flow, None)
        self._counters.tcp_retransmissions += connection.retransmissions
        self._counters.tcp_timeouts += connection.timeouts

    def _make_room(self) -> bool:
        """Let go of a connection in TIME-WAIT when there are too many."""
        if len(self.by_key) < self._max_connections:
            return True
        for flow in self.by_key.values():
            if flow.connection.state is State.TIME_WAIT and not flow.is_ready:
                self._forget(flow)
                return True
        return False

    def _close_listener(self, listener: Listener) -> None:
        self._listeners.pop(listener.port, None)
        for flow in self:
            if flow.listener is listener or flow in listener.queue:
                flow.listener = None
                flow.connection.on_change = nobody
                flow.connection.abort(self._now)
                self.mark_ready(flow)
        listener.queue.clear()
