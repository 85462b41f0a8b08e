"""UDP and ICMP echo, spliced to datagram sockets of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tcpip.usernet.config import UserNetConfig
from tcpip.usernet.counters import Counters
from tcpip.usernet.errors_to_guest import ErrorSender, rebuild_packet
from tcpip.usernet.link import Link
from tcpip.usernet.refusal import Refusal, refusal_of
from tcpip.usernet.sockets import FAILED, READABLE, DatagramSocket, HostError, HostSockets
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import ICMP, ICMPV6, UDP
from tcpip.wire.udp import UdpDatagram

if TYPE_CHECKING:
    from tcpip.usernet.local_end import LocalEnd

Packet = Ipv4Packet | Ipv6Packet
Target = tuple[IpAddress, int]

_TURN = 64
"""Datagrams of one flow handed on before the next has its turn."""
_MAX_KEPT_QUERY = 1_500
_PATIENCE = 0.9
"""Seconds without an answer, after which a question that comes again goes to the next resolver."""


class FlowKey(NamedTuple):
    """Both ends as the guest sees them; for echo, the identifier and 0 stand for the ports."""

    source: IpAddress
    source_port: int
    destination: IpAddress
    destination_port: int


class DatagramFlow:
    """A socket of the host that stands for one of the guest's conversations."""

    __slots__ = ("asked", "asked_at", "is_readable", "key", "query", "resolver", "socket", "tried", "used_at")

    def __init__(self, key: FlowKey, socket: DatagramSocket, now: float, resolver: int = -1) -> None:
        self.key = key
        self.socket = socket
        self.used_at = now
        self.is_readable = False
        self.resolver = resolver
        """Which resolver it speaks to; -1: it is no question to the DNS address."""
        self.query = b""
        self.asked: set[bytes] = set()
        """Numbers of the questions that have no answer yet."""
        self.asked_at = now
        self.tried = 1


class DatagramTable:
    """What UDP and echo have in common: flows by key and by descriptor, bounded, ended when idle."""

    def __init__(
        self, config: UserNetConfig, link: Link, sockets: HostSockets, counters: Counters,
        errors: ErrorSender, max_flows: int,
    ) -> None:  # fmt: skip
        self._config = config
        self._link = link
        self._sockets = sockets
        self._counters = counters
        self._errors = errors
        self._max_flows = max_flows
        self._flows: dict[FlowKey, DatagramFlow] = {}  # the one idle longest comes first
        self._by_fileno: dict[int, DatagramFlow] = {}
        self._buffer = memoryview(bytearray(65_600))
        self.has_ready = False

    def __len__(self) -> int:
        return len(self._flows)

    def receive_event(self, fileno: int, events: int, now: float) -> bool:
        """Tell the flow of a descriptor what epoll said; False: there is no such flow."""
        flow = self._by_fileno.get(fileno)
        if flow is None:
            return False
        if events & FAILED:
            while (error := flow.socket.next_error()) is not None:
                self._receive_error(flow, error, now)
                if self._by_fileno.get(fileno) is not flow:
                    return True
        if events & READABLE:
            flow.is_readable = True
            self.has_ready = True
        return True

    def pump(self, now: float) -> None:
        """Hand on what has come, as long as the guest has room."""
        if not self.has_ready:
            return
        self.has_ready = False
        for flow in [flow for flow in self._flows.values() if flow.is_readable]:
            for _ in range(_TURN):
                if self._link.has_queued:
                    break
                received = flow.socket.receive(self._buffer)
                if received is None:
                    flow.is_readable = False
                    break
                start, end, hop_limit = received
                self._receive_reply(flow, bytes(self._buffer[start:end]), max(hop_limit - 1, 1))
                if self._is_over(flow):
                    flow.is_readable = False
                    self._close(flow)
                    break
                self._touch(flow, now)
            self.has_ready = self.has_ready or flow.is_readable

    def handle_timeout(self, now: float) -> None:
        while (due := self.next_timeout()) is not None and due <= now:
            self._close(next(iter(self._flows.values())))

    def next_timeout(self) -> float | None:
        for flow in self._flows.values():
            return flow.used_at + self._config.udp_timeout
        return None

    def close(self) -> None:
        for flow in list(self._flows.values()):
            self._close(flow)

    # --- for the two kinds ---------------------------------------------

    def _receive_reply(self, flow: DatagramFlow, data: bytes, hop_limit: int) -> None:
        raise NotImplementedError

    def _receive_error(self, flow: DatagramFlow, error: HostError, now: float) -> None:
        raise NotImplementedError

    def _is_over(self, flow: DatagramFlow) -> bool:
        """Whether nothing more can be expected of a flow; else it ends when it is idle."""
        return False

    def _add(self, flow: DatagramFlow) -> None:
        if len(self._flows) >= self._max_flows:
            self._close(next(iter(self._flows.values())))
        self._flows[flow.key] = flow
        self._by_fileno[flow.socket.fileno] = flow

    def _touch(self, flow: DatagramFlow, now: float) -> None:
        """Remember that a flow is in use: it goes to the end of the row."""
        flow.used_at = now
        del self._flows[flow.key]
        self._flows[flow.key] = flow

    def _close(self, flow: DatagramFlow) -> None:
        del self._flows[flow.key]
        self._by_fileno.pop(flow.socket.fileno, None)
        flow.socket.close()


