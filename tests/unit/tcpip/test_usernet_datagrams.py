"""UDP, DNS and echo beyond the gateway, on a host in memory."""

from __future__ import annotations

import errno

import pytest

from tcpip.usernet import UserNetConfig, UserNetwork
from tcpip.usernet.sockets import HostError
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.udp import UdpDatagram
from tests.fakes.bare_client import BareClient
from tests.fakes.host_sockets import FakeHost

REMOTE, REMOTE6 = IpAddress.parse("192.0.2.7"), IpAddress.parse("2001:db8::7")
DNS, DNS6 = IpAddress.parse("10.0.2.3"), IpAddress.parse("fd00:2::3")
RESOLVERS = IpAddress.parse("192.0.2.53"), IpAddress.parse("2001:db8::53")


def make(**fields):
    host = FakeHost()
    network = UserNetwork(UserNetConfig(**fields), host, random_bytes=bytes)
    return BareClient(network), host


def next_udp(client):
    packet = client.packets.popleft()
    assert packet.protocol == 17
    return packet, UdpDatagram.parse(packet.payload, packet.source, packet.destination)


def next_icmp(client):
    packet = client.packets.popleft()
    if len(packet.source) == 4:
        return packet, Icmpv4Message.parse(packet.payload)
    return packet, Icmpv6Message.parse(packet.payload, packet.source, packet.destination)


def send_echo(client, to, sequence=1, hop_limit=64):
    if len(to) == 4:
        octets = Icmpv4Message.echo(77, sequence, b"data").build()
        client.send_packet(Ipv4Packet(client.address, to, 1, octets, hop_limit))
    else:
        octets = Icmpv6Message.echo(77, sequence, b"data").build(client.address6, to)
        client.send_packet(Ipv6Packet(client.address6, to, 58, octets, hop_limit))
    client.turn()


@pytest.mark.parametrize("to", [REMOTE, REMOTE6])
def test_a_datagram_goes_out_one_hop_older_and_its_answer_comes_back(to):
    client, host = make()
    client.send_udp(to, 7, b"one")
    client.send_udp(to, 7, b"two")
    socket = host.datagrams[0]
    assert socket.target == (to, 7) and socket.sent == [(b"one", 63), (b"two", 63)]
    socket.arrive(b"answer", hop_limit=50)
    client.turn()
    packet, datagram = next_udp(client)
    assert packet.source == to and packet.hop_limit == 49
    assert datagram == (7, 4_000, b"answer")


def test_udp_to_the_gateway_reaches_the_hosts_loopback():
    client, host = make()
    client.send_udp(IpAddress.parse("10.0.2.2"), 7, b"x")
    assert host.datagrams[0].target == (IpAddress.parse("127.0.0.1"), 7)


@pytest.mark.parametrize("to", [DNS, DNS6])
def test_questions_go_to_the_first_resolver_of_either_family(to):
    client, host = make(resolvers=RESOLVERS)
    client.send_udp(to, 53, b"question")
    assert host.datagrams[0].target == (RESOLVERS[0], 53)
    host.datagrams[0].arrive(b"answer")
    client.turn()
    packet, datagram = next_udp(client)
    assert (packet.source, datagram.payload) == (to, b"answer")


def test_a_refused_question_goes_to_the_next_resolver_by_itself():
    client, host = make(resolvers=RESOLVERS)
    client.send_udp(DNS, 53, b"question")
    host.datagrams[0].fail(HostError(3, 3, 0, RESOLVERS[0], b"question", True))
    client.turn()
    assert host.datagrams[0].is_closed
    assert host.datagrams[1].target == (RESOLVERS[1], 53)
    assert host.datagrams[1].sent == [(b"question", 64)]
    client.send_udp(DNS, 53, b"another", source_port=4_001)
    assert host.datagrams[2].target == (RESOLVERS[1], 53), "the next question asks the one that works"


def test_a_question_that_comes_again_unanswered_goes_to_the_next_resolver():
    client, host = make(resolvers=RESOLVERS)
    client.send_udp(DNS, 53, b"question")
    client.turn(client.now + 1.0)
    client.send_udp(DNS, 53, b"question")
    assert host.datagrams[1].sent == [(b"question", 64)]


def test_when_all_resolvers_refuse_the_guest_is_told():
    client, host = make(resolvers=RESOLVERS)
    client.send_udp(DNS, 53, b"question")
    for _ in range(10):
        if not host.datagrams[-1].is_closed and not client.packets:
            host.datagrams[-1].fail(HostError(3, 3, 0, None, b"question", True))
            client.turn()
    _, message = next_icmp(client)
    assert (message.type, message.code) == (icmpv4.DESTINATION_UNREACHABLE, icmpv4.PORT_UNREACHABLE)
    assert icmpv4.parse_quoted(message.body).destination == DNS
    assert len(host.datagrams) <= 4


