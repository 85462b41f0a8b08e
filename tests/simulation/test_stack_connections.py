"""Two stacks on a wire: connections of both families, with and without each offload."""

from __future__ import annotations

import pytest

from tcpip import device
from tcpip.counters import DropReason
from tcpip.errors import AddressError, ConnectRefusedError, UnreachableError, UsageError
from tcpip.flows import BURST
from tcpip.tcp.config import TcpConfig
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.tcp import RST, build_header
from tests.fakes.checkers import check, ip, matching, tcp
from tests.fakes.frame_pair import ALL_OFFLOADS, FramePair, static_config
from tests.fakes.lone_stack import LoneStack

FAMILIES = [("10.0.2.15/24", "10.0.2.2/24"), ("fd00::15/64", "fd00::2/64")]
families = pytest.mark.parametrize(("a", "b"), FAMILIES, ids=["IPv4", "IPv6"])
offloads = pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (0, 0),
        (ALL_OFFLOADS, ALL_OFFLOADS),
        (ALL_OFFLOADS, 0),
        (0, ALL_OFFLOADS),
        (device.TX_CHECKSUM, device.RX_CHECKSUM),
        (device.TX_CHECKSUM | device.TSO4 | device.TSO6, device.RX_CHECKSUM),
    ],
    ids=["none", "all", "sending", "receiving", "checksums", "tso"],
)


def address(text: str) -> IpAddress:
    return IpAddress.parse(text.partition("/")[0])


def connected(wire: FramePair, b: str):
    listener = wire.b.stack.tcp_listen(80)
    client = wire.a.stack.tcp_connect(address(b), 80, wire.now)
    wire.run_until(lambda: bool(listener.queue) and client.is_established)
    return client, listener.accept()


def received(server, got: bytearray) -> int:
    """Take all there is to read; how much that is by now."""
    while chunk := server.receive():
        got.extend(chunk)
    return len(got)


def transfer(wire: FramePair, sender, receiver, data: bytes) -> bytes:
    a, b = wire.a.stack, wire.b.stack
    left, got = memoryview(data), bytearray()

    def is_over() -> bool:
        nonlocal left
        if left and (taken := sender.send(left)):
            left = left[taken:]
            a.wants_to_send(sender)
        while chunk := receiver.receive():
            got.extend(chunk)
            b.wants_to_send(receiver)
        return len(got) == len(data)

    wire.run_until(is_over)
    return bytes(got)


@families
@offloads
def test_a_connection_opens_carries_octets_and_closes(a, b, ours, theirs):
    wire = FramePair(static_config(a), static_config(b), offloads_a=ours, offloads_b=theirs)
    client, server = connected(wire, b)
    data = bytes(range(251)) * 2000
    assert transfer(wire, client, server, data) == data
    client.shutdown(wire.now)
    wire.a.stack.wants_to_send(client)
    wire.run_until(lambda: server.at_eof)
    wire.b.stack.release(server)
    wire.a.stack.release(client)
    wire.run_for(120)
    for node in (wire.a, wire.b):
        assert node.stack.info()["connections"] == []
        assert node.stack.next_timeout() is None
        assert DropReason.CHECKSUM not in node.stack.counters.drops
    for frame in wire.a.sent + wire.b.sent:
        if not ours and not theirs:
            check(frame)  # the checker verifies every checksum


@families
def test_a_port_where_nobody_listens_refuses(a, b):
    wire = FramePair(static_config(a), static_config(b))
    client = wire.a.stack.tcp_connect(address(b), 81, wire.now)
    wire.run_until(lambda: client.error is not None)
    assert isinstance(client.error, ConnectRefusedError)
    (reset,) = matching(wire.b.sent, tcp(flags="RA", source_port=81))
    assert reset.tcp.sequence == 0
    assert wire.now == 100.0, "nobody had to wait"


