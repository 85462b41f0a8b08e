"""SOCKS, octet by octet."""

from __future__ import annotations

import pytest

from pycurl_redox.errors import ProxyHandshakeError
from pycurl_redox.socks import Granted, Ready, Socks4, Socks5
from tcpip.wire.address import IpAddress

V4, V6 = IpAddress.parse("192.0.2.1"), IpAddress.parse("2001:db8::1")
GRANTED_4 = b"\0\x5a" + bytes(6)
GRANTED_5 = b"\5\0\0\1" + bytes(6)


def sent(machine: Socks4 | Socks5) -> bytes:
    return b"".join(machine.data_to_send())


def opened(login: tuple[bytes, bytes] | None = None) -> Socks5:
    """Version 5, let in, with its request out."""
    machine = Socks5(login)
    sent(machine)
    machine.receive_data(b"\5\0")
    assert isinstance(machine.next_event(), Ready)
    machine.ask(b"a.test", 80, "a.test")
    sent(machine)
    return machine


def error(machine: Socks4 | Socks5, *pieces: bytes) -> str:
    with pytest.raises(ProxyHandshakeError) as caught:
        for piece in pieces:
            machine.receive_data(piece)
            assert machine.next_event() is None
    with pytest.raises(ProxyHandshakeError) as again:
        machine.next_event()
    assert again.value is caught.value and caught.value.exit_code == 97
    return str(caught.value)


@pytest.mark.parametrize(
    ("user", "destination", "octets"),
    [
        (b"", V4, b"\4\1\x01\x02\xc0\0\2\1\0"),
        (b"me", V4, b"\4\1\x01\x02\xc0\0\2\1me\0"),
        (b"me", b"a.test", b"\4\1\x01\x02\0\0\0\1me\0a.test\0"),
    ],
)
def test_version_4_asks_for_an_address_and_4a_for_a_name(
    user: bytes, destination: IpAddress | bytes, octets: bytes
) -> None:
    machine = Socks4(user)
    assert isinstance(machine.next_event(), Ready)
    machine.ask(destination, 258)
    assert sent(machine) == octets and machine.next_event() is None
    machine.receive_data(GRANTED_4 + b"more")
    assert isinstance(machine.next_event(), Granted) and machine.trailing_data == b"more"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (91, "request rejected or failed."),
        (92, "request rejected because SOCKS server cannot connect to identd on the client."),
        (93, "request rejected because the client program and identd report different user-ids."),
        (99, "Unknown."),
    ],
)
def test_a_refusal_of_version_4_is_told_with_its_reason(status: int, reason: str) -> None:
    machine = Socks4()
    machine.ask(V4, 80)
    said = error(machine, bytes([0, status]) + b"\x12\x34\x7f\0\0\1")
    assert said == f"Can't complete SOCKS4 connection to 127.0.0.1:4660. ({status}), {reason}"


def test_version_4_wants_a_reply_of_version_0() -> None:
    machine = Socks4()
    machine.ask(V4, 80)
    assert error(machine, b"\4\x5a" + bytes(6)) == "SOCKS4 reply has wrong version, version should be 0."


def test_a_name_of_4a_has_254_octets_at_most() -> None:
    machine = Socks4()
    machine.ask(b"a" * 254, 80)
    assert len(sent(machine)) == 9 + 255
    with pytest.raises(ProxyHandshakeError, match="SOCKS4: too long host name"):
        machine.ask(b"a" * 255, 80)


def test_a_login_is_offered_only_where_there_is_one() -> None:
    assert sent(Socks5()) == b"\5\1\0"
    assert sent(Socks5((b"me", b"pw"))) == b"\5\2\0\2"


def test_version_5_logs_in_when_the_server_wants_it() -> None:
    machine = Socks5((b"me", b"pw"))
    sent(machine)
    machine.receive_data(b"\5\2")
    assert machine.next_event() is None and sent(machine) == b"\1\2me\2pw"
    machine.receive_data(b"\1\0")
    assert isinstance(machine.next_event(), Ready)


