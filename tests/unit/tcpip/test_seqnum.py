import pytest

from tcpip import seqnum


@pytest.mark.parametrize("near", [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, (5 << 32) + 17])
@pytest.mark.parametrize("step", [0, 1, -1, 1000, -1000, 0x7FFF_FFFF, -0x8000_0000])
def test_a_number_survives_the_wire_when_it_is_within_half_the_space(near, step):
    assert seqnum.unwrap(seqnum.wrap(near + step), near) == near + step


def test_across_the_wrap_a_later_number_is_greater():
    assert seqnum.unwrap(5, 0xFFFF_FFF0) == 0x1_0000_0005
    assert seqnum.unwrap(0xFFFF_FFF0, 0x1_0000_0005) == 0xFFFF_FFF0


def test_distance_is_signed():
    assert seqnum.distance(0xFFFF_FFF0, 5) == 21
    assert seqnum.distance(5, 0xFFFF_FFF0) == -21
    assert seqnum.distance(7, 7) == 0
