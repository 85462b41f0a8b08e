import pytest

from tcpip.errors import MalformedPacketError
from tcpip.wire import tcp


def segment(options: bytes = b"", payload: bytes = b"", flags: int = tcp.ACK) -> memoryview:
    return memoryview(tcp.build_header(80, 40000, 0xFFFF_FFFE, 7, flags, 512, options) + payload)


def test_a_header_without_options_comes_back():
    parsed = tcp.Segment.parse(segment(payload=b"hello"))
    assert parsed[:7] == (80, 40000, 0xFFFF_FFFE, 7, tcp.ACK, 512, 0)
    assert (parsed.mss, parsed.window_scale, parsed.sack_permitted, parsed.ts_value) == (
        None,
        None,
        False,
        None,
    )
    assert bytes(parsed.payload) == b"hello"


def test_all_options_of_a_syn_come_back():
    options = tcp.build_options(mss=1460, window_scale=7, sack_permitted=True, ts_value=0xDEADBEEF, ts_echo=3)
    parsed = tcp.Segment.parse(segment(options, flags=tcp.SYN))
    assert (parsed.mss, parsed.window_scale, parsed.sack_permitted) == (1460, 7, True)
    assert (parsed.ts_value, parsed.ts_echo) == (0xDEADBEEF, 3)
    assert parsed.length == 1


def test_the_short_way_for_timestamps_reads_what_the_long_way_reads():
    fast = tcp.build_timestamps_header(1, 2, 3, 4, tcp.ACK | tcp.PSH, 5, 6, 7)
    assert fast == tcp.build_header(
        1, 2, 3, 4, tcp.ACK | tcp.PSH, 5, tcp.build_options(ts_value=6, ts_echo=7)
    )
    timestamps_first = fast[:20] + fast[22:32] + b"\1\1"  # not the layout of the short way
    assert tcp.Segment.parse(memoryview(fast + b"x")) == tcp.Segment.parse(
        memoryview(timestamps_first + b"x")
    )


def test_sack_blocks_beside_timestamps_are_at_most_three():
    blocks = [(10, 20), (30, 40), (50, 60), (70, 80)]
    with_timestamps = tcp.build_options(ts_value=1, sack_blocks=blocks)
    assert len(with_timestamps) == tcp.MAX_OPTIONS
    assert tcp.Segment.parse(segment(with_timestamps)).sack_blocks == tuple(blocks[:3])
    assert tcp.Segment.parse(segment(tcp.build_options(sack_blocks=blocks))).sack_blocks == tuple(blocks)


def test_unknown_options_are_skipped():
    parsed = tcp.Segment.parse(segment(b"\xfe\x04\0\0\x02\x04\x05\xb4"))
    assert parsed.mss == 1460


def test_nothing_is_read_behind_the_end_of_options():
    assert tcp.Segment.parse(segment(b"\0\x02\x04\x05\xb4\0\0\0")).mss is None


def test_a_known_option_of_another_length_is_skipped():
    parsed = tcp.Segment.parse(segment(b"\x02\x03\x05\x03\x04\0\0\0"))
    assert (parsed.mss, parsed.window_scale) == (None, None)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (bytes(19), "19 octets"),
        (bytes(12) + b"\x40" + bytes(7), "16 octets, at least 20"),
        (bytes(12) + b"\x60" + bytes(7), "24 octets of 20"),
        (bytes(12) + b"\x60" + bytes(7) + b"\x02\0\0\0", "option 2 says 0"),
        (bytes(12) + b"\x60" + bytes(7) + b"\x02\1\0\0", "option 2 says 1"),
        (bytes(12) + b"\x60" + bytes(7) + b"\x02\5\0\0", "option 2 says 5 octets, 4 are left"),
        (bytes(12) + b"\x60" + bytes(7) + b"\1\1\1\x02", "cut off"),
    ],
)
def test_a_segment_that_breaks_the_format_is_named(octets, reason):
    with pytest.raises(MalformedPacketError, match=reason):
        tcp.Segment.parse(memoryview(octets))