def test_many_connections_share_the_wire_fairly():
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"))
    listener = wire.b.stack.tcp_listen(80)
    clients = [wire.a.stack.tcp_connect(address("10.0.2.2"), 80, wire.now) for _ in range(20)]
    wire.run_until(lambda: all(c.is_established for c in clients) and len(listener.queue) == 20)
    for client in clients:
        client.send(bytes(14_000))
        wire.a.stack.wants_to_send(client)
    wire.a.sent.clear()
    wire.step()
    ports = [check(frame, tcp()).tcp.source_port for frame in wire.a.sent]
    assert len(set(ports)) == 20
    assert len({wire.a.stack.local_of(c)[1] for c in clients}) == 20


def test_idle_connections_cost_nothing_per_turn():
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"))
    wire.b.stack.tcp_listen(80, backlog=200)
    for _ in range(200):
        wire.a.stack.tcp_connect(address("10.0.2.2"), 80, wire.now)
    wire.run_for(1)
    assert len(wire.a.stack.info()["connections"]) == 200
    assert wire.a.stack.next_timeout() is None or wire.a.stack.next_timeout() > wire.now + 1
    assert list(wire.a.stack.frames_to_send(wire.now)) == []


def test_at_most_one_burst_is_built_that_is_not_consumed():
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"))
    client, server = connected(wire, "10.0.2.2")
    data = bytes(range(256)) * 240
    client.congestion.window = len(data)
    client.send(data)
    wire.a.stack.wants_to_send(client)
    before = client.segments_sent
    for frame in wire.a.stack.frames_to_send(wire.now):
        wire._carry(wire.a, wire.b, frame)
        break
    assert client.segments_sent == before + BURST < before + len(data) // 1448
    got = bytearray()
    wire.run_until(lambda: received(server, got) == len(data))
    assert bytes(got) == data
    assert client.retransmissions == 0


def test_a_full_backlog_takes_no_more():
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"))
    wire.b.stack.tcp_listen(80, backlog=4)
    for _ in range(6):
        wire.a.stack.tcp_connect(address("10.0.2.2"), 80, wire.now)
    wire.run_for(0.5)
    assert wire.b.stack.counters.dropped(DropReason.BACKLOG_FULL) == 2
    assert len(wire.b.stack.info()["connections"]) == 4


def test_a_closed_listener_resets_what_nobody_accepted():
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"))
    listener = wire.b.stack.tcp_listen(80)
    client = wire.a.stack.tcp_connect(address("10.0.2.2"), 80, wire.now)
    wire.run_until(lambda: bool(listener.queue))
    listener.close()
    wire.run_until(lambda: client.error is not None)
    assert wire.b.stack.info()["connections"] == []
    with pytest.raises(UsageError):
        wire.a.stack.tcp_connect(address("10.0.2.2"), 0, wire.now)
    wire.b.stack.tcp_listen(80)
    with pytest.raises(AddressError, match="listens at port 80 already"):
        wire.b.stack.tcp_listen(80)


def icmp_about(lone_frame: bytes, kind: str, value: int = 0) -> Ipv4Packet | Ipv6Packet:
    """An error of a router about a frame that was sent."""
    packet = check(lone_frame).ip
    quoted = lone_frame[14:]
    if packet.source.version == 4:
        types = {"host": (3, 1), "port": (3, 3), "big": (3, icmpv4.FRAGMENTATION_NEEDED), "ttl": (11, 0)}
        body = Icmpv4Message(*types[kind], value, quoted[:28]).build()
        return Ipv4Packet(IpAddress.parse("10.0.2.1"), packet.source, 1, body)
    types = {"host": (1, 3), "port": (1, 4), "big": (icmpv6.PACKET_TOO_BIG, 0), "ttl": (3, 0)}
    router = IpAddress.parse("fd00::1")
    body = Icmpv6Message(*types[kind], value, quoted[:200]).build(router, packet.source)
    return Ipv6Packet(router, packet.source, 58, body)


@families
@pytest.mark.parametrize("kind", ["host", "port", "ttl"])
def test_an_icmp_error_ends_the_opening_of_the_connection_it_quotes(a, b, kind):
    lone = LoneStack(static_config(a))
    client = lone.stack.tcp_connect(address(b), 80, lone.now)
    lone.poll()
    answer = lone.answer_arp if address(a).version == 4 else lone.answer_nd
    (syn,) = answer(str(address(b)), str(address(a)))
    check(syn, tcp(flags="S"), ip(source=str(address(a))))
    lone.receive_packet(icmp_about(syn, kind))
    assert client.error is not None
    assert str(address(b)) in str(client.error)


