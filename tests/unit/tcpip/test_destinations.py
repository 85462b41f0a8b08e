"""The order of destinations: the examples of RFC 6724 §10.2, and what has no way."""

from __future__ import annotations

import pytest

from tcpip.destinations import in_order
from tcpip.wire.address import IpAddress


@pytest.mark.parametrize(
    ("sources", "ordered"),
    [
        # candidates of the RFC's table, with the source that each would be reached from
        ({"2001:db8:1::1": "2001:db8:1::2", "198.51.100.121": "169.254.13.78"},
         ["2001:db8:1::1", "198.51.100.121"]),
        ({"2001:db8:1::1": "fe80::1", "198.51.100.121": "198.51.100.117"},
         ["198.51.100.121", "2001:db8:1::1"]),
        ({"2001:db8:1::1": "2001:db8:1::2", "10.1.2.3": "10.1.2.4"}, ["2001:db8:1::1", "10.1.2.3"]),
        ({"2001:db8:1::1": "2001:db8:1::2", "fe80::1": "fe80::2"}, ["fe80::1", "2001:db8:1::1"]),
        ({"2001:db8:1::1": "2001:db8:1::2", "2001:db8:3ffe::1": "2001:db8:3f44::2"},
         ["2001:db8:1::1", "2001:db8:3ffe::1"]),
        ({"2002:c633:6401::1": "2002:c633:6401::2", "fe80::1": "fe80::2"}, ["fe80::1", "2002:c633:6401::1"]),
        ({"2002:c633:6401::1": "2002:c633:6401::2", "2001:db8:1::1": "2001:db8:1::2"},
         ["2001:db8:1::1", "2002:c633:6401::1"]),
    ],
)  # fmt: skip
def test_the_examples_of_the_rfc_come_out(sources: dict[str, str], ordered: list[str]) -> None:
    table = {IpAddress.parse(a): IpAddress.parse(s) for a, s in sources.items()}
    for candidates in (list(table), list(reversed(table))):
        assert [str(address) for address in in_order(candidates, table.get)] == ordered


def test_a_family_without_a_way_goes_last() -> None:
    four, six = IpAddress.parse("192.0.2.1"), IpAddress.parse("2001:db8::1")
    assert in_order([six, four], lambda a: a if a == four else None) == [four, six]
    assert in_order([four, six], lambda a: a) == [six, four]


def test_what_no_rule_tells_apart_keeps_its_order() -> None:
    several = [IpAddress.parse(f"192.0.2.{n}") for n in (7, 3, 9)]
    assert in_order(several, lambda a: IpAddress.parse("192.0.2.1")) == several