class UdpTable(DatagramTable):
    """UDP flows; those to the DNS address speak to a resolver of the host."""

    def __init__(
        self, config: UserNetConfig, link: Link, sockets: HostSockets, counters: Counters,
        errors: ErrorSender, route: Callable[[IpAddress, int], Target | None],
    ) -> None:  # fmt: skip
        super().__init__(config, link, sockets, counters, errors, config.max_udp_flows)
        self._route = route
        self._resolver = 0
        self.rules: dict[int, tuple[Target | None, LocalEnd | None]] = {}
        """By port of the guest: where its datagrams go instead, and from which socket."""

    def forget(self, port: int) -> None:
        """End the flows from a port of the guest, and its rule."""
        for flow in [flow for flow in self._flows.values() if flow.key.source_port == port]:
            self._close(flow)
        _, end = self.rules.pop(port, (None, None))
        if end is not None:
            end.close()

    def close(self) -> None:
        super().close()
        for port in list(self.rules):
            self.forget(port)

    def receive(self, packet: Packet, datagram: UdpDatagram, octets: bytes, now: float) -> None:
        """Take a datagram of the guest; `octets` is its packet, for an error about it."""
        key = FlowKey(packet.source, datagram.source_port, packet.destination, datagram.destination_port)
        flow = self._flows.get(key)
        try:
            if flow is None:
                flow = self._open(key, now)
                if flow is None:
                    self._errors.send_refusal(Refusal.PORT, octets)
                    return
            self._touch(flow, now)
            if flow.resolver >= 0:
                self._ask(flow, bytes(datagram.payload), now)
            else:
                _send(flow.socket, bytes(datagram.payload), packet.hop_limit - 1)
        except OSError as error:
            self._counters.note_error(error.errno)
            self._errors.send_refusal(refusal_of(error.errno), octets)

    def _open(self, key: FlowKey, now: float) -> DatagramFlow | None:
        if key.source_port in self.rules:
            flow = self._open_by_rule(key, now)
        elif key.destination in (self._config.dns, self._config.dns6):
            if key.destination_port != 53 or not self._config.resolvers:
                return None
            resolver = self._resolver % len(self._config.resolvers)
            socket = self._sockets.udp_connect(self._config.resolvers[resolver], 53)
            flow = DatagramFlow(key, socket, now, resolver)
        else:
            target = self._route(key.destination, key.destination_port)
            if target is None:
                return None
            flow = DatagramFlow(key, self._sockets.udp_connect(*target), now)
        if flow is not None:
            self._add(flow)
        return flow

    def _open_by_rule(self, key: FlowKey, now: float) -> DatagramFlow | None:
        """The socket of a rule serves its first flow; another one has the host's choice."""
        wanted, end = self.rules[key.source_port]
        target = wanted or self._route(key.destination, key.destination_port)
        if target is None:
            return None
        if end is None:
            return DatagramFlow(key, self._sockets.udp_connect(*target), now)
        self.rules[key.source_port] = wanted, None
        return DatagramFlow(key, self._sockets.udp_connect(*target, end.socket), now)

    # --- questions to the resolvers ------------------------------------

    @property
    def resolver(self) -> IpAddress | None:
        """The one that is asked now; None: the host has none."""
        resolvers = self._config.resolvers
        return resolvers[self._resolver % len(resolvers)] if resolvers else None

    def _ask(self, flow: DatagramFlow, query: bytes, now: float) -> None:
        if flow.query != query:
            flow.tried = 1
        elif now - flow.asked_at > _PATIENCE:
            self._ask_next(flow)
        flow.asked.add(query[:2])
        flow.query = query if len(query) <= _MAX_KEPT_QUERY else b""
        flow.asked_at = now
        try:
            _send(flow.socket, query, 64)
        except OSError:
            if not self._ask_next(flow):
                raise
            _send(flow.socket, query, 64)

    def _ask_next(self, flow: DatagramFlow) -> bool:
        """Turn to the next resolver; False when each has had its chance."""
        resolvers = self._config.resolvers
        if len(resolvers) < 2 or flow.tried >= 2 * len(resolvers):
            return False
        resolver = (flow.resolver + 1) % len(resolvers)
        socket = self._sockets.udp_connect(resolvers[resolver], 53)
        self._by_fileno.pop(flow.socket.fileno, None)
        flow.socket.close()
        flow.socket = socket
        flow.resolver = self._resolver = resolver
        flow.tried += 1
        self._by_fileno[socket.fileno] = flow
        return True

    # --- from the host -------------------------------------------------

    def _receive_reply(self, flow: DatagramFlow, data: bytes, hop_limit: int) -> None:
        key = flow.key
        flow.query = b""
        flow.asked.discard(data[:2])
        datagram = UdpDatagram(key.destination_port, key.source_port, data)
        octets = datagram.build(key.destination, key.source)
        self._link.send_packet(key.destination, key.source, UDP, octets, hop_limit)

    def _receive_error(self, flow: DatagramFlow, error: HostError, now: float) -> None:
        if not error.is_icmp:
            return
        if flow.resolver >= 0:
            self._receive_resolver_error(flow)
            return
        octets = _quote(flow.key, error.data)
        self._errors.send(error.type, error.code, error.info, error.offender, octets)

    def _is_over(self, flow: DatagramFlow) -> bool:
        """A question whose answer has come: a thousand names must not hold a thousand descriptors."""
        return flow.resolver >= 0 and not flow.asked

    def _receive_resolver_error(self, flow: DatagramFlow) -> None:
        try:
            if flow.query and self._ask_next(flow):
                _send(flow.socket, flow.query, 64)
                return
        except OSError as failure:
            self._counters.note_error(failure.errno)
        self._errors.send_refusal(Refusal.PORT, _quote(flow.key, flow.query))


