"""One TCP connection with its addresses and headers, and a port that takes connections.

`Flow.build_frames` is the hot path out: Ethernet and IP headers from a
template, lengths and checksums patched, the payload's pieces as they are.  A
super-segment that the device does not cut is cut here, at the last moment, so
that TCP decides once for a burst of frames.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator

from tcpip.device import GSO_NONE, GSO_TCPV4, GSO_TCPV6, TSO4, TSO6, TX_CHECKSUM
from tcpip.net.frame import Frame
from tcpip.seqnum import MASK
from tcpip.tcp.connection import SegmentOut, TcpConnection
from tcpip.tcp.states import State
from tcpip.timers import Timed
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import Buffer, checksum, ones_sum, ones_sum_pieces, pseudo_header_sum
from tcpip.wire.ethernet import ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import TCP
from tcpip.wire.tcp import CHECKSUM_OFFSET, FIN, PSH

DEFAULT_BACKLOG = 128

_HEADERS_IPV4 = struct.Struct("!16sHH4sH8s")
_HEADERS_IPV6 = struct.Struct("!18sH34s")
_TO_CHECKSUM = struct.Struct("!4sI5sB2s")
"""A TCP header up to its checksum: ports, sequence, acknowledgment and offset, flags, window."""
_new_frame = tuple.__new__


def nobody() -> None:
    """Nobody waits for changes."""


class Flow(Timed):
    """A connection, its addresses and its headers."""

    __slots__ = (
        "_checksum_offload",
        "_ethertype",
        "_gso_type",
        "_header_sum",
        "_hop_limit",
        "_identification",
        "_pseudo_sum",
        "_segmentation_offload",
        "_template",
        "_traffic_class",
        "acknowledged",
        "connection",
        "ip_size",
        "is_loopback",
        "is_ready",
        "is_released",
        "is_waiting",
        "key",
        "listener",
        "local",
        "mac",
        "next_hop",
        "remote",
        "routes_version",
    )

    def __init__(
        self,
        connection: TcpConnection,
        local: IpAddress,
        remote: IpAddress,
        key: bytes,
        offloads: int,
        identification: int,
        *,
        hop_limit: int,
        is_loopback: bool,
        traffic_class: int = 0,
    ) -> None:
        super().__init__()
        self.connection = connection
        self.local = local
        self.remote = remote
        self.key = key
        self.is_loopback = is_loopback
        self.is_ready = False
        self.is_waiting = False
        """For its next hop's MAC."""
        self.is_released = False
        self.next_hop = remote
        self.routes_version = -1
        """Of the routing table that `next_hop` was looked up in."""
        self.listener: Listener | None = None
        self.mac = b""
        self.acknowledged = 0
        is_ipv4 = local.version == 4
        self.ip_size = 20 if is_ipv4 else 40
        self._ethertype = ETHERTYPE_IPV4 if is_ipv4 else ETHERTYPE_IPV6
        self._gso_type = GSO_TCPV4 if is_ipv4 else GSO_TCPV6
        self._checksum_offload = bool(offloads & (TX_CHECKSUM | TSO4 | TSO6))
        self._segmentation_offload = bool(offloads & (TSO4 if is_ipv4 else TSO6))
        self._pseudo_sum = pseudo_header_sum(local, remote, TCP, 0)
        self._identification = identification
        self._hop_limit = hop_limit
        self._traffic_class = traffic_class
        self._template: tuple[bytes, bytes, bytes] = (b"", b"", b"")
        self._header_sum = 0
        if is_loopback:
            self.set_mac(bytes(6), bytes(6))

    def set_mac(self, destination: bytes, source: bytes) -> None:
        """Make the template for a next hop."""
        self.mac = destination
        if self.ip_size == 20:
            # All packets of TCP have DF set, so that routers report the path MTU (RFC 1191).
            ip = Ipv4Packet(
                self.local, self.remote, TCP, b"", self._hop_limit, self._traffic_class, dont_fragment=True
            ).build_header(0)
            ethernet = EthernetHeader(destination, source, ETHERTYPE_IPV4).build()
            self._template = (ethernet + ip[:2], ip[6:10], ip[12:20])
            self._header_sum = ones_sum(ip[:2] + ip[6:10] + ip[12:20])
        else:
            ip = Ipv6Packet(
                self.local, self.remote, TCP, b"", self._hop_limit, self._traffic_class
            ).build_header(0)
            ethernet = EthernetHeader(destination, source, ETHERTYPE_IPV6).build()
            self._template = (ethernet + ip[:4], ip[6:40], b"")

    def build_frames(self, segment: SegmentOut) -> list[Frame]:
        """Put headers before a segment, cut into frames unless the device does that; no payload is copied."""
        tcp, payload, length, gso_size = segment
        tcp_sum = 0 if self._checksum_offload else ones_sum(tcp)
        after = tcp[18:]
        if not gso_size or self._segmentation_offload:
            return [self._build_frame(tcp[:16], after, tcp_sum, payload, length, gso_size)]
        ports, sequence, between, last_flags, window = _TO_CHECKSUM.unpack_from(tcp)
        flags = last_flags & ~(PSH | FIN)
        tcp_sum -= sequence + last_flags
        frames = []
        for part in _cut(payload, gso_size):
            if length <= gso_size:
                gso_size, flags = length, last_flags
            before = _TO_CHECKSUM.pack(ports, sequence & MASK, between, flags, window)
            part_sum = tcp_sum + (sequence & MASK) + flags
            frames.append(self._build_frame(before, after, part_sum, part, gso_size, 0))
            sequence += gso_size
            length -= gso_size
        return frames

    def _build_frame(
        self,
        before: bytes,
        after: bytes,
        tcp_sum: int,
        payload: tuple[Buffer, ...],
        length: int,
        gso_size: int,
    ) -> Frame:
        """`before` and `after` are the TCP header around its checksum, `tcp_sum` its sum."""
        length += 18 + len(after)
        total = self._pseudo_sum + length
        if self._checksum_offload:
            headers = self._headers(length) + before + (total % 0xFFFF).to_bytes(2, "big") + after
            gso_type = self._gso_type if gso_size else GSO_NONE
            start = 14 + self.ip_size
            return _new_frame(Frame, ((headers, *payload), start, CHECKSUM_OFFSET, gso_type, gso_size))
        total += tcp_sum
        if payload:  # a TCP header has an even length
            total += ones_sum(payload[0]) if len(payload) == 1 else ones_sum_pieces(payload)
        headers = self._headers(length) + before + checksum(total).to_bytes(2, "big") + after
        return _new_frame(Frame, ((headers, *payload), 0, 0, 0, 0))

    def build_packet(self, segment: SegmentOut) -> tuple[int, bytes]:
        """Make the packet of a segment to ourselves, whose checksum nobody needs."""
        length = len(segment.header) + segment.length
        return self._ethertype, b"".join((self._headers(length)[14:], segment.header, *segment.payload))

    def is_valid_checksum(self, data: Buffer) -> bool:
        """Verify a segment that came in."""
        return (self._pseudo_sum + len(data) + ones_sum(data)) % 0xFFFF == 0

    def _headers(self, length: int) -> bytes:
        first, middle, last = self._template
        if self.ip_size == 40:
            return _HEADERS_IPV6.pack(first, length, middle)
        length += 20
        identification = self._identification = self._identification + 1 & 0xFFFF
        header_sum = 0xFFFF - (self._header_sum + length + identification) % 0xFFFF
        return _HEADERS_IPV4.pack(first, length, identification, middle, header_sum, last)