def test_a_login_of_255_octets_fits_and_one_more_does_not() -> None:
    machine = Socks5((b"u" * 255, b"p" * 255))
    sent(machine)
    machine.receive_data(b"\5\2")
    assert machine.next_event() is None
    assert sent(machine) == b"\1\xff" + b"u" * 255 + b"\xff" + b"p" * 255
    assert error(Socks5((b"u" * 256, b"")), b"\5\2") == "Excessive user name length for proxy auth"
    assert error(Socks5((b"u", b"p" * 256)), b"\5\2") == "Excessive password length for proxy auth"


@pytest.mark.parametrize(
    ("destination", "octets"),
    [
        (V4, b"\1\xc0\0\2\1"),
        (V6, b"\4\x20\x01\x0d\xb8" + bytes(11) + b"\1"),
        (b"a.test", b"\3\6a.test"),
        (b"a" * 255, b"\3\xff" + b"a" * 255),
    ],
    ids=["IPv4", "IPv6", "name", "long name"],
)
def test_version_5_asks_for_an_address_or_a_name(destination: IpAddress | bytes, octets: bytes) -> None:
    machine = Socks5()
    sent(machine)
    machine.receive_data(b"\5\0")
    machine.next_event()
    machine.ask(destination, 258)
    assert sent(machine) == b"\5\1\0" + octets + b"\1\2"


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (b"\4\0", "Received invalid version in initial SOCKS5 response."),
        (b"HT", "Received invalid version in initial SOCKS5 response."),
        (b"\5\1", "SOCKS5 GSSAPI per-message authentication is not supported."),
        (b"\5\xff", "No authentication method was acceptable."),
        (b"\5\7", "Undocumented SOCKS5 mode attempted to be used by server."),
    ],
)
def test_a_method_that_cannot_be_is_an_error(method: bytes, text: str) -> None:
    assert error(Socks5(), method) == text


def test_a_refused_login_is_told_as_the_server_said_it() -> None:
    machine = Socks5((b"me", b"pw"))
    assert error(machine, b"\5\2", b"\1\1") == "User was rejected by the SOCKS5 server (1 1)."


@pytest.mark.parametrize("status", range(1, 10))
def test_each_refusal_of_version_5_has_its_number(status: int) -> None:
    said = error(opened(), bytes([5, status, 0, 1]))
    assert said == f"Can't complete SOCKS5 connection to a.test. ({status})"


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b"\4\0\0\1", "SOCKS5 reply has wrong version, version should be 5."),
        (b"\5\0\0\2", "SOCKS5 reply has wrong address type."),
    ],
)
def test_a_reply_that_lies_is_an_error(reply: bytes, text: str) -> None:
    assert error(opened(), reply) == text


@pytest.mark.parametrize(
    "bound",
    [b"\1" + bytes(6), b"\4" + bytes(18), b"\3\0" + bytes(2), b"\3\1a" + bytes(2), b"\3\xff" + bytes(257)],
    ids=["IPv4", "IPv6", "empty name", "short name", "long name"],
)
def test_the_address_of_a_reply_is_passed_by_however_long(bound: bytes) -> None:
    machine = opened()
    reply = b"\5\0\0" + bound
    for at in range(len(reply) - 1):
        machine.receive_data(reply[at : at + 1])
        assert machine.next_event() is None
    machine.receive_data(reply[-1:] + b"HTTP")
    assert isinstance(machine.next_event(), Granted) and machine.trailing_data == b"HTTP"


@pytest.mark.parametrize("cut", range(len(GRANTED_5)))
def test_a_reply_cut_anywhere_is_a_closed_connection(cut: int) -> None:
    pieces = [GRANTED_5[:cut], b""] if cut else [b""]
    assert error(opened(), *pieces) == "connection to proxy closed"


@pytest.mark.parametrize("before", [[], [b"\5"], [b"\5\2"], [b"\5\2", b"\1"]])
def test_a_server_that_goes_away_before_letting_us_in_has_closed(before: list[bytes]) -> None:
    assert error(Socks5((b"me", b"pw")), *before, b"") == "connection to proxy closed"