@pytest.mark.parametrize(("resolvers", "port"), [((), 53), (RESOLVERS, 54)])
def test_the_dns_address_has_no_other_service(resolvers, port):
    client, host = make(resolvers=resolvers)
    client.send_udp(DNS, port, b"question")
    client.turn()
    _, message = next_icmp(client)
    assert message.code == icmpv4.PORT_UNREACHABLE and not host.datagrams


def test_an_error_of_the_network_is_handed_on_with_its_sender():
    client, host = make()
    router, router6 = IpAddress.parse("198.51.100.1"), IpAddress.parse("2001:db8::1")
    client.send_udp(REMOTE, 33_434, b"trace")
    client.send_udp(REMOTE6, 33_435, b"trace", source_port=4_001)
    host.datagrams[0].fail(HostError(icmpv4.TIME_EXCEEDED, 0, 0, router, b"trace", True))
    host.datagrams[1].fail(HostError(icmpv6.PACKET_TOO_BIG, 0, 1_300, router6, b"trace", True))
    client.turn()
    packet, message = next_icmp(client)
    assert (packet.source, message.type) == (router, icmpv4.TIME_EXCEEDED)
    quoted = icmpv4.parse_quoted(message.body)
    assert (quoted.destination, quoted.source_port, quoted.destination_port) == (REMOTE, 4_000, 33_434)
    packet, message = next_icmp(client)
    assert (packet.source, message.type, message.value) == (router6, icmpv6.PACKET_TOO_BIG, 1_300)
    assert icmpv6.parse_quoted(message.body).source_port == 4_001


def test_an_error_of_the_hosts_loopback_comes_from_the_gateway():
    client, host = make()
    client.send_udp(IpAddress.parse("10.0.2.2"), 9, b"x")
    host.datagrams[0].fail(HostError(3, 3, 0, IpAddress.parse("127.0.0.1"), b"x", True))
    client.turn()
    packet, message = next_icmp(client)
    assert packet.source == IpAddress.parse("10.0.2.2") and message.code == icmpv4.PORT_UNREACHABLE


def test_a_host_without_a_route_answers_unreachable():
    client, host = make()
    host.refuse[7] = errno.ENETUNREACH
    client.send_udp(REMOTE6, 7, b"x")
    client.turn()
    _, message = next_icmp(client)
    assert (message.type, message.code) == (icmpv6.DESTINATION_UNREACHABLE, icmpv6.NO_ROUTE)


def test_flows_are_bounded_and_the_one_idle_longest_makes_room():
    client, host = make(max_udp_flows=2)
    client.send_udp(REMOTE, 1, b"x")
    client.send_udp(REMOTE, 2, b"x")
    client.send_udp(REMOTE, 1, b"x")
    client.send_udp(REMOTE, 3, b"x")
    assert [socket.is_closed for socket in host.datagrams] == [False, True, False]
    assert client.network.info().udp_flows == 2


def test_idle_flows_end():
    client, host = make(udp_timeout=30.0, network6=None)
    client.send_udp(REMOTE, 1, b"x")
    assert client.network.next_timeout() == client.now + 30.0
    client.turn(client.now + 30.0)
    assert host.datagrams[0].is_closed and client.network.next_timeout() is None


def test_a_large_answer_comes_in_fragments():
    client, host = make()
    client.send_udp(REMOTE, 7, b"x")
    client.send_udp(REMOTE6, 7, b"x")
    for socket in host.datagrams:
        socket.arrive(bytes(5_000))
    client.turn()
    for version in (4, 6):
        parts = [packet for packet in client.packets if packet.source.version == version]
        assert len(parts) == 4 and {part.identification for part in parts} == {parts[0].identification}
        whole = parts[0].reassembled(b"".join(bytes(part.payload) for part in parts))
        assert len(UdpDatagram.parse(whole.payload, whole.source, whole.destination).payload) == 5_000


def test_datagrams_wait_in_the_socket_while_the_guest_has_no_room():
    client, host = make()
    client.send_udp(REMOTE, 7, b"x")
    client.port.capacity = 0
    for i in range(500):
        host.datagrams[0].arrive(bytes((i & 0xFF,)))
    client.turn()
    assert client.network.next_timeout() != client.now
    client.port.capacity = 10_000
    client.turn_until(lambda: len(client.packets) == 500, turns=20)
    assert client.network.info().frames_dropped == 0


