import random

import pytest

from tcpip.counters import Counters, DropReason
from tcpip.net.fragments import MAX_DATAGRAMS, MAX_OCTETS, TIMEOUT_SECONDS, Reassembler
from tcpip.wire.address import IpAddress
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet

A4, B4 = IpAddress.parse("192.0.2.1"), IpAddress.parse("192.0.2.2")
A6, B6 = IpAddress.parse("2001:db8::1"), IpAddress.parse("2001:db8::2")
DATA = bytes(range(256)) * 20


def piece(version, start, end, *, last=False, data=DATA, number=7):
    if version == 4:
        return Ipv4Packet(
            A4, B4, 17, data[start:end], identification=number, more_fragments=not last, fragment_offset=start
        )
    return Ipv6Packet(
        A6,
        B6,
        17,
        data[start:end],
        identification=number,
        more_fragments=not last,
        fragment_offset=start,
        has_fragment_header=True,
    )


both = pytest.mark.parametrize("version", [4, 6])


@both
def test_fragments_in_any_order_make_the_packet(version):
    pieces = [piece(version, i, i + 512, last=i + 512 == len(DATA)) for i in range(0, len(DATA), 512)]
    for seed in range(20):
        random.Random(seed).shuffle(pieces)
        reassembler = Reassembler(Counters())
        results = [reassembler.receive_fragment(p, 0.0) for p in pieces]
        assert results[:-1] == [None] * 9
        assert bytes(results[-1].payload) == DATA
        assert not results[-1].is_fragment
        assert reassembler.octets == 0


@both
def test_a_repeated_fragment_is_ignored(version):
    reassembler = Reassembler(Counters())
    first = piece(version, 0, 512)
    assert reassembler.receive_fragment(first, 0.0) is None
    assert reassembler.receive_fragment(first, 0.0) is None
    whole = reassembler.receive_fragment(piece(version, 512, 600, last=True), 0.0)
    assert bytes(whole.payload) == DATA[:600]


@both
@pytest.mark.parametrize(
    "second", [(256, 768, False), (0, 1024, False), (0, 256, False), (504, 600, True), (0, 512, True)]
)
def test_fragments_that_overlap_discard_the_datagram(version, second):
    counters = Counters()
    reassembler = Reassembler(counters)
    reassembler.receive_fragment(piece(version, 0, 512), 0.0)
    start, end, last = second
    assert reassembler.receive_fragment(piece(version, start, end, last=last), 0.0) is None
    assert counters.dropped(DropReason.FRAGMENT_OVERLAP) == 1
    assert reassembler.octets == 0
    assert reassembler.receive_fragment(piece(version, 512, 600, last=True), 0.0) is None


@both
def test_a_fragment_beyond_the_end_discards_the_datagram(version):
    counters = Counters()
    reassembler = Reassembler(counters)
    reassembler.receive_fragment(piece(version, 512, 600, last=True), 0.0)
    reassembler.receive_fragment(piece(version, 1024, 1536), 0.0)
    assert counters.dropped(DropReason.FRAGMENT_OVERLAP) == 1


@both
def test_a_flood_of_fragments_stays_within_its_bounds(version):
    reassembler = Reassembler(Counters())
    big = bytes(60_000)
    for number in range(MAX_DATAGRAMS * 3):
        reassembler.receive_fragment(piece(version, 0, 59_992, data=big, number=number), 0.0)
        assert reassembler.octets <= MAX_OCTETS
    assert reassembler.octets > 0


@both
def test_what_is_not_completed_in_time_is_given_up(version):
    reassembler = Reassembler(Counters())
    reassembler.receive_fragment(piece(version, 0, 512), 5.0)
    assert reassembler.next_timeout() == 5.0 + TIMEOUT_SECONDS
    assert reassembler.handle_timeout(34.9) == []
    (first,) = reassembler.handle_timeout(35.0)
    assert first.fragment_offset == 0
    assert (reassembler.next_timeout(), reassembler.octets) == (None, 0)
