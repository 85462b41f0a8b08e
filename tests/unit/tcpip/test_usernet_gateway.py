"""What the gateway says itself: ARP, neighbour discovery, DHCP, echo, and what it refuses."""

from __future__ import annotations

import pytest

from tcpip.usernet import UserNetConfig, UserNetwork, choose_network, choose_network6, host_resolvers
from tcpip.wire import dhcp, icmpv4, icmpv6, ndisc
from tcpip.wire.address import IPV4_ANY, IPV6_ANY, IpAddress, IpNetwork
from tcpip.wire.dhcp import MessageType
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tests.fakes.bare_client import BareClient
from tests.fakes.host_sockets import FakeHost

GUEST, GUEST6 = IpAddress.parse("10.0.2.15"), IpAddress.parse("fd00:2::15")
GATEWAY, GATEWAY6 = IpAddress.parse("10.0.2.2"), IpAddress.parse("fd00:2::2")


def make(**fields):
    host = FakeHost()
    network = UserNetwork(UserNetConfig(**fields), host, random_bytes=bytes)
    return BareClient(network), host


def send_icmpv6(client, source, destination, message, hop_limit=255):
    octets = message.build(source, destination)
    client.send_packet(Ipv6Packet(source, destination, 58, octets, hop_limit))
    client.turn()


def next_icmpv6(client):
    packet = client.packets.popleft()
    return packet, Icmpv6Message.parse(packet.payload, packet.source, packet.destination)


@pytest.mark.parametrize("host", [2, 3, 7, 254])
def test_arp_is_answered_for_every_other_address_of_the_network(host):
    client, _ = make()
    client.send_arp(IpAddress(bytes((10, 0, 2, host))))
    client.turn()
    reply = client.arps.popleft()
    assert reply.operation == 2 and reply.sender_mac == client.gateway_mac
    assert (reply.sender_ip[3], reply.target_ip, reply.target_mac) == (host, GUEST, client.mac)


@pytest.mark.parametrize("target", ["10.0.2.15", "10.0.2.0", "10.0.2.255", "10.0.3.2", "192.0.2.1"])
def test_arp_is_not_answered_for_the_guest_nor_outside_the_network(target):
    client, _ = make()
    client.send_arp(IpAddress.parse(target))
    client.turn()
    assert not client.arps


def test_a_probe_is_answered_for_our_own_addresses_only():
    client, _ = make()
    client.send_arp(IpAddress.parse("10.0.2.7"), IPV4_ANY)
    client.send_arp(GATEWAY, IPV4_ANY)
    client.turn()
    assert [reply.sender_ip for reply in client.arps] == [GATEWAY]


def test_a_router_solicitation_brings_prefix_mtu_and_resolver():
    client, _ = make()
    source, all_routers = IpAddress.parse("fe80::15"), IpAddress.parse("ff02::2")
    send_icmpv6(client, source, all_routers, ndisc.RouterSolicitation(client.mac).build())
    packet, message = next_icmpv6(client)
    assert packet.hop_limit == 255 and packet.source == IpAddress.parse("fe80::2")
    router = ndisc.RouterAdvertisement.parse(message)
    assert router.router_lifetime > 0 and router.mtu == 1_500 and router.source_mac == client.gateway_mac
    assert router.prefixes[0].network == IpNetwork.parse("fd00:2::/64") and router.prefixes[0].is_autonomous
    assert router.dns_servers == (IpAddress.parse("fd00:2::3"),)


def test_router_advertisements_come_again_before_they_expire():
    client, _ = make()
    client.turn()
    assert client.network.next_timeout() == client.now + 600.0
    client.turn(client.now + 600.0)
    assert len(client.packets) == 1
    assert client.network.next_timeout() == client.now + 600.0


def test_without_an_ipv6_network_nobody_advertises():
    client, _ = make(network6=None)
    source = IpAddress.parse("fe80::15")
    send_icmpv6(client, source, IpAddress.parse("ff02::2"), ndisc.RouterSolicitation().build())
    assert not client.packets and client.network.next_timeout() is None


@pytest.mark.parametrize("target", ["fe80::2", "fd00:2::2", "fd00:2::3", "fd00:2::77"])
def test_neighbor_solicitations_are_answered(target):
    client, _ = make()
    wanted = IpAddress.parse(target)
    solicitation = ndisc.NeighborSolicitation(wanted, client.mac).build()
    send_icmpv6(client, GUEST6, ndisc.solicited_node(wanted), solicitation)
    _, message = next_icmpv6(client)
    answer = ndisc.NeighborAdvertisement.parse(message)
    assert (answer.target, answer.target_mac) == (wanted, client.gateway_mac)
    assert answer.is_solicited and answer.is_router