@families
def test_a_forged_icmp_error_changes_nothing(a, b):
    lone = LoneStack(static_config(a))
    client = lone.stack.tcp_connect(address(b), 80, lone.now)
    lone.poll()
    answer = lone.answer_arp if address(a).version == 4 else lone.answer_nd
    (syn,) = answer(str(address(b)), str(address(a)))
    at = 14 + (20 if address(a).version == 4 else 40)
    wrong = syn[: at + 4] + (int.from_bytes(syn[at + 4 : at + 8], "big") - 9 & 0xFFFFFFFF).to_bytes(4, "big")
    forged = Layerless(wrong + syn[at + 8 :], address(a).version)
    lone.receive_packet(forged.error())
    assert client.error is None


class Layerless:
    """An error about octets whose checksum need not be right."""

    def __init__(self, frame: bytes, version: int) -> None:
        self.quoted, self.version = frame[14:], version

    def error(self) -> Ipv4Packet | Ipv6Packet:
        if self.version == 4:
            body = Icmpv4Message(3, 1, 0, self.quoted[:28]).build()
            return Ipv4Packet(IpAddress.parse("10.0.2.1"), address("10.0.2.15"), 1, body)
        router, own = IpAddress.parse("fd00::1"), address("fd00::15")
        return Ipv6Packet(router, own, 58, Icmpv6Message(1, 3, 0, self.quoted[:200]).build(router, own))


@families
def test_a_smaller_path_mtu_is_kept_for_the_destination(a, b):
    wire = FramePair(static_config(a), static_config(b), delay=0.01)
    client, server = connected(wire, b)
    data = bytes(100_000)
    client.send(data)
    wire.a.stack.wants_to_send(client)
    wire.a.sent.clear()
    wire.step()
    big = next(frame for frame in wire.a.sent if len(frame) > 1400)
    error = icmp_about(big, "big", 1300)
    router_mac = wire.a.stack._interface.mac
    ethertype = b"\x08\x00" if error.source.version == 4 else b"\x86\xdd"
    frame = router_mac + bytes.fromhex("525400000009") + ethertype + error.build()
    wire.a.stack.receive_frame(memoryview(frame), 0, 0, wire.now)
    wire.a.sent.clear()
    got = bytearray()
    wire.run_until(lambda: received(server, got) == len(data))
    assert max(map(len, wire.a.sent)) <= 1300 + 14
    another = wire.a.stack.tcp_connect(address(b), 80, wire.now)
    assert another.mss == 1300 - (40 if address(a).version == 4 else 60)


def test_ports_and_sequence_numbers_do_not_follow_each_other():
    lone = LoneStack(static_config("10.0.2.15/24"))
    peers = [IpAddress.parse(f"10.0.2.{i}") for i in range(20, 60)]
    opened = [lone.stack.tcp_connect(peer, 80, lone.now) for peer in peers]
    ports = [c.local_port for c in opened]
    assert len(set(ports)) == 40
    assert ports != sorted(ports)
    assert all(49_152 <= port <= 65_535 for port in ports)
    numbers = [c.iss for c in opened]
    assert len({n >> 16 for n in numbers}) > 30
    again = lone.stack.tcp_connect(peers[0], 81, lone.now, local_port=ports[0])
    assert again.iss != numbers[0]


def test_a_gateway_that_changes_its_mac_is_found_again():
    lone = LoneStack(static_config("10.0.2.15/24", gateways=(address("10.0.2.2"),)))
    socket = lone.stack.udp_open()
    far = IpAddress.parse("203.0.113.1")
    socket.send_datagram(b"1", far, 53, lone.now)
    lone.poll()
    lone.answer_arp("10.0.2.2")
    lone.advance(31)
    socket.send_datagram(b"2", far, 53, lone.now)
    lone.advance(9)
    new = bytes.fromhex("525400000099")
    asked = lone.advance(1)
    assert asked or lone.stack.info()["neighbors"][0]["state"] == "discovering"
    lone.receive_arp(2, "10.0.2.2", "10.0.2.15", new)
    socket.send_datagram(b"3", far, 53, lone.now)
    frame = [f for f in lone.poll() if f[12:14] == b"\x08\x00"][-1]
    assert frame[:6] == new


