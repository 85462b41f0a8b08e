"""Every format: what is built is read back the same; any octets give a result or the named error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpip.errors import MalformedPacketError
from tcpip.wire import arp, dhcp, icmpv4, icmpv6, ipv4, ipv6, ndisc, udp
from tcpip.wire.address import IpAddress, IpNetwork
from tcpip.wire.checksum import checksum, ones_sum, pseudo_header_sum

ipv4_addresses = st.binary(min_size=4, max_size=4).map(IpAddress)
ipv6_addresses = st.binary(min_size=16, max_size=16).map(IpAddress)
unicast_ipv6 = st.binary(min_size=15, max_size=15).map(lambda b: IpAddress(b"\x20" + b))
macs = st.binary(min_size=6, max_size=6)
octet = st.integers(0, 255)
word = st.integers(0, 0xFFFF)
long = st.integers(0, 0xFFFFFFFF)
data = st.binary(max_size=200)
A4, B4 = IpAddress.parse("192.0.2.1"), IpAddress.parse("192.0.2.2")
A6, B6 = IpAddress.parse("fe80::1"), IpAddress.parse("fe80::2")


@given(st.tuples(st.sampled_from([1, 2]), macs, ipv4_addresses, macs, ipv4_addresses))
def test_an_arp_packet_survives_the_wire(fields):
    packet = arp.ArpPacket(*fields)
    assert arp.ArpPacket.parse(packet.build() + bytes(18)) == packet


@given(
    st.tuples(
        ipv4_addresses,
        ipv4_addresses,
        octet,
        data,
        octet,
        octet,
        word,
        st.booleans(),
        st.booleans(),
        st.integers(0, 8000).map(lambda n: n * 8),
        st.integers(0, 10).map(lambda n: bytes([1]) * (n * 4)),
    )
)
def test_an_ipv4_packet_survives_the_wire(fields):
    packet = ipv4.Ipv4Packet(*fields)
    built = packet.build()
    assert ones_sum(built[: 20 + len(packet.options)]) == 0
    assert ipv4.Ipv4Packet.parse(built + b"padding") == packet


@given(
    st.tuples(
        ipv6_addresses, ipv6_addresses, st.integers(100, 255), data, octet, octet, st.integers(0, 0xFFFFF)
    )
)
def test_an_ipv6_packet_survives_the_wire(fields):
    packet = ipv6.Ipv6Packet(*fields)
    assert ipv6.Ipv6Packet.parse(packet.build() + b"padding") == packet


@given(ipv6_addresses, ipv6_addresses, st.integers(0, 20), st.booleans(), st.integers(0, 8000), long, octet)
def test_an_ipv6_fragment_survives_the_wire(
    source, destination, size, more, offset, identification, protocol
):
    packet = ipv6.Ipv6Packet(
        source,
        destination,
        protocol,
        bytes(size * 8),
        identification=identification,
        more_fragments=more,
        fragment_offset=offset * 8 or 8,
        has_fragment_header=True,
        next_header_offset=40,
    )
    assert ipv6.Ipv6Packet.parse(packet.build()) == packet


@given(word, st.integers(1, 0xFFFF), data, st.sampled_from([(A4, B4), (A6, B6)]))
def test_a_datagram_survives_the_wire(source_port, destination_port, payload, pair):
    datagram = udp.UdpDatagram(source_port, destination_port, payload)
    built = datagram.build(*pair)
    assert built[6:8] != b"\0\0"
    assert udp.UdpDatagram.parse(built, *pair) == datagram


@given(st.tuples(octet, octet, long, data))
def test_icmp_messages_survive_the_wire(fields):
    v4, v6 = icmpv4.Icmpv4Message(*fields), icmpv6.Icmpv6Message(*fields)
    assert icmpv4.Icmpv4Message.parse(v4.build()) == v4
    assert icmpv6.Icmpv6Message.parse(v6.build(A6, B6), A6, B6) == v6


prefixes = st.builds(
    ndisc.PrefixInformation,
    st.builds(IpNetwork.of, ipv6_addresses, st.integers(0, 128)),
    long,
    long,
    st.booleans(),
    st.booleans(),
)
names = st.lists(st.from_regex(r"[a-z]{1,9}\.[a-z]{1,9}", fullmatch=True), max_size=3).map(tuple)


@given(
    st.tuples(
        octet,
        word,
        long,
        long,
        octet,
        st.none() | macs,
        st.none() | long,
        st.lists(prefixes, max_size=3).map(tuple),
        st.lists(ipv6_addresses, min_size=1, max_size=3).map(tuple),
        long,
        names,
    )
)
def test_a_router_advertisement_survives_the_wire(fields):
    advertisement = ndisc.RouterAdvertisement(*fields)
    assert ndisc.RouterAdvertisement.parse(advertisement.build()) == advertisement


@given(unicast_ipv6, st.none() | macs, st.booleans(), st.booleans(), st.booleans())
def test_neighbour_messages_survive_the_wire(target, mac, router, solicited, override):
    advertisement = ndisc.NeighborAdvertisement(target, mac, router, solicited, override)
    assert ndisc.NeighborAdvertisement.parse(advertisement.build()) == advertisement
    solicitation = ndisc.NeighborSolicitation(target, mac)
    assert ndisc.NeighborSolicitation.parse(solicitation.build()) == solicitation


@given(
    st.tuples(
        st.sampled_from([1, 2]),
        long,
        macs,
        st.dictionaries(st.integers(1, 254).filter(lambda n: n != 52), st.binary(max_size=600), max_size=4),
        word,
        st.booleans(),
        ipv4_addresses,
        ipv4_addresses,
        ipv4_addresses,
        ipv4_addresses,
    )
)
def test_a_dhcp_message_survives_the_wire(fields):
    message = dhcp.DhcpMessage(*fields)
    assert dhcp.DhcpMessage.parse(message.build()) == message


PARSERS = [
    lambda b: arp.ArpPacket.parse(b),
    lambda b: ipv4.Ipv4Packet.parse(b),
    lambda b: ipv6.Ipv6Packet.parse(b),
    lambda b: udp.UdpDatagram.parse(b, A4, B4, verify=False),
    lambda b: icmpv4.Icmpv4Message.parse(b),
    lambda b: icmpv4.parse_quoted(b),
    lambda b: icmpv6.parse_quoted(b),
    lambda b: dhcp.DhcpMessage.parse(b),
    lambda b: ndisc.RouterAdvertisement.parse(icmpv6.Icmpv6Message(134, 0, 0, b)),
    lambda b: ndisc.NeighborAdvertisement.parse(icmpv6.Icmpv6Message(136, 0, 0, b)),
    lambda b: ndisc.NeighborSolicitation.parse(icmpv6.Icmpv6Message(135, 0, 0, b)),
    lambda b: ndisc.RouterSolicitation.parse(icmpv6.Icmpv6Message(133, 0, 0, b)),
]


def whole_ipv4(body: bytes) -> bytes:
    return ipv4.Ipv4Packet(A4, B4, 17, body).build()


def whole_extensions(body: bytes) -> bytes:
    """An IPv6 header whose next header is what the body says first."""
    return (
        ipv6.Ipv6Packet(A6, B6, 0, body).build()[:6] + body[:1] + ipv6.Ipv6Packet(A6, B6, 0, body).build()[7:]
    )


def whole_dhcp(body: bytes) -> bytes:
    return dhcp.DhcpMessage(2, 1, b"abcdef", {}).build()[:240] + body


@given(st.binary(max_size=400), st.sampled_from(["plain", "ipv4", "extensions", "dhcp"]))
@settings(max_examples=400)
def test_any_octets_give_a_result_or_the_named_error(octets, shape):
    shapes = {"ipv4": whole_ipv4, "extensions": whole_extensions, "dhcp": whole_dhcp}
    made = shapes[shape](octets) if shape in shapes else octets
    for parse in PARSERS:
        for form in (made, memoryview(made)):
            try:
                parse(form)
            except MalformedPacketError as error:
                assert ":" in str(error)


@given(st.integers(0, 19), st.integers(0, 7))
def test_one_changed_bit_of_an_ipv4_header_is_noticed(position, bit):
    packet = bytearray(ipv4.Ipv4Packet(A4, B4, 17, b"payload").build())
    packet[position] ^= 1 << bit
    try:
        ipv4.Ipv4Packet.parse(packet)
    except MalformedPacketError:
        return
    raise AssertionError("a changed header was taken")


@given(data, data)
def test_a_checksum_field_makes_the_sum_zero(head, body):
    if len(head) & 1:
        head += b"\0"
    check = checksum(ones_sum(head) + ones_sum(body) + pseudo_header_sum(A4, B4, 17, len(body)))
    total = ones_sum(head) + check + ones_sum(body) + pseudo_header_sum(A4, B4, 17, len(body))
    assert total % 0xFFFF == 0
