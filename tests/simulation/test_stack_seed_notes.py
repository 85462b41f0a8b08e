"""The faults that the seed notes saw, as scenarios: neighbours, routes, ICMP, loopback, DHCP."""

from __future__ import annotations

import pytest

from tcpip.counters import DropReason
from tcpip.errors import UnreachableError
from tcpip.events import LeaseLost, LeaseObtained, NeighborFailed
from tcpip.wire import dhcp
from tcpip.wire.address import IPV4_BROADCAST, IpAddress
from tcpip.wire.arp import REQUEST
from tcpip.wire.dhcp import DhcpMessage, MessageType
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.udp import UdpDatagram
from tests.fakes.checkers import arp, check, icmp, ip, matching, udp
from tests.fakes.frame_pair import MAC_B, FramePair, static_config
from tests.fakes.lone_stack import LoneStack

GATEWAY = IpAddress.parse("10.0.2.2")
OWN = IpAddress.parse("10.0.2.15")


def on_user_network() -> LoneStack:
    lone = LoneStack(static_config("10.0.2.15/24", gateways=(GATEWAY,)))
    lone.poll()
    return lone


# EthernetLink, ARP states: the first packet was queued, then lost


def test_the_first_packet_waits_for_the_neighbour_and_then_goes_out():
    lone = on_user_network()
    socket = lone.stack.udp_open(1000)
    for i in range(3):
        socket.send_datagram(bytes([i]), GATEWAY, 53, lone.now)
    (request,) = lone.poll()
    check(request, arp(operation=REQUEST, target_ip="10.0.2.2", sender_ip="10.0.2.15"))
    frames = lone.answer_arp("10.0.2.2")
    assert [check(f, udp()).udp.payload for f in frames] == [b"\0", b"\1", b"\2"]


def test_a_silent_neighbour_is_asked_three_times_a_second_apart_and_then_reported():
    lone = on_user_network()
    socket = lone.stack.ping_open()
    socket.send_echo(GATEWAY, 1, b"x", lone.now)
    times = []
    while (due := lone.stack.next_timeout()) is not None and not times[3:]:
        times += [lone.now for _ in matching(lone.poll(), arp(operation=REQUEST, target_ip="10.0.2.2"))]
        lone.now = max(lone.now, due)
        if socket.next_reply() is not None:
            break
    assert times == [10.0, 11.0, 12.0]


def test_a_failed_neighbour_reaches_the_caller_of_each_packet():
    lone = on_user_network()
    socket, ping = lone.stack.udp_open(), lone.stack.ping_open()
    socket.send_datagram(b"a", GATEWAY, 53, lone.now)
    ping.send_echo(GATEWAY, 7, b"", lone.now)
    connection = lone.stack.tcp_connect(GATEWAY, 80, lone.now)
    lone.advance(3.5)
    assert isinstance(socket.next_error().error, UnreachableError)
    reply = ping.next_reply()
    assert (reply.sequence, reply.error) == (7, "Destination Host Unreachable")
    assert isinstance(connection.error, UnreachableError)
    events = [lone.stack.next_event() for _ in range(10)]
    assert NeighborFailed(GATEWAY) in events


# Router, RouteTable: two route tables, the default route in only one


def test_everything_that_routes_reads_one_table():
    lone = on_user_network()
    far = IpAddress.parse("203.0.113.9")
    lone.stack.tcp_connect(far, 80, lone.now)
    lone.stack.udp_open().send_datagram(b"u", far, 53, lone.now)
    lone.stack.ping_open().send_echo(far, 1, b"p", lone.now)
    asked = lone.poll()
    assert len(asked) == 1, "all three wait for the one gateway"
    frames = lone.answer_arp("10.0.2.2")
    assert {check(f, ip(destination="203.0.113.9")).ip.protocol for f in frames} == {1, 6, 17}
    assert {check(f).ethernet.destination for f in frames} == {MAC_B}


def test_the_longest_prefix_wins():
    lone = on_user_network()
    routes = lone.stack._ip.routes
    assert routes.lookup(IpAddress.parse("10.0.2.9")).gateway is None
    assert routes.lookup(IpAddress.parse("10.0.3.9")).gateway == GATEWAY
    assert routes.lookup(OWN).is_loopback


def test_without_a_default_route_a_connect_fails_at_once():
    lone = LoneStack(static_config("10.0.2.15/24"))
    with pytest.raises(UnreachableError, match="no route to"):
        lone.stack.tcp_connect(IpAddress.parse("203.0.113.9"), 80, lone.now)


