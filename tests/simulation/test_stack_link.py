"""One stack and what its link tells it: neighbour discovery, routers, ICMP, martians, fragments."""

from __future__ import annotations

import pytest

from tcpip.counters import DropReason
from tcpip.events import AddressConfigured, AddressConflict, AddressRemoved
from tcpip.wire import icmpv6, ndisc
from tcpip.wire.address import IpAddress, IpNetwork
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.udp import UdpDatagram
from tests.fakes.checkers import arp, check, ethernet, icmp, ip, matching
from tests.fakes.frame_pair import MAC_A, MAC_B, static_config
from tests.fakes.lone_stack import LoneStack

OWN4, PEER4 = IpAddress.parse("10.0.2.15"), IpAddress.parse("10.0.2.2")
OWN6, PEER6 = IpAddress.parse("fd00::15"), IpAddress.parse("fd00::2")
LINK_LOCAL = "fe80::5054:ff:fe00:1"


def lone(**fields) -> LoneStack:
    made = LoneStack(static_config("10.0.2.15/24", "fd00::15/64", **fields))
    made.poll()
    made.ask_arp("10.0.2.2", "10.0.2.15")  # both know each other from here on
    message = ndisc.NeighborSolicitation(OWN6, MAC_B).build()
    made.receive_discovery(message, "fd00::2", "fd00::15")
    return made


def advertise(made: LoneStack, source: str = "fe80::2", hop_limit: int = 255, **fields) -> list[bytes]:
    fields.setdefault("router_lifetime", 1800)
    fields.setdefault("source_mac", MAC_B)
    message = ndisc.RouterAdvertisement(**fields).build()
    return made.receive_discovery(message, source, "ff02::1", hop_limit)


def events(made: LoneStack) -> list:
    found = []
    while (event := made.stack.next_event()) is not None:
        found.append(event)
    return found


PREFIX = ndisc.PrefixInformation(IpNetwork.parse("2001:db8:5::/64"), 3600, 1800)


def autoconfigured(**fields) -> LoneStack:
    made = LoneStack(static_config()._replace(router_advertisements=True))
    made.poll()
    advertise(
        made, prefixes=(PREFIX,), dns_servers=(IpAddress.parse("2001:db8:5::53"),), dns_lifetime=60, **fields
    )
    return made


def test_a_host_asks_for_routers_three_times():
    made = LoneStack(static_config()._replace(router_advertisements=True))
    asked = matching(made.advance(60), icmp(type=133), ip(destination="ff02::2", hop_limit=255))
    assert len(asked) == 3


def test_an_advertisement_gives_address_route_mtu_and_resolver():
    made = autoconfigured(mtu=1400)
    stack = made.stack
    assert stack.is_configured(6)
    assert not stack.is_configured(4)
    (configured,) = [e for e in events(made) if isinstance(e, AddressConfigured) and e.origin == "slaac"]
    assert str(configured.address) == "2001:db8:5:0:5054:ff:fe00:1"
    assert list(map(str, stack.dns_servers())) == ["2001:db8:5::53"]
    connection = stack.tcp_connect(IpAddress.parse("2606::1"), 80, made.now)
    assert connection.mss == 1400 - 60
    (syn,) = made.poll()
    check(syn, ethernet(destination=MAC_B), ip(source="2001:db8:5:0:5054:ff:fe00:1", ttl=64))
    message = ndisc.RouterAdvertisement(hop_limit=99, router_lifetime=1800).build()
    made.receive_discovery(message, "fe80::2", "ff02::1")
    made.stack.tcp_connect(IpAddress.parse("2606::1"), 81, made.now)
    check(made.poll()[0], ip(ttl=99))


