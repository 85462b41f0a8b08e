"""Addresses in turn, families side by side (RFC 8305), in a network where time jumps."""

from __future__ import annotations

import pytest

from pycurl_redox.address_policy import AddressPolicy
from pycurl_redox.dial import Endpoint, dial, in_turn
from pycurl_redox.dial_options import DialOptions
from pycurl_redox.errors import AddressDeniedError
from tcpip.errors import BindError, ConnectRefusedError
from tcpip.wire.address import IpAddress
from tests.fakes.memory_network import MemoryNetwork

SIX, SIX2, FOUR, FOUR2 = map(IpAddress.parse, ("2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"))


def dialled(
    network: MemoryNetwork, *addresses: IpAddress, head_start: float = 0.2, deny: str = ""
) -> tuple[Endpoint, float, list[str]]:
    """The stream, how long it took, and the notes."""
    notes: list[str] = []
    options = DialOptions(policy=AddressPolicy.parse([], [deny])) if deny else None
    began = network.now()
    stream = network.run(
        dial(network, list(addresses), 80, began + 60, notes.append, head_start, options, "a.test")
    )
    return stream, network.now() - began, notes


def test_families_take_turns_beginning_with_the_first_ones() -> None:
    assert in_turn([SIX, SIX2, FOUR, FOUR2]) == [SIX, FOUR, SIX2, FOUR2]
    assert in_turn([FOUR, FOUR2, SIX]) == [FOUR, SIX, FOUR2]


@pytest.mark.parametrize("head_start", [0.05, 0.2, 1.0])
def test_a_dead_family_costs_its_head_start(head_start: float) -> None:
    network = MemoryNetwork(["slow"], [b"x"])
    stream, took, _ = dialled(network, SIX, FOUR, head_start=head_start)
    assert stream.remote == (FOUR, 80)
    assert took == pytest.approx(head_start)


def test_a_refused_address_is_followed_at_once() -> None:
    network = MemoryNetwork(None, [b"x"])
    stream, took, notes = dialled(network, SIX, FOUR)
    assert (stream.remote, took) == ((FOUR, 80), 0)
    assert notes[1] == "connect to 2001:db8::1 port 80 failed: Connection refused"


def test_all_dead_ones_are_tried_a_head_start_apart() -> None:
    network = MemoryNetwork(["slow"], ["slow"], ["slow"], [b"x"])
    stream, took, _ = dialled(network, SIX, SIX2, FOUR, FOUR2)
    assert (stream.remote, took) == ((FOUR2, 80), pytest.approx(0.6))
    assert [address for address, _ in network.dialled] == [str(a) for a in (SIX, FOUR, SIX2, FOUR2)]


def test_denied_addresses_are_passed_over_and_said_so() -> None:
    network = MemoryNetwork([b"x"])
    stream, _, notes = dialled(network, SIX, FOUR, deny="2001:db8::/32")
    assert stream.remote == (FOUR, 80)
    assert network.dialled == [(str(FOUR), 80)]
    assert notes[0] == "Address 2001:db8::1 of a.test is refused: --deny-address 2001:db8::/32 holds it"


def test_when_all_are_denied_nobody_is_dialled() -> None:
    network = MemoryNetwork()
    with pytest.raises(AddressDeniedError):
        dialled(network, SIX, FOUR, deny="private")
    assert network.dialled == []


class Renamed(MemoryNetwork):
    """Its own address leads to the machine, as the user-mode network's gateway does."""

    def reached_by(self, address: IpAddress) -> IpAddress:
        return IpAddress.parse("127.0.0.1") if address == FOUR else address


def test_what_leads_to_a_denied_address_is_denied() -> None:
    with pytest.raises(AddressDeniedError):
        dialled(Renamed(), FOUR, deny="loopback")
    assert dialled(Renamed([b"x"]), FOUR2, deny="loopback")[0].remote == (FOUR2, 80)


class Unbindable(MemoryNetwork):
    """Can bind for IPv4 only, and there nobody listens; or is refused both."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.texts = list(texts)

    async def connect(self, address: IpAddress, *more: object) -> None:  # type: ignore[override]
        text = self.texts.pop(0)
        raise ConnectRefusedError("TCP: refused") if text == "refused" else BindError(text)


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (("bind failed", ""), BindError("bind failed")),
        (("", "bind failed"), BindError("bind failed")),
        (("", "refused"), ConnectRefusedError("TCP: refused")),
    ],
)
def test_an_end_of_the_other_family_hides_no_other_error(texts: tuple[str, str], error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        dialled(Unbindable(*texts), SIX, FOUR)
    assert str(caught.value) == str(error)
