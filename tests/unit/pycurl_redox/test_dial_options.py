"""The options of a connection, as they are read."""

from __future__ import annotations

import pytest

from pycurl_redox.config import OperationConfig
from pycurl_redox.dial_options import DialOptions, NameOptions, dial_options
from pycurl_redox.errors import BadArgumentError
from pycurl_redox.options import read_command_line
from pycurl_redox.traffic_class import NAMES
from tcpip.wire.address import IpAddress


def read(*arguments: str) -> OperationConfig:
    return read_command_line(["-q", *arguments, "http://a.test/"], {}).operations[0]


def refusal(*arguments: str) -> str:
    from pycurl_redox.errors import UsageError

    with pytest.raises(UsageError) as caught:
        read(*arguments)
    assert caught.value.exit_code == 2
    return caught.value.text


def test_a_plain_command_wants_nothing() -> None:
    assert dial_options(OperationConfig()) is None
    assert dial_options(read()) is None
    assert dial_options(read("--interface", "", "--dns-servers", "")) is None


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("22", (22, 22)),
        ("22-24", (22, 24)),
        ("40001 -40002", (40001, 40002)),
        ("0", None),
        ("65535", (65535, 65535)),
    ],
)
def test_local_ports_are_a_number_or_a_range(text: str, ports: object) -> None:
    assert read("--local-port", text).local_ports == ports


@pytest.mark.parametrize("text", ["abc", "", "1-", "30-20", "70000", "65530-65540", "1-x"])
def test_other_local_ports_are_badly_used(text: str) -> None:
    assert refusal("--local-port", text) == "option --local-port: is badly used here"


@pytest.mark.parametrize(
    ("text", "octet"),
    [
        ("CS0", 0),
        ("CS7", 0xE0),
        ("AF11", 0x28),
        ("AF43", 0x98),
        ("EF", 0xB8),
        ("VOICE-ADMIT", 0xB0),
        ("LE", 4),
    ]
    + [("ECT0", 2), ("ECT1", 1), ("CE", 3), ("LOWDELAY", 0x10), ("ef", 0xB8), ("255", 255), ("1", 1)],
)
def test_a_type_of_service_has_a_name_or_a_number(text: str, octet: int) -> None:
    assert read("--ip-tos", text).ip_tos == octet
    assert len(NAMES) == 8 + 12 + 3 + 3 + 5


def test_numbers_out_of_range_are_refused_in_curls_words() -> None:
    assert refusal("--ip-tos", "256") == "option --ip-tos: too large number"
    assert refusal("--ip-tos", "NONE") == "option --ip-tos: expected a proper numerical parameter"
    assert refusal("--vlan-priority", "8") == "option --vlan-priority: too large number"
    assert refusal("--deny-address", "privat") == "option --deny-address: is badly used here"


def test_dns_servers_have_ports_and_both_families() -> None:
    options = dial_options(
        read("--dns-servers", "192.0.2.1, 192.0.2.2:5353,2001:db8::1,[2001:db8::2]:53,[::1]")
    )
    assert options == DialOptions(
        names=NameOptions(
            servers=tuple(
                (IpAddress.parse(address), port)
                for address, port in [("192.0.2.1", 53), ("192.0.2.2", 5353), ("2001:db8::1", 53)]
                + [("2001:db8::2", 53), ("::1", 53)]
            )
        )
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--dns-servers", "a.test"), ("--dns-servers", "192.0.2.1:"), ("--dns-servers", "192.0.2.1:0"),
        ("--dns-servers", "192.0.2.1:70000"), ("--dns-servers", "[::1]x"), ("--dns-ipv4-addr", "::1"),
        ("--dns-ipv6-addr", "192.0.2.1"), ("--dns-ipv4-addr", "x"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_a_bad_argument(arguments: tuple[str, str]) -> None:
    with pytest.raises(BadArgumentError) as caught:
        dial_options(read(*arguments))
    assert caught.value.report() == "curl: (43) A libcurl function was given a bad argument\n"
