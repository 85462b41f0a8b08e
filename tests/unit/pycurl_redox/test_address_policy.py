"""Which addresses may be connected to."""

from __future__ import annotations

import pytest

from pycurl_redox.address_policy import AddressPolicy
from pycurl_redox.errors import AddressDeniedError
from tcpip.wire.address import IpAddress


def passes(address: str, allow: str = "", deny: str = "") -> bool:
    policy = AddressPolicy.parse([allow], [deny])
    assert policy is not None
    try:
        policy.check(IpAddress.parse(address), "a.test")
    except AddressDeniedError as error:
        assert error.exit_code == 7 and str(IpAddress.parse(address)) in str(error) and "a.test" in str(error)
        return False
    return True


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.169.254",
        "198.18.0.1", "192.0.2.1", "0.1.2.3",
        "240.0.0.1", "255.255.255.255", "192.0.0.8", "fd00::1", "fc00::1", "fe80::1",
        "2001:db8::1", "fec0::1", "100::1", "64:ff9b:1::1", "3fff::1", "5f00::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "::10.0.0.1",
    ],
)  # fmt: skip
def test_private_is_what_the_registries_call_not_globally_reachable(address: str) -> None:
    assert not passes(address, deny="private")
    assert passes("192.0.32.8", deny="private") and passes("2606:2800::1", deny="private")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.255.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
def test_loopback_is_every_way_to_this_machine(address: str) -> None:
    assert not passes(address, deny="loopback")
    assert passes("10.0.0.1", deny="loopback")
    assert passes(address, deny="private") or address == "0.0.0.0"  # of 0.0.0.0/8, too
    if ":7f" not in address:
        assert passes(address, allow="loopback") and not passes(address, allow="private")


def test_a_network_that_holds_the_unspecified_address_denies_it() -> None:
    assert not passes("0.0.0.0", deny="0.0.0.0/8")
    assert not passes("::", deny="::/127")


@pytest.mark.parametrize("address", ["224.0.0.1", "239.255.255.255", "ff02::1"])
def test_multicast_is_a_word_of_its_own(address: str) -> None:
    assert not passes(address, deny="multicast")
    assert passes(address, deny="private,loopback")


def test_with_a_list_of_allowed_ones_nothing_else_passes() -> None:
    assert passes("10.0.0.7", allow="10.0.0.0/24, 2001:db8::/32")
    assert passes("2001:db8::7", allow="10.0.0.0/24,2001:db8::/32")
    assert not passes("10.0.1.7", allow="10.0.0.0/24,2001:db8::/32")
    assert passes("::ffff:10.0.0.7", allow="10.0.0.0/24")
    # Of a translated address nobody knows who translates: it has to be allowed itself.
    assert not passes("64:ff9b::a00:7", allow="10.0.0.0/24")
    assert passes("::ffff:10.0.0.7", allow="::ffff:10.0.0.0/120")


def test_what_is_denied_stays_denied_where_it_is_allowed_as_well() -> None:
    assert passes("10.0.0.7", allow="private", deny="10.0.0.8")
    assert not passes("10.0.0.8", allow="private", deny="10.0.0.8")


def test_the_message_names_the_rule() -> None:
    policy = AddressPolicy.parse([], ["loopback,192.0.2.0/24"])
    assert policy is not None
    with pytest.raises(
        AddressDeniedError, match=r"^Address 192\.0\.2\.9 of b\.test is refused: --deny-address"
    ):
        policy.check(IpAddress.parse("192.0.2.9"), "b.test")


@pytest.mark.parametrize(("allow", "deny", "passed"), [
    ("", "private", True), ("", "loopback", False), ("10.0.0.0/8", "", False), ("loopback", "", True),
])  # fmt: skip
def test_a_unix_socket_counts_as_loopback(allow: str, deny: str, passed: bool) -> None:
    policy = AddressPolicy.parse([allow], [deny])
    assert policy is not None
    if passed:
        policy.check_local("/run/x")
    else:
        with pytest.raises(AddressDeniedError, match="Unix socket '/run/x'"):
            policy.check_local("/run/x")


def test_no_rule_is_no_policy() -> None:
    assert AddressPolicy.parse([], []) is None
    assert AddressPolicy.parse(["", " , "], []) is None


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0", "privat", "10.0.0.0/x", "::1/129", "a.test", "10.0.0.0/-1"]
)
def test_what_is_neither_network_nor_word_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        AddressPolicy.parse([], [text])