def test_the_routes_are_always_shown():
    shown = on_user_network().stack.info()["routes"]
    assert {"0.0.0.0/0", "10.0.2.0/24", "127.0.0.0/8", "::1/128"} <= {r["destination"] for r in shown}


# ICMP scheme, ping: the reply was received and never delivered; hangs on 127.0.0.1


@pytest.mark.parametrize(
    ("a", "b"), [("10.0.2.15/24", "10.0.2.2/24"), ("fd00::15/64", "fd00::2/64")], ids=["IPv4", "IPv6"]
)
def test_a_ping_reply_is_delivered(a, b):
    wire = FramePair(static_config(a), static_config(b), delay=0.035)
    socket = wire.a.stack.ping_open()
    peer = IpAddress.parse(b.partition("/")[0])
    socket.send_echo(peer, 1, b"abcd", wire.now)
    replies = []
    wire.run_until(lambda: bool(replies.append(r) or 1 if (r := socket.next_reply()) else replies))
    (reply,) = replies
    assert (reply.source, reply.sequence, reply.size, reply.ttl, reply.error) == (peer, 1, 4, 64, "")
    assert 0.07 <= reply.rtt <= 0.15  # a round trip for the neighbour, and one for the echo


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "10.0.2.15"])
def test_loopback_answers_without_the_nic(address):
    lone = on_user_network()
    socket = lone.stack.ping_open()
    socket.send_echo(IpAddress.parse(address), 1, b"data", lone.now)
    assert lone.poll() == []
    reply = socket.next_reply()
    assert (str(reply.source), reply.size, reply.rtt) == (address, 4, 0.0)


def test_a_large_ping_to_loopback_and_across_the_wire_is_whole():
    wire = FramePair(static_config("10.0.2.15/24"), static_config("10.0.2.2/24"))
    socket = wire.a.stack.ping_open()
    socket.send_echo(GATEWAY, 1, bytes(40_000), wire.now)
    wire.run_for(1)
    assert socket.next_reply().size == 40_000
    assert all(len(frame) <= 1514 for frame in wire.a.sent)


def test_late_and_duplicate_replies_are_told_apart():
    lone = on_user_network()
    socket = lone.stack.ping_open()
    socket.send_echo(GATEWAY, 1, b"x", lone.now)
    lone.poll()
    (echo,) = lone.answer_arp("10.0.2.2")
    request = check(echo, icmp(type=8)).icmp
    answer = request._replace(type=0, body=b"x").build()
    lone.now += 11.0
    for _ in range(2):
        lone.receive_packet(Ipv4Packet(GATEWAY, OWN, 1, answer))
    first, second = socket.next_reply(), socket.next_reply()
    assert (first.is_late, first.is_duplicate) == (True, False)
    assert second.is_duplicate


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_connection_over_loopback_never_reaches_the_device(address):
    lone = on_user_network()
    listener = lone.stack.tcp_listen(8080)
    connection = lone.stack.tcp_connect(IpAddress.parse(address), 8080, lone.now)
    assert lone.poll() == []
    assert connection.is_established
    server = listener.accept()
    data = bytes(300_000)
    connection.send(data)
    lone.stack.wants_to_send(connection)
    got = 0
    for _ in range(200):
        assert lone.advance(0.01) == []
        while chunk := server.receive():
            got += len(chunk)
            lone.stack.wants_to_send(server)
    assert got == len(data)


# dhcpd


class Server:
    """A DHCP server of a few lines."""

    def __init__(self, lone: LoneStack, lease: int = 3600) -> None:
        self.lone = lone
        self.lease = lease
        self.heard: list[DhcpMessage] = []

    def read(self, frames: list[bytes]) -> DhcpMessage:
        layers = matching(frames, udp(destination_port=67))[-1]
        message = DhcpMessage.parse(layers.udp.payload)
        self.heard.append(message)
        return message

    def answer(
        self, request: DhcpMessage, kind: MessageType, address: str = "10.0.2.15", **more: bytes
    ) -> list[bytes]:
        options = {
            dhcp.MESSAGE_TYPE: bytes((kind,)),
            dhcp.SERVER_IDENTIFIER: bytes(GATEWAY),
            dhcp.LEASE_TIME: self.lease.to_bytes(4, "big"),
            dhcp.SUBNET_MASK: b"\xff\xff\xff\0",
            dhcp.ROUTER: bytes(GATEWAY),
            dhcp.DOMAIN_NAME_SERVER: bytes([10, 0, 2, 3]),
            dhcp.DOMAIN_NAME: b"example.org",
            dhcp.INTERFACE_MTU: (1400).to_bytes(2, "big"),
        }
        reply = DhcpMessage(2, request.transaction_id, request.client_mac, options, your_address=OWN)
        data = UdpDatagram(67, 68, reply.build()).build(GATEWAY, IPV4_BROADCAST)
        return self.lone.receive_packet(Ipv4Packet(GATEWAY, IPV4_BROADCAST, 17, data))