def test_duplicate_address_detection_runs_beside_and_gives_up_a_taken_address():
    made = autoconfigured()
    probes = matching(made.poll(), icmp(type=135), ip(source="::"))
    assert made.stack.is_configured(6), "the address is used meanwhile"
    assert probes == []  # they went out with the advertisement
    taken = "2001:db8:5:0:5054:ff:fe00:1"
    made.answer_nd(taken, "ff02::1", is_solicited=False)
    assert not made.stack.is_configured(6)
    kinds = [type(e) for e in events(made)]
    assert AddressConflict in kinds
    assert AddressRemoved in kinds
    advertise(made, prefixes=(PREFIX,))
    assert not made.stack.is_configured(6), "it is not taken again"


def test_routes_and_addresses_end_with_their_lifetimes():
    made = autoconfigured()
    made.advance(1801)
    assert "::/0" not in {r["destination"] for r in made.stack.info()["routes"]}
    made.advance(1801)
    assert not made.stack.is_configured(6)
    assert made.stack.dns_servers() == ()


def test_a_router_that_leaves_is_forgotten():
    made = autoconfigured()
    advertise(made, router_lifetime=0)
    assert "::/0" not in {r["destination"] for r in made.stack.info()["routes"]}


@pytest.mark.parametrize(("source", "hop_limit"), [("fe80::2", 254), ("2001:db8::9", 255)])
def test_an_advertisement_from_beyond_the_link_is_not_believed(source, hop_limit):
    made = LoneStack(static_config()._replace(router_advertisements=True))
    made.poll()
    advertise(made, source, hop_limit, prefixes=(PREFIX,))
    assert not made.stack.is_configured(6)


def test_a_forged_short_lifetime_does_not_take_the_address_away():
    made = autoconfigured()
    advertise(made, prefixes=(PREFIX._replace(valid_lifetime=1, preferred_lifetime=1),))
    made.advance(100)
    assert made.stack.is_configured(6)


def test_a_neighbour_that_asks_is_answered():
    made = LoneStack(static_config("10.0.2.15/24", "fd00::15/64"))
    made.poll()
    (reply,) = made.ask_arp("10.0.2.2", "10.0.2.15")
    check(reply, ethernet(destination=MAC_B), arp(operation=2, sender_mac=MAC_A, sender_ip="10.0.2.15"))
    message = ndisc.NeighborSolicitation(OWN6, MAC_B).build()
    (answer,) = made.receive_discovery(message, "fd00::2", "ff02::1:ff00:15")
    layers = check(answer, ip(destination="fd00::2", hop_limit=255), icmp(type=136))
    advertisement = ndisc.NeighborAdvertisement.parse(layers.icmp)
    assert (advertisement.target, advertisement.target_mac) == (OWN6, MAC_A)
    assert advertisement.is_solicited
    assert made.ask_arp("10.0.2.2", "10.0.2.99") == []


def test_our_address_claimed_is_reported_and_defended():
    made = LoneStack(static_config("10.0.2.15/24"))
    made.poll()
    made.advance(5)
    frames = made.receive_arp(1, "10.0.2.15", "10.0.2.15")
    assert AddressConflict(OWN4, MAC_B) in events(made)
    assert len(matching(frames, arp(sender_ip="10.0.2.15", target_ip="10.0.2.15"))) == 1
    assert made.stack.is_configured(4)


@pytest.mark.parametrize("family", [4, 6])
def test_an_echo_request_is_answered_with_its_data(family):
    made = lone()
    if family == 4:
        packet = Ipv4Packet(PEER4, OWN4, 1, Icmpv4Message.echo(7, 9, b"payload").build())
    else:
        packet = Ipv6Packet(PEER6, OWN6, 58, Icmpv6Message.echo(7, 9, b"payload").build(PEER6, OWN6))
    (reply,) = made.receive_packet(packet)
    layers = check(reply, ip(source=str(OWN4 if family == 4 else OWN6)), icmp(identifier=7, sequence=9))
    assert layers.icmp.type in (0, 129)
    assert bytes(layers.icmp.body) == b"payload"