def test_a_neighbour_that_dies_under_a_connection_ends_it_by_the_connections_own_time_out():
    config = static_config("10.0.2.15/24")._replace(tcp=TcpConfig(user_timeout=30.0))
    dead = False
    wire = FramePair(config, static_config("10.0.2.2/24"), lose=lambda frame: dead)
    client, _ = connected(wire, "10.0.2.2")
    wire.run_for(40)
    dead = True
    client.send(b"anybody there?")
    wire.a.stack.wants_to_send(client)
    wire.run_until(lambda: client.error is not None, at_most=60)
    assert isinstance(client.error, UnreachableError)
    assert "no neighbour answers" in str(client.error)


def test_a_connection_survives_a_neighbour_that_is_gone_for_a_while():
    dead = False
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"), lose=lambda frame: dead)
    client, server = connected(wire, "10.0.2.2")
    wire.run_for(40)
    dead = True
    client.send(b"late, but whole")
    wire.a.stack.wants_to_send(client)
    wire.run_for(20)
    dead = False
    got = bytearray()
    wire.run_until(lambda: received(server, got) == 15, at_most=60)
    assert bytes(got) == b"late, but whole"


def test_time_wait_makes_room_for_new_connections():
    config = static_config("10.0.2.15/24", max_connections=8)
    wire = FramePair(config, static_config("10.0.2.2/24"))
    listener = wire.b.stack.tcp_listen(80)
    for _ in range(12):
        client = wire.a.stack.tcp_connect(address("10.0.2.2"), 80, wire.now)
        wire.run_until(lambda: bool(listener.queue))
        server = listener.accept()
        wire.a.stack.release(client)
        wire.run_until(lambda server=server: server.at_eof)
        wire.b.stack.release(server)
        wire.run_for(0.1)
    assert len(wire.a.stack.info()["connections"]) <= 8
    assert all(c["state"] == "TIME-WAIT" for c in wire.a.stack.info()["connections"])


def test_too_many_open_connections_are_refused_to_the_caller():
    lone = LoneStack(static_config("10.0.2.15/24", max_connections=3))
    for _ in range(3):
        lone.stack.tcp_connect(address("10.0.2.2"), 80, lone.now)
    with pytest.raises(AddressError, match="3 connections are open"):
        lone.stack.tcp_connect(address("10.0.2.2"), 80, lone.now)


def test_a_frame_with_a_wrong_checksum_is_counted_and_forgotten():
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"))
    client, server = connected(wire, "10.0.2.2")
    client.send(b"payload")
    wire.a.stack.wants_to_send(client)
    (frame,) = wire.a.stack.frames_to_send(wire.now)
    whole = bytearray(b"".join(map(bytes, frame.pieces)))
    whole[-1] ^= 1
    wire.b.stack.receive_frame(memoryview(whole), 0, 0, wire.now)
    assert (server.readable, wire.b.stack.counters.dropped(DropReason.CHECKSUM)) == (0, 1)
    wire.b.stack.receive_frame(memoryview(whole), device.CHECKSUM_GOOD, 0, wire.now)
    assert server.readable == 7, "a device that vouches is believed"


def test_a_loopback_connection_cannot_be_reached_from_the_wire():
    lone = LoneStack(static_config("10.0.2.15/24"))
    listener = lone.stack.tcp_listen(8080)
    client = lone.stack.tcp_connect(IpAddress.parse("127.0.0.1"), 8080, lone.now)
    lone.poll()
    server = listener.accept()
    flow = next(f for f in lone.stack._flows if f.connection is client)
    header = build_header(8080, client.local_port, client.rcv_nxt & 0xFFFFFFFF, 0, RST, 0)
    loopback = IpAddress.parse("127.0.0.1")
    lone.receive_packet(Ipv4Packet(loopback, loopback, 6, header))
    assert client.error is None
    assert flow.is_loopback
    assert lone.stack.counters.dropped(DropReason.MARTIAN) == 1
    assert server.is_established