def leased(lease: int = 3600) -> tuple[LoneStack, Server]:
    lone = LoneStack(static_config()._replace(dhcp=True))
    server = Server(lone, lease)
    discover = server.read(lone.poll())
    assert discover.message_type is MessageType.DISCOVER
    request = server.read(server.answer(discover, MessageType.OFFER))
    assert request.message_type is MessageType.REQUEST
    server.answer(request, MessageType.ACK)
    return lone, server


def test_dhcp_configures_address_route_resolver_and_mtu():
    lone, _ = leased()
    stack = lone.stack
    assert stack.is_configured(4)
    assert str(stack.lease.address) == "10.0.2.15"
    assert list(map(str, stack.dns_servers())) == ["10.0.2.3"]
    assert stack.search_domains() == ("example.org",)
    assert stack._interface.mtu_of(4) == 1400
    shown = stack.info()
    assert shown["dhcp"]["lease"]["expires"] == 3600
    assert {"0.0.0.0/0", "10.0.2.0/24"} <= {r["destination"] for r in shown["routes"]}
    assert any(isinstance(stack.next_event(), LeaseObtained) for _ in range(5))


def test_dhcp_keeps_asking_when_nobody_answers():
    lone = LoneStack(static_config()._replace(dhcp=True))
    frames = lone.advance(20)
    asked = matching(frames, udp(destination_port=67), ip(source="0.0.0.0", destination="255.255.255.255"))
    assert 4 <= len(asked) <= 6
    assert not lone.stack.is_configured(4)


def test_dhcp_renews_with_its_server_then_with_any_and_lets_go_at_the_end():
    lone, _ = leased(lease=1000)
    lone.poll()
    assert matching(lone.advance(499), udp(destination_port=67)) == []
    lone.advance(2)
    frames = lone.answer_arp("10.0.2.2")
    renewal = matching(frames, udp(destination_port=67), ip(source="10.0.2.15", destination="10.0.2.2"))
    assert len(renewal) == 1
    rebinding = matching(lone.advance(450), ip(destination="255.255.255.255"), udp(destination_port=67))
    assert rebinding and str(rebinding[0].ip.source) == "10.0.2.15"
    lone.advance(60)
    assert not lone.stack.is_configured(4)
    events = []
    while (event := lone.stack.next_event()) is not None:
        events.append(event)
    assert [e.reason for e in events if isinstance(e, LeaseLost)] == ["the lease ran out"]


def test_dhcp_renewal_extends_the_lease():
    lone, server = leased(lease=1000)
    lone.poll()
    lone.advance(501)
    frames = lone.answer_arp("10.0.2.2")
    renewal = server.read(frames)
    server.answer(renewal, MessageType.ACK)
    assert lone.stack.lease.expires_at == pytest.approx(lone.now + 999, abs=2)


def test_dhcp_begins_anew_after_a_nak():
    lone = LoneStack(static_config()._replace(dhcp=True))
    server = Server(lone)
    request = server.read(server.answer(server.read(lone.poll()), MessageType.OFFER))
    again = server.read(server.answer(request, MessageType.NAK))
    assert again.message_type is MessageType.DISCOVER
    assert again.transaction_id != request.transaction_id


def test_dhcp_declines_an_address_that_somebody_has():
    lone, server = leased()
    frames = lone.receive_arp(2, "10.0.2.15", "10.0.2.2", MAC_B)
    frames += lone.advance(0.1)
    assert server.read(frames).message_type is MessageType.DECLINE
    assert not lone.stack.is_configured(4)
    assert server.read(lone.advance(11)).message_type is MessageType.DISCOVER


def test_an_answer_to_another_transaction_is_ignored():
    lone = LoneStack(static_config()._replace(dhcp=True))
    server = Server(lone)
    discover = server.read(lone.poll())
    assert server.answer(discover._replace(transaction_id=1), MessageType.OFFER) == []
    assert server.answer(discover._replace(client_mac=MAC_B), MessageType.OFFER) == []


def test_packets_for_others_are_dropped_and_counted():
    lone = on_user_network()
    lone.receive_packet(Ipv4Packet(GATEWAY, IpAddress.parse("10.0.2.77"), 17, b"x" * 20))
    assert lone.stack.counters.dropped(DropReason.NOT_OURS) == 1