def test_an_echo_request_to_everybody_is_not_answered():
    made = lone()
    for group in ("10.0.2.255", "255.255.255.255", "224.0.0.1"):
        packet = Ipv4Packet(PEER4, IpAddress.parse(group), 1, Icmpv4Message.echo(1, 1, b"").build())
        assert made.receive_packet(packet) == []


def udp_to(port: int, family: int = 4):
    if family == 4:
        return Ipv4Packet(PEER4, OWN4, 17, UdpDatagram(5, port, b"x").build(PEER4, OWN4))
    return Ipv6Packet(PEER6, OWN6, 17, UdpDatagram(5, port, b"x").build(PEER6, OWN6))


@pytest.mark.parametrize(("family", "types"), [(4, (3, 3)), (6, (1, 4))])
def test_a_closed_udp_port_is_told_and_quotes_the_packet(family, types):
    made = lone()
    packet = udp_to(999, family)
    (error,) = made.receive_packet(packet)
    layers = check(error, icmp(type=types[0], code=types[1]))
    assert bytes(layers.icmp.body)[-9:] == bytes(packet.payload)


def test_icmp_errors_are_limited_in_rate():
    made = lone()
    answers = sum(len(made.receive_packet(udp_to(999))) for _ in range(100))
    assert answers == 10
    made.advance(1.0)
    assert sum(len(made.receive_packet(udp_to(999))) for _ in range(100)) == 10
    assert made.stack.counters.dropped(DropReason.ICMP_RATE_LIMITED) == 180


def test_no_error_answers_an_error_a_fragment_or_a_group():
    made = lone()
    unknown = Ipv4Packet(PEER4, OWN4, 200, b"data")
    assert len(made.receive_packet(unknown)) == 1
    for packet in (
        unknown._replace(destination=IpAddress.parse("10.0.2.255")),
        unknown._replace(source=IpAddress.parse("0.0.0.0")),
        Ipv4Packet(PEER4, OWN4, 1, Icmpv4Message(3, 3, 0, unknown.build()).build()),
    ):
        assert made.receive_packet(packet) == []


@pytest.mark.parametrize(
    "source",
    [
        "0.0.0.0",
        "::",
        "127.0.0.1",
        "255.255.255.255",
        "224.0.0.5",
        "10.0.2.255",
        "10.0.2.15",
        "::1",
        "ff02::1",
        "fd00::15",
    ],
)
def test_martians_are_dropped(source):
    made = lone()
    address = IpAddress.parse(source)
    before = made.stack.counters.dropped(DropReason.MARTIAN)
    if address.version == 4:
        packet = Ipv4Packet(address, OWN4, 17, UdpDatagram(5, 999, b"").build(address, OWN4))
    else:
        packet = Ipv6Packet(address, OWN6, 17, UdpDatagram(5, 999, b"").build(address, OWN6))
    assert made.receive_packet(packet) == []
    assert made.stack.counters.dropped(DropReason.MARTIAN) == before + 1


def test_a_packet_to_loopback_from_the_wire_is_dropped():
    made = lone()
    made.stack.udp_open(999)
    target = IpAddress.parse("127.0.0.1")
    made.receive_packet(Ipv4Packet(PEER4, target, 17, UdpDatagram(5, 999, b"x").build(PEER4, target)))
    assert made.stack.counters.dropped(DropReason.MARTIAN) == 1


def test_source_routed_packets_are_dropped():
    made = lone()
    made.receive_packet(udp_to(999)._replace(options=bytes([131, 7, 4, 10, 0, 2, 9, 0])))
    assert made.stack.counters.dropped(DropReason.SOURCE_ROUTE) == 1