def _send(socket: DatagramSocket, payload: bytes, hop_limit: int) -> None:
    try:
        socket.send((payload,), hop_limit)
    except OSError:
        socket.send((payload,), hop_limit)  # that was about an earlier one; if not, it is raised again


def _quote(key: FlowKey, data: bytes) -> bytes:
    octets = UdpDatagram(key.source_port, key.destination_port, data).build(key.source, key.destination)
    return rebuild_packet(key.source, key.destination, UDP, octets)


class EchoTable(DatagramTable):
    """Echo requests beyond the gateway, on ICMP sockets of the host if it allows any."""

    def receive(
        self, packet: Packet, identifier: int, sequence: int, data: bytes, octets: bytes, now: float
    ) -> None:
        """Take an echo request of the guest; `octets` is its packet, for an error about it."""
        key = FlowKey(packet.source, identifier, packet.destination, 0)
        flow = self._flows.get(key)
        try:
            if flow is None:
                flow = DatagramFlow(key, self._sockets.echo_connect(packet.destination), now)
                self._add(flow)
            self._touch(flow, now)
            _send(flow.socket, _echo(key, sequence, data), packet.hop_limit - 1)
        except OSError as error:
            self._counters.note_error(error.errno)
            self._errors.send_refusal(refusal_of(error.errno), octets)

    def _receive_reply(self, flow: DatagramFlow, data: bytes, hop_limit: int) -> None:
        key = flow.key
        is_v4 = len(key.source) == 4
        if len(data) < 8 or data[0] != (icmpv4.ECHO_REPLY if is_v4 else icmpv6.ECHO_REPLY):
            return
        identifier, sequence = int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
        if flow.socket.is_raw and identifier != key.source_port:
            return  # another program's
        if is_v4:
            reply = Icmpv4Message.echo(key.source_port, sequence, data[8:], is_reply=True).build()
            self._link.send_packet(key.destination, key.source, ICMP, reply, hop_limit)
        else:
            message = Icmpv6Message.echo(key.source_port, sequence, data[8:], is_reply=True)
            octets = message.build(key.destination, key.source)
            self._link.send_packet(key.destination, key.source, ICMPV6, octets, hop_limit)

    def _receive_error(self, flow: DatagramFlow, error: HostError, now: float) -> None:
        if not error.is_icmp or len(error.data) < 8:
            return
        identifier, sequence = int.from_bytes(error.data[4:6], "big"), int.from_bytes(error.data[6:8], "big")
        key = flow.key
        if flow.socket.is_raw and identifier != key.source_port:
            return
        protocol = ICMP if len(key.source) == 4 else ICMPV6
        octets = rebuild_packet(key.source, key.destination, protocol, _echo(key, sequence, error.data[8:]))
        self._errors.send(error.type, error.code, error.info, error.offender, octets)


def _echo(key: FlowKey, sequence: int, data: bytes) -> bytes:
    if len(key.source) == 4:
        return Icmpv4Message.echo(key.source_port, sequence, data).build()
    return Icmpv6Message.echo(key.source_port, sequence, data).build(key.source, key.destination)