@pytest.mark.parametrize("to", [REMOTE, REMOTE6])
def test_echo_beyond_the_gateway_uses_an_icmp_socket_of_the_host(to):
    client, host = make()
    send_echo(client, to, 5, hop_limit=20)
    socket = host.datagrams[0]
    octets, hop_limit = socket.sent[0]
    assert hop_limit == 19 and octets[0] == (8 if len(to) == 4 else 128) and octets[6:8] == b"\0\5"
    reply = bytes((0 if len(to) == 4 else 129, 0, 0, 0, 0x99, 0x99)) + octets[6:]  # the kernel's identifier
    socket.arrive(reply, hop_limit=57)
    client.turn()
    packet, message = next_icmp(client)
    assert (packet.source, packet.hop_limit) == (to, 56)
    assert (message.identifier, message.sequence, message.body) == (77, 5, b"data")


def test_a_raw_socket_sees_the_replies_of_others_and_leaves_them():
    client, host = make()
    send_echo(client, REMOTE)
    socket = host.datagrams[0]
    socket.is_raw = True
    socket.arrive(bytes((0, 0, 0, 0, 0, 78, 0, 1)))
    client.turn()
    assert not client.packets
    socket.arrive(bytes((0, 0, 0, 0, 0, 77, 0, 1)))
    client.turn()
    assert len(client.packets) == 1


def test_time_exceeded_on_the_way_is_handed_back_with_the_guests_identifier():
    client, host = make()
    router = IpAddress.parse("198.51.100.1")
    send_echo(client, REMOTE, 3, hop_limit=2)
    sent = b"\x08\0\0\0\x99\x99\0\3data"
    host.datagrams[0].fail(HostError(icmpv4.TIME_EXCEEDED, 0, 0, router, sent, True))
    client.turn()
    packet, message = next_icmp(client)
    assert packet.source == router and message.type == icmpv4.TIME_EXCEEDED
    quoted = icmpv4.parse_quoted(message.body)
    assert quoted.payload[4:8] == b"\0\x4d\0\3"


@pytest.mark.parametrize("to", [REMOTE, REMOTE6])
def test_a_host_that_allows_no_echo_answers_prohibited(to):
    client, host = make()
    host.echo_error = errno.EACCES
    host.refusal = "net.ipv4.ping_group_range"
    send_echo(client, to)
    _, message = next_icmp(client)
    if len(to) == 4:
        assert (message.type, message.code) == (3, icmpv4.COMMUNICATION_PROHIBITED)
    else:
        assert (message.type, message.code) == (1, icmpv6.PROHIBITED)
    assert client.network.icmp_refusal() == "net.ipv4.ping_group_range"


def test_an_error_that_was_pending_does_not_cost_the_next_datagram():
    client, host = make()
    client.send_udp(REMOTE, 7, b"one")
    host.datagrams[0].fail_once = errno.EHOSTUNREACH
    client.send_udp(REMOTE, 7, b"two")
    client.turn()
    assert [data for data, _ in host.datagrams[0].sent] == [b"one", b"two"] and not client.packets


def test_each_question_of_a_flow_may_try_all_resolvers():
    client, host = make(resolvers=RESOLVERS)
    for round in range(1, 8):
        question = b"question %d" % round
        client.send_udp(DNS, 53, question)
        client.turn(client.now + 1.0)
        client.send_udp(DNS, 53, question)
        assert len(host.datagrams) == round + 1
        assert host.datagrams[round].sent[0] == (question, 64)


def test_tcp_to_the_dns_address_reaches_the_resolver_that_answers():
    client, host = make(resolvers=RESOLVERS)
    client.send_udp(DNS, 53, b"question")
    client.turn(client.now + 1.0)
    client.send_udp(DNS, 53, b"question")
    client.connect(DNS, 53)
    client.turn()
    assert host.tcp[0].target == (RESOLVERS[1], 53)


def test_a_question_holds_its_socket_until_all_answers_have_come():
    client, host = make(resolvers=RESOLVERS)
    client.send_udp(DNS, 53, b"1 A?")
    client.send_udp(DNS, 53, b"2 AAAA?")
    socket = host.datagrams[0]
    socket.arrive(b"2 AAAA!")
    client.turn()
    socket.arrive(b"2 AAAA!")  # twice
    client.turn()
    assert not socket.is_closed
    socket.arrive(b"1 A!")
    client.turn()
    assert socket.is_closed and client.network.info().udp_flows == 0
    assert [next_udp(client)[1].payload for _ in range(3)] == [b"2 AAAA!", b"2 AAAA!", b"1 A!"]
    client.send_udp(DNS, 53, b"3 A?")
    assert host.datagrams[1].sent == [(b"3 A?", 64)]
