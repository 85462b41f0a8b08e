"""Addresses of both families in one type."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpip.wire.address import IpAddress, IpNetwork


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_text_is_the_standard_librarys_and_reads_back(packed: bytes) -> None:
    address = IpAddress(packed)
    theirs = ipaddress.ip_address(packed)
    assert str(address) == str(theirs) or theirs.ipv4_mapped is not None
    assert IpAddress.parse(str(address)) == address


@given(st.text("0123456789abcdef:.", max_size=20))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        ours = IpAddress.parse(text)
    except ValueError:
        with pytest.raises(ValueError):
            ipaddress.ip_address(text)
    else:
        assert ours == ipaddress.ip_address(text).packed


def test_a_network_knows_its_members_and_broadcast() -> None:
    network = IpNetwork.parse("10.0.2.0/24")
    assert IpAddress.parse("10.0.2.255") in network
    assert IpAddress.parse("10.0.3.0") not in network
    assert IpAddress.parse("::1") not in network
    assert str(network.broadcast) == "10.0.2.255"


def test_an_address_is_the_octets_of_a_header() -> None:
    assert {IpAddress.parse("127.0.0.1"): 1}[b"\x7f\0\0\1"] == 1
    assert IpAddress.parse("127.9.9.9").is_loopback and IpAddress.parse("::1").is_loopback
