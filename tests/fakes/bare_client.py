"""A minimal guest that speaks frames to a backend directly: no ring, no stack, every octet by hand.

`MemoryPort` stands for the driver's receive buffers.  `BareClient` knows ARP,
DHCP, echo and just enough TCP to be a peer: in-order data, go-back-N.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence

from tcpip.wire import arp, dhcp
from tcpip.wire.address import IPV4_ANY, IPV4_BROADCAST, IpAddress
from tcpip.wire.arp import ArpPacket
from tcpip.wire.checksum import checksum, is_valid, ones_sum, pseudo_header_sum
from tcpip.wire.dhcp import DhcpMessage, MessageType
from tcpip.wire.ethernet import BROADCAST_MAC, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.udp import UdpDatagram

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ALL_OFFLOADS = 1 << 0 | 1 << 1 | 1 << 7 | 1 << 8 | 1 << 11 | 1 << 12
PLAIN = (0, 0, 0, 0, 0, 0)
_TCP = struct.Struct("!HHIIBBHHH")


class MemoryPort:
    """Receive buffers in memory; `capacity` frames may wait, each in pieces of `piece` octets."""

    def __init__(self, capacity: int = 256, piece: int = 70_000) -> None:
        self.capacity = capacity
        self.piece = piece
        self.frames: deque[tuple[bytes, tuple]] = deque()
        self._buffer = memoryview(bytearray(70_000))
        self._size = 0

    def rx_room(self, size: int) -> Sequence[memoryview] | None:
        if len(self.frames) >= self.capacity:
            return None
        self._size = size
        return [self._buffer[i : min(i + self.piece, size)] for i in range(0, size, self.piece)]

    def rx_done(self, length: int, header: tuple) -> None:
        assert length <= self._size
        self.frames.append((bytes(self._buffer[:length]), header))


class Segment:
    """A TCP segment that came, with its checksum verified unless it is declared partial."""

    def __init__(self, source: bytes, destination: bytes, data: bytes, header: tuple) -> None:
        sport, dport, self.seq, self.ack, offset, self.flags, self.window, _, _ = _TCP.unpack_from(data)
        self.ports = sport, dport
        self.source = IpAddress(source)
        self.header = header
        pseudo = pseudo_header_sum(source, destination, 6, len(data))
        if header[0] & 1:
            assert int.from_bytes(data[16:18], "big") % 0xFFFF == pseudo, "partial checksum is wrong"
            assert header[5] == 16 and header[4] == (34 if len(source) == 4 else 54)
            if header[1]:
                assert header[3] > 0 and header[2] == header[4] + 20
        else:
            assert is_valid(pseudo + ones_sum(data)), "TCP checksum is wrong"
        self.options = data[20 : (offset >> 4) * 4]
        self.payload = data[(offset >> 4) * 4 :]


class BareClient:
    """A guest at 10.0.2.15 (or an IPv6 address); `turn` gives the network a turn and sorts what came."""

    mac = b"\x52\x54\x00\x12\x34\x56"
    gateway_mac = b"\x52\x55\x0a\x00\x02\x02"

    def __init__(
        self, network, features: int = ALL_OFFLOADS, port: MemoryPort | None = None, now: float = 100.0
    ):
        self.network = network
        self.features = features
        self.port = port or MemoryPort()
        self.address = IpAddress.parse("10.0.2.15")
        self.address6 = IpAddress.parse("fd00:2::15")
        self.now = now
        self.packets: deque[Ipv4Packet | Ipv6Packet] = deque()
        self.arps: deque[ArpPacket] = deque()
        self.segments: dict[int, deque[Segment]] = {}
        self.connections: dict[int, BareTcp] = {}
        network.service(now)
        network.attach(self.port, features)

    def turn(self, now: float | None = None) -> None:
        """One service of the network, then all that arrived is taken."""
        self.now = self.now if now is None else now
        self.network.service(self.now)
        while self.port.frames:
            self._receive(*self.port.frames.popleft())

    def turn_until(self, condition: Callable[[], object], turns: int = 20_000, step: float = 0.0) -> None:
        for _ in range(turns):
            if condition():
                return
            self.turn(self.now + step)
            for connection in list(self.connections.values()):
                connection.handle_timeout()
        raise AssertionError("the condition never came true")

    def send_frame(self, frame: bytes, header: tuple = PLAIN, cuts: Sequence[int] = ()) -> None:
        ends = [*cuts, len(frame)]
        starts = [0, *cuts]
        view = memoryview(frame)
        self.network.transmit([view[a:b] for a, b in zip(starts, ends, strict=True)], header)

    def send_arp(self, target: IpAddress, sender: IpAddress | None = None) -> None:
        sender = self.address if sender is None else sender
        packet = ArpPacket(arp.REQUEST, self.mac, sender, bytes(6), target)
        self.send_frame(EthernetHeader(BROADCAST_MAC, self.mac, ETHERTYPE_ARP).build() + packet.build())

    def send_packet(self, packet: Ipv4Packet | Ipv6Packet) -> None:
        ethertype = ETHERTYPE_IPV4 if len(packet.source) == 4 else ETHERTYPE_IPV6
        self.send_frame(EthernetHeader(self.gateway_mac, self.mac, ethertype).build() + packet.build())

    def send_udp(
        self, to: IpAddress, port: int, payload: bytes, source_port: int = 4000, hop_limit: int = 64
    ) -> None:
        source = self.address if len(to) == 4 else self.address6
        octets = UdpDatagram(source_port, port, payload).build(source, to)
        make = Ipv4Packet if len(to) == 4 else Ipv6Packet
        self.send_packet(make(source, to, 17, octets, hop_limit))

    def send_dhcp(self, kind: MessageType, options: dict[int, bytes] | None = None, **fields) -> None:
        message = DhcpMessage(
            dhcp.BOOT_REQUEST,
            0x1234,
            self.mac,
            {dhcp.MESSAGE_TYPE: bytes((kind,)), **(options or {})},
            **fields,
        )
        octets = UdpDatagram(68, 67, message.build()).build(IPV4_ANY, IPV4_BROADCAST)
        self.send_packet(Ipv4Packet(IPV4_ANY, IPV4_BROADCAST, 17, octets))

    def next_dhcp(self) -> DhcpMessage | None:
        self.turn()
        while self.packets:
            packet = self.packets.popleft()
            if packet.protocol == 17:
                datagram = UdpDatagram.parse(packet.payload, packet.source, packet.destination)
                if datagram.destination_port == 68:
                    return DhcpMessage.parse(datagram.payload)
        return None

    def connect(self, to: IpAddress, port: int, source_port: int = 50_000, **options) -> BareTcp:
        """Send a SYN; the connection follows in the turns after."""
        connection = BareTcp(self, to, port, source_port, **options)
        self.connections[source_port] = connection
        connection.send_syn()
        return connection

    def _receive(self, frame: bytes, header: tuple) -> None:
        assert frame[:6] in (self.mac, BROADCAST_MAC) or frame[0] & 1
        assert frame[6:12] == self.gateway_mac
        ethertype = int.from_bytes(frame[12:14], "big")
        if ethertype == ETHERTYPE_ARP:
            self.arps.append(ArpPacket.parse(frame[14:]))
            return
        parse = Ipv4Packet.parse if ethertype == ETHERTYPE_IPV4 else Ipv6Packet.parse
        packet = parse(frame[14:])
        if packet.protocol != 6:
            self.packets.append(packet)
            return
        segment = Segment(packet.source, packet.destination, bytes(packet.payload), header)
        connection = self.connections.get(segment.ports[1])
        if connection is not None:
            connection.receive(segment)
        else:
            self.segments.setdefault(segment.ports[1], deque()).append(segment)


class BareTcp:
    """One connection by hand: acknowledges what is in order, repeats what is not acknowledged."""

    def __init__(
        self, client, to, port, source_port, window=0xFFFF, shift=8, mss=1460, iss=0xFFFF_FF00, holds=False
    ):
        self.client, self.to, self.ports = client, to, (source_port, port)
        self.source = client.address if len(to) == 4 else client.address6
        self.window, self.shift, self.mss = window, shift, mss
        self.holds = holds
        """Do not acknowledge by itself."""
        self.snd_una = self.snd_nxt = iss
        self.rcv_nxt = 0
        self.remote_window = 0
        self.remote_shift = 0
        self.received = bytearray()
        self.unacked = bytearray()
        self.log: list[Segment] = []
        self.is_established = self.is_reset = self.at_eof = False
        self.fin_wanted = self.fin_sent = self.fin_acked = False
        self.timeout_at = client.now + 1.0
        self.largest = 0

    def send_syn(self) -> None:
        options = b"\x02\x04" + self.mss.to_bytes(2, "big")
        if self.shift is not None:
            options += bytes((1, 3, 3, self.shift))
        self.emit(self.snd_una, SYN, options=options, window=self.window)
        self.snd_nxt = self.snd_una + 1 & 0xFFFFFFFF

    def emit(self, seq, flags, payload=b"", options=b"", window=None, cuts=None) -> None:
        window = min(self.window >> (self.shift or 0), 0xFFFF) if window is None else window
        offset = 5 + len(options) // 4 << 4
        data = _TCP.pack(
            *self.ports, seq & 0xFFFFFFFF, self.rcv_nxt, offset, flags, min(window, 0xFFFF), 0, 0
        ) + options  # fmt: skip
        length = len(data) + len(payload)
        pseudo = pseudo_header_sum(self.source, self.to, 6, length)
        if self.client.features & 1:
            check, header = pseudo, (1, 0, 0, 0, 34 if len(self.to) == 4 else 54, 16)
        else:
            check, header = checksum(pseudo + ones_sum(data + payload)), PLAIN
        data = data[:16] + check.to_bytes(2, "big") + data[18:]
        make = Ipv4Packet if len(self.to) == 4 else Ipv6Packet
        ip = make(self.source, self.to, 6, b"").build_header(length)
        ethertype = ETHERTYPE_IPV4 if len(self.to) == 4 else ETHERTYPE_IPV6
        head = EthernetHeader(self.client.gateway_mac, self.client.mac, ethertype).build() + ip + data
        if cuts is not None:
            self.client.send_frame(head + payload, header, cuts)
        else:
            self.client.network.transmit(
                [memoryview(head), *([memoryview(payload)] if payload else [])], header
            )

    def send(self, data: bytes) -> None:
        self.unacked += data
        self.push()

    def push(self) -> None:
        """Send what the remote window allows and was not sent."""
        size = 60_000 if self.client.features & 1 << 11 else self.mss
        while True:
            sent = self.snd_nxt - self.snd_una & 0xFFFFFFFF
            room = min(self.remote_window, len(self.unacked)) - sent
            if room <= 0 or not self.is_established or self.fin_sent:
                break
            part = bytes(self.unacked[sent : sent + min(room, size)])
            self.emit(self.snd_nxt, ACK | PSH, part)
            self.snd_nxt = self.snd_nxt + len(part) & 0xFFFFFFFF
        sent = self.snd_nxt - self.snd_una & 0xFFFFFFFF
        if self.fin_wanted and not self.fin_sent and sent == len(self.unacked):
            self.emit(self.snd_nxt, ACK | FIN)
            self.snd_nxt = self.snd_nxt + 1 & 0xFFFFFFFF
            self.fin_sent = True

    def finish(self) -> None:
        self.fin_wanted = True
        self.push()

    def acknowledge(self) -> None:
        self.emit(self.snd_nxt, ACK)

    def handle_timeout(self) -> None:
        if self.client.now < self.timeout_at or self.is_reset:
            return
        self.timeout_at = self.client.now + 1.0
        if not self.is_established:
            self.send_syn()
            return
        if self.snd_nxt != self.snd_una:
            self.snd_nxt = self.snd_una
            self.fin_sent = False
        self.push()

    def receive(self, segment: Segment) -> None:
        self.log.append(segment)
        if segment.flags & RST:
            self.is_reset = True
            return
        if segment.flags & SYN:
            options = segment.options
            if len(options) >= 8 and options[4:7] == b"\x01\x03\x03":
                self.remote_shift = options[7]
            if not self.is_established:  # one that was late changes nothing
                self.is_established = True
                self.rcv_nxt = segment.seq + 1 & 0xFFFFFFFF
                self.snd_una = segment.ack
                self.remote_window = segment.window
            self.acknowledge()
            self.push()
            return
        self._receive_ack(segment)
        if segment.payload or segment.flags & FIN:
            if segment.seq == self.rcv_nxt and not self.at_eof:
                self.received += segment.payload
                self.largest = max(self.largest, len(segment.payload))
                self.rcv_nxt = self.rcv_nxt + len(segment.payload) & 0xFFFFFFFF
                if segment.flags & FIN:
                    self.rcv_nxt = self.rcv_nxt + 1 & 0xFFFFFFFF
                    self.at_eof = True
            if not self.holds:
                self.acknowledge()
        self.push()

    def _receive_ack(self, segment: Segment) -> None:
        acked = segment.ack - self.snd_una & 0xFFFFFFFF
        if acked >= 1 << 31:
            return
        if acked:
            self.timeout_at = self.client.now + 1.0
            if acked > len(self.unacked):
                self.fin_acked = True
            del self.unacked[:acked]
            self.snd_una = segment.ack
            if self.snd_nxt - segment.ack & 0xFFFFFFFF >= 1 << 31:
                self.snd_nxt = segment.ack
        self.remote_window = segment.window << self.remote_shift