def _cut(payload: tuple[Buffer, ...], size: int) -> Iterator[tuple[Buffer, ...]]:
    """Views of `size` octets each, and of the rest."""
    part: tuple[Buffer, ...] = ()
    room = size
    for piece in payload:
        view = memoryview(piece)
        at, end = 0, len(view)
        while end - at >= room:
            yield (*part, view[at : at + room])
            at, part, room = at + room, (), size
        if at < end:
            part, room = (*part, view[at:]), room - (end - at)
    if part:
        yield part


class Listener:
    """A port that takes connections, made by `Stack.tcp_listen`."""

    def __init__(self, port: int, backlog: int, close: Callable[[Listener], None]) -> None:
        self.port = port
        self.backlog = backlog
        self.half_open = 0
        self.is_closed = False
        self.on_change: Callable[[], None] = nobody
        """Called when there is a connection to accept."""
        self._close = close
        self.queue: deque[Flow] = deque()

    @property
    def is_full(self) -> bool:
        return self.half_open + len(self.queue) >= self.backlog

    def accept(self) -> TcpConnection | None:
        """Give the oldest connection that is established; None when there is none now."""
        while self.queue:
            connection = self.queue.popleft().connection
            if connection.state is not State.CLOSED:  # the peer has thought better of it
                connection.on_change = nobody
                return connection
        return None

    def close(self) -> None:
        """Stop listening; connections that nobody accepted are reset."""
        if not self.is_closed:
            self.is_closed = True
            self._close(self)
