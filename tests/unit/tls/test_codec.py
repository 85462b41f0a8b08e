"""The bounded reader: nesting is nesting, and nothing is left over."""

from __future__ import annotations

import pytest

from tls.alerts import Alert
from tls.codec import Reader, uint16_list, vector
from tls.errors import PeerMisbehavedError


def test_what_is_built_is_read_again():
    data = vector(1, b"id") + vector(2, uint16_list((0x1301, 0x1302))) + vector(3, b"")
    with Reader(data, "Test") as reader:
        assert reader.vector(1) == b"id"
        with reader.block(2) as block:
            assert (block.uint(2), block.uint(2), block.remaining) == (0x1301, 0x1302, 0)
        assert reader.vector(3) == b""


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.take(4),
        lambda reader: reader.uint(4),
        lambda reader: reader.vector(2),
        lambda reader: reader.block(2),
        lambda reader: reader.vector(1, 9),
        lambda reader: reader.block(1, 9),
        lambda reader: reader.expect_end(),
    ],
)
def test_each_complaint_is_a_decode_error_with_the_name_of_the_message(read):
    with pytest.raises(PeerMisbehavedError, match=r"^Test: ") as caught:
        read(Reader(b"\x02\xff\xff", "Test"))
    assert caught.value.alert == Alert.DECODE_ERROR


def test_a_block_ends_where_its_length_says():
    with Reader(vector(1, b"ab") + b"c", "Test") as reader:
        with pytest.raises(PeerMisbehavedError, match="ends short"), reader.block(1) as block:
            block.take(3)
        reader.take(1)


def test_octets_left_in_a_block_are_an_error():
    block = Reader(vector(1, b"ab"), "Test").block(1)
    with pytest.raises(PeerMisbehavedError, match="trailing octets: 1"), block:
        block.take(1)