def test_duplicate_address_detection_of_the_guest_is_not_disturbed():
    client, _ = make()
    solicitation = ndisc.NeighborSolicitation(GUEST6).build()
    send_icmpv6(client, IPV6_ANY, ndisc.solicited_node(GUEST6), solicitation)
    assert not client.packets
    send_icmpv6(client, IPV6_ANY, GATEWAY6, ndisc.NeighborSolicitation(GATEWAY6).build())
    packet, message = next_icmpv6(client)
    assert packet.destination == IpAddress.parse("ff02::1")
    assert not ndisc.NeighborAdvertisement.parse(message).is_solicited


def test_forwarded_neighbor_messages_are_not_believed():
    client, _ = make()
    solicitation = ndisc.NeighborSolicitation(GATEWAY6, client.mac).build()
    send_icmpv6(client, GUEST6, GATEWAY6, solicitation, hop_limit=254)
    assert not client.packets


def test_dhcp_gives_the_address_of_the_guest():
    client, _ = make()
    client.send_dhcp(MessageType.DISCOVER)
    offer = client.next_dhcp()
    assert offer.message_type is MessageType.OFFER and offer.your_address == GUEST
    assert offer.addresses(dhcp.SUBNET_MASK) == [IpAddress.parse("255.255.255.0")]
    assert offer.addresses(dhcp.ROUTER) == [GATEWAY]
    assert offer.addresses(dhcp.DOMAIN_NAME_SERVER) == [IpAddress.parse("10.0.2.3")]
    assert offer.integer(dhcp.LEASE_TIME, 4) == 86_400
    options = {dhcp.REQUESTED_ADDRESS: bytes(GUEST), dhcp.SERVER_IDENTIFIER: bytes(GATEWAY)}
    client.send_dhcp(MessageType.REQUEST, options)
    ack = client.next_dhcp()
    assert ack.message_type is MessageType.ACK and ack.your_address == GUEST
    assert ack.transaction_id == 0x1234 and ack.client_mac == client.mac


def test_dhcp_refuses_another_address_and_leaves_other_servers_requests_alone():
    client, _ = make()
    client.send_dhcp(MessageType.REQUEST, {dhcp.REQUESTED_ADDRESS: bytes((10, 0, 2, 77))})
    assert client.next_dhcp().message_type is MessageType.NAK
    other = {dhcp.REQUESTED_ADDRESS: bytes(GUEST), dhcp.SERVER_IDENTIFIER: bytes((10, 0, 2, 9))}
    client.send_dhcp(MessageType.REQUEST, other)
    assert client.next_dhcp() is None


def test_dhcp_renews_and_informs_and_takes_release_in_silence():
    client, _ = make()
    client.send_dhcp(MessageType.REQUEST, client_address=GUEST)
    assert client.next_dhcp().message_type is MessageType.ACK
    client.send_dhcp(MessageType.INFORM, client_address=GUEST)
    inform = client.next_dhcp()
    assert inform.your_address == IPV4_ANY and dhcp.LEASE_TIME not in inform.options
    client.send_dhcp(MessageType.RELEASE, client_address=GUEST)
    assert client.next_dhcp() is None


@pytest.mark.parametrize("target", ["10.0.2.2", "10.0.2.3"])
def test_the_gateway_answers_echo_itself(target):
    client, host = make()
    echo = Icmpv4Message.echo(7, 1, b"ping")
    client.send_packet(Ipv4Packet(GUEST, IpAddress.parse(target), 1, echo.build(), hop_limit=1))
    client.turn()
    reply = Icmpv4Message.parse(client.packets.popleft().payload)
    assert (reply.type, reply.identifier, reply.sequence, reply.body) == (icmpv4.ECHO_REPLY, 7, 1, b"ping")
    send_icmpv6(client, GUEST6, GATEWAY6, Icmpv6Message.echo(8, 2, b"ping"))
    _, reply6 = next_icmpv6(client)
    assert (reply6.type, reply6.identifier, reply6.sequence) == (icmpv6.ECHO_REPLY, 8, 2)
    assert not host.datagrams


def test_a_large_echo_comes_in_fragments_and_goes_back_in_fragments():
    client, _ = make()
    whole = Icmpv4Message.echo(7, 1, bytes(range(250)) * 20).build()
    for start in range(0, len(whole), 1_480):
        part = whole[start : start + 1_480]
        more = start + 1_480 < len(whole)
        client.send_packet(
            Ipv4Packet(GUEST, GATEWAY, 1, part, identification=9, fragment_offset=start, more_fragments=more)
        )
    client.turn()
    parts = {packet.fragment_offset: bytes(packet.payload) for packet in client.packets}
    assert len(parts) == 4 and all(len(packet.payload) <= 1_480 for packet in client.packets)
    joined = b"".join(parts[offset] for offset in sorted(parts))
    assert Icmpv4Message.parse(joined).body == bytes(range(250)) * 20


