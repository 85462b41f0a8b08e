import pytest

from tcpip.errors import AddressError
from tcpip.net.interface import Interface, LocalAddress
from tcpip.net.pathmtu import MAX_DESTINATIONS, PathMtus
from tcpip.net.ports import ConnectionNumbers, PortAllocator
from tcpip.net.routes import MAX_ROUTES, Route, RoutingTable
from tcpip.wire.address import IpAddress, IpNetwork
from tests.fakes.frame_pair import random_bytes

ip = IpAddress.parse
GATEWAY = ip("10.0.2.2")


def interface(*addresses: str) -> Interface:
    made = Interface("eth0", bytes(6), 1500)
    for text in addresses:
        address, _, length = text.partition("/")
        made.add(LocalAddress(ip(address), int(length), "static"))
    return made


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("fe80::9", "fe80::1"),
        ("2001:db8:1::9", "2001:db8:1::1"),
        ("2001:db8:2::9", "2001:db8:2::1"),
        ("2606::1", "2001:db8:1::1"),
        ("ff02::1", "fe80::1"),
        ("ff0e::1", "2001:db8:2::1"),
        ("10.0.2.9", "10.0.2.15"),
        ("203.0.113.5", "10.0.2.15"),
        ("127.0.0.5", "127.0.0.5"),
        ("::1", "::1"),
        ("10.0.2.15", "10.0.2.15"),
    ],
)
def test_the_source_fits_the_destination(destination, source):
    ours = interface("fe80::1/64", "2001:db8:1::1/64", "2001:db8:2::1/64", "10.0.2.15/24")
    chosen = ours.source_for(ip(destination), 0.0)
    if destination in ("2606::1", "ff0e::1"):  # both global ones will do
        assert str(chosen).startswith("2001:db8:")
    else:
        assert chosen == ip(source)


def test_a_deprecated_address_is_the_last_choice():
    ours = interface("2001:db8:1::1/64")
    ours.add(LocalAddress(ip("2001:db8:2::1"), 64, "slaac", 100.0, 10.0))
    assert ours.source_for(ip("2001:db8:2::9"), 9.0) == ip("2001:db8:2::1")
    assert ours.source_for(ip("2001:db8:2::9"), 11.0) == ip("2001:db8:1::1")


def test_a_family_without_an_address_is_named():
    with pytest.raises(AddressError, match="IPv6: no address of ours"):
        interface("10.0.2.15/24").source_for(ip("2001:db8::1"), 0.0)


def test_groups_and_broadcasts_are_for_us():
    ours = interface("10.0.2.15/24", "fe80::1:2:3/64")
    for text in ("10.0.2.255", "255.255.255.255", "224.0.0.1", "ff02::1", "ff02::1:ff02:3", "10.0.2.15"):
        assert ours.accepts(ip(text)), text
    for text in ("10.0.2.16", "ff02::2", "ff02::1:ff02:4", "224.0.0.2"):
        assert not ours.accepts(ip(text)), text


def test_routes_are_chosen_by_prefix_then_metric():
    table = RoutingTable()
    table.add(Route(IpNetwork.parse("0.0.0.0/0"), "eth0", GATEWAY, 10))
    table.add(Route(IpNetwork.parse("0.0.0.0/0"), "eth0", ip("10.0.2.3"), 5))
    table.add(Route(IpNetwork.parse("10.1.0.0/16"), "eth0", ip("10.0.2.4"), 99))
    assert table.lookup(ip("8.8.8.8")).gateway == ip("10.0.2.3")
    assert table.lookup(ip("10.1.2.3")).gateway == ip("10.0.2.4")
    assert table.lookup(ip("2001:db8::1")) is None
    assert table.lookup(ip("127.1.2.3")).is_loopback


def test_a_route_ends_with_its_lifetime():
    table = RoutingTable()
    table.add(Route(IpNetwork.parse("::/0"), "eth0", ip("fe80::1"), 0, "ra", 30.0))
    assert table.next_timeout() == 30.0
    table.handle_timeout(30.0)
    assert table.lookup(ip("2001:db8::1")) is None


def test_the_table_does_not_grow_without_bound():
    table = RoutingTable()
    added = [table.add(Route(IpNetwork.parse(f"10.{i >> 8}.{i & 255}.0/24"), "eth0")) for i in range(400)]
    assert added.count(True) == MAX_ROUTES - 2
    assert len(list(table)) == MAX_ROUTES


def test_path_mtus_have_a_floor_a_bound_and_a_lifetime():
    mtus = PathMtus()
    assert mtus.report(GATEWAY, 68, 1500, 0.0) == 552
    assert mtus.report(ip("fe80::1"), 68, 1500, 0.0) == 1280
    assert mtus.report(GATEWAY, 1400, 1500, 0.0) is None, "larger than what is known"
    assert mtus.of(GATEWAY, 1500, 599.0) == 552
    assert mtus.of(GATEWAY, 1500, 600.0) == 1500
    for i in range(1000):
        mtus.report(IpAddress(i.to_bytes(4, "big")), 1000, 1500, 0.0)
    assert len(mtus) == MAX_DESTINATIONS


def test_ports_are_drawn_until_there_are_none():
    allocator = PortAllocator(random_bytes(1))
    taken: set[int] = set(range(49_152, 65_530))
    drawn = []
    for _ in range(6):
        drawn.append(allocator.choose(taken.__contains__))
        taken.add(drawn[-1])
    assert sorted(drawn) == list(range(65_530, 65_536))
    with pytest.raises(AddressError):
        allocator.choose(taken.__contains__)


def test_sequence_numbers_grow_with_the_clock_and_differ_by_peer_and_secret():
    numbers, others = ConnectionNumbers(b"a" * 16), ConnectionNumbers(b"b" * 16)
    first, offset = numbers.choose(b"peer 1", 10.0)
    later, same_offset = numbers.choose(b"peer 1", 11.0)
    assert (later - first) & 0xFFFFFFFF == 250_000 and same_offset == offset
    for other in (numbers.choose(b"peer 2", 10.0), others.choose(b"peer 1", 10.0)):
        assert other[0] != first and other[1] != offset