@pytest.mark.parametrize("family", [4, 6])
def test_a_datagram_in_fragments_reaches_its_socket(family):
    made = lone()
    socket = made.stack.udp_open(999)
    own, peer = (OWN4, PEER4) if family == 4 else (OWN6, PEER6)
    whole = UdpDatagram(5, 999, bytes(range(200)) * 10).build(peer, own)
    for start in (1000, 0):
        last = start == 1000
        part = whole[1000:] if last else whole[:1000]
        if family == 4:
            packet = Ipv4Packet(peer, own, 17, part, more_fragments=not last, fragment_offset=start)
        else:
            packet = Ipv6Packet(
                peer, own, 17, part, more_fragments=not last, fragment_offset=start, has_fragment_header=True
            )
        made.receive_packet(packet)
    assert socket.receive_datagram() == (bytes(range(200)) * 10, peer, 5)


def extension(kind: int, options: bytes, payload: bytes) -> bytes:
    """A packet with one extension header before a UDP datagram."""
    header = bytes([17, (len(options) + 2) // 8 - 1]) + options
    return Ipv6Packet(PEER6, OWN6, kind, header + payload).build()


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (b"\x1e\x04abcd", None),  # may be skipped
        (b"\x5e\x04abcd", "dropped"),
        (b"\x9e\x04abcd", (4, 2, 42)),
        (b"\xde\x04abcd", (4, 2, 42)),
    ],
)
def test_an_unknown_option_is_treated_as_its_number_says(options, answer):
    made = lone()
    socket = made.stack.udp_open(999)
    data = extension(60, options, UdpDatagram(5, 999, b"x").build(PEER6, OWN6))
    frames = made.receive(MAC_A + MAC_B + b"\x86\xdd" + data)
    if answer is None:
        assert socket.receive_datagram() is not None
    elif answer == "dropped":
        assert (frames, socket.receive_datagram()) == ([], None)
    else:
        layers = check(frames[0], icmp(type=answer[0], code=answer[1]))
        assert layers.icmp.value == answer[2]


def test_an_unknown_next_header_is_told_with_its_place():
    made = lone()
    (frame,) = made.receive_packet(Ipv6Packet(PEER6, OWN6, 200, b"data"))
    assert check(frame, icmp(type=4, code=1)).icmp.value == 6


def test_an_error_for_a_datagram_reaches_its_socket():
    made = lone()
    socket = made.stack.udp_open()
    socket.send_datagram(b"q", PEER6, 53, made.now)
    (sent,) = made.poll()
    body = Icmpv6Message(icmpv6.DESTINATION_UNREACHABLE, 4, 0, sent[14:]).build(PEER6, OWN6)
    made.receive_packet(Ipv6Packet(PEER6, OWN6, 58, body))
    error = socket.next_error()
    assert (error.address, error.port) == (PEER6, 53)
    assert "port unreachable" in str(error.error)


def test_a_slow_reader_of_datagrams_holds_a_bounded_queue():
    made = lone()
    socket = made.stack.udp_open(999)
    datagram = UdpDatagram(5, 999, bytes(1400)).build(PEER4, OWN4)
    for _ in range(400):
        made.receive_packet(Ipv4Packet(PEER4, OWN4, 17, datagram))
    count = 0
    while socket.receive_datagram() is not None:
        count += 1
    assert 150 < count < 200
    assert made.stack.counters.dropped(DropReason.SOCKET_QUEUE_FULL) == 400 - count


def test_the_link_local_address_is_made_from_the_mac():
    made = autoconfigured()
    addresses = [a["address"] for i in made.stack.info()["interfaces"] for a in i["addresses"]]
    assert LINK_LOCAL in addresses


@pytest.mark.parametrize(
    ("destination", "mac"),
    [
        ("255.255.255.255", "ffffffffffff"),
        ("10.0.2.255", "ffffffffffff"),
        ("224.0.0.251", "01005e0000fb"),
        ("ff02::fb", "3333000000fb"),
    ],
)
def test_a_datagram_to_a_group_stays_on_the_link(destination, mac):
    gateways = (PEER4, PEER6)
    made = lone(gateways=gateways)
    made.stack.udp_open().send_datagram(b"x", IpAddress.parse(destination), 5353, made.now)
    (frame,) = made.poll()
    check(frame, ethernet(destination=bytes.fromhex(mac)), ip(destination=destination))