def test_fragments_are_bounded_and_forgotten():
    client, _ = make(max_fragments=4, fragment_timeout=5.0)
    whole = Icmpv4Message.echo(7, 1, bytes(3_000)).build()

    def send(identification, start):
        part, more = whole[start : start + 1_480], start + 1_480 < len(whole)
        client.send_packet(
            Ipv4Packet(GUEST, GATEWAY, 1, part, identification=identification, fragment_offset=start,
                       more_fragments=more)
        )  # fmt: skip

    for identification in range(6):
        send(identification, 0)
    send(0, 1_480)  # its first half has made room
    send(0, 2_960)
    client.turn()
    assert not client.packets
    send(5, 1_480)
    client.turn(client.now + 6.0)
    send(5, 2_960)  # too late
    client.turn()
    assert not client.packets


def test_the_last_hop_is_told_so():
    client, host = make()
    client.send_udp(IpAddress.parse("192.0.2.7"), 33_434, b"trace", hop_limit=1)
    client.send_udp(IpAddress.parse("2001:db8::7"), 33_434, b"trace", hop_limit=1)
    client.turn()
    message = Icmpv4Message.parse(client.packets.popleft().payload)
    assert message.type == icmpv4.TIME_EXCEEDED
    assert icmpv4.parse_quoted(message.body).destination_port == 33_434
    packet, message6 = next_icmpv6(client)
    assert message6.type == icmpv6.TIME_EXCEEDED and packet.source == GATEWAY6
    assert not host.datagrams


@pytest.mark.parametrize("source", ["10.0.3.15", "192.0.2.1", "127.0.0.1", "10.0.2.2"])
def test_packets_from_addresses_that_are_not_the_guests_are_dropped(source):
    client, host = make()
    client.address = IpAddress.parse(source)
    client.send_udp(IpAddress.parse("192.0.2.7"), 7, b"x")
    client.turn()
    assert not host.datagrams and client.network.info().martians == 1


def test_the_network_moves_when_the_host_has_it():
    parse = IpNetwork.parse
    assert choose_network([]) == parse("10.0.2.0/24")
    assert choose_network([parse("10.0.2.0/24"), parse("10.0.3.128/25")]) == parse("10.0.4.0/24")
    assert choose_network([parse("10.0.0.0/22")]) == parse("10.0.4.0/24")
    assert choose_network([parse("192.0.2.0/24")]) == parse("10.0.2.0/24")
    assert choose_network6([parse("fd00:2::/64")]) == parse("fd00:3::/64")


def test_the_network_stays_when_what_is_wanted_is_none_of_ours():
    taken = [IpNetwork.parse("10.0.2.0/24")]
    assert choose_network(taken, [IpAddress.parse("10.0.2.77")]) == IpNetwork.parse("10.0.2.0/24")
    assert choose_network(taken, [IpAddress.parse("10.0.2.3")]) == IpNetwork.parse("10.0.3.0/24")


def test_a_moved_network_has_all_its_addresses_moved():
    client, host = make(network=IpNetwork.parse("10.0.3.0/24"))
    client.send_dhcp(MessageType.DISCOVER)
    offer = client.next_dhcp()
    assert offer.your_address == IpAddress.parse("10.0.3.15")
    client.address = offer.your_address
    client.connect(IpAddress.parse("10.0.2.2"), 80)
    assert host.tcp[0].target == (IpAddress.parse("10.0.2.2"), 80)


def test_resolvers_are_read_from_the_file(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text("# x\nnameserver 192.0.2.1\nsearch example\nnameserver fe80::1%eth0\nnameserver ::1\n")
    assert host_resolvers(str(path)) == (IpAddress.parse("192.0.2.1"), IpAddress.parse("::1"))
    assert host_resolvers(str(tmp_path / "none")) == (IpAddress.parse("127.0.0.1"),)


def test_a_capture_shows_both_directions():
    client, _ = make()
    seen = []
    client.network.capture(lambda outgoing, pieces: seen.append((outgoing, b"".join(pieces))))
    client.send_arp(GATEWAY)
    client.turn()
    client.network.capture(None)
    client.send_arp(GATEWAY)
    client.turn()
    assert [outgoing for outgoing, _ in seen] == [True, False]
    assert all(frame[12:14] == b"\x08\x06" for _, frame in seen)


def test_answers_wait_for_room_within_a_bound():
    client, _ = make(max_queued_frames=3)
    client.port.capacity = 0
    for _ in range(5):
        client.send_arp(GATEWAY)
    client.turn()
    assert client.network.next_timeout() != client.now
    client.port.capacity = 10
    client.turn()
    assert len(client.arps) == 3 and client.network.info().frames_dropped == 2
