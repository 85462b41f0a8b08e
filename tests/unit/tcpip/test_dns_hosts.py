"""Reading of /etc/hosts and /etc/resolv.conf."""

from __future__ import annotations

from tcpip.hosts import ResolvConf, parse_hosts, parse_resolv_conf
from tcpip.wire.address import IpAddress


def test_a_hosts_file_is_read() -> None:
    text = """
127.0.0.1   localhost
192.0.2.1   Www.Example.org www   # a comment
2001:db8::1 www.example.org.
192.0.2.1   www
not-an-address  name
fe80::1%eth0 zone
192.0.2.3
"""
    one, two = IpAddress.parse("192.0.2.1"), IpAddress.parse("2001:db8::1")
    assert parse_hosts(text) == {
        "localhost": (IpAddress.parse("127.0.0.1"),),
        "www.example.org": (one, two),
        "www": (one,),
    }


def test_a_name_has_a_bounded_number_of_addresses() -> None:
    text = "\n".join(f"10.0.{n // 256}.{n % 256} many" for n in range(1000))
    assert len(parse_hosts(text)["many"]) == 64


def test_a_resolv_conf_is_read() -> None:
    text = """# comment
; comment
nameserver 192.0.2.1
nameserver 2001:db8::1
nameserver bad
nameserver
domain old.test
search corp.test. lab.test
options ndots:3 timeout:2 attempts:4 rotate edns0 ndots:x
"""
    assert parse_resolv_conf(text) == ResolvConf(
        servers=(IpAddress.parse("192.0.2.1"), IpAddress.parse("2001:db8::1")),
        search=("corp.test", "lab.test"),
        ndots=3,
        timeout=2.0,
        attempts=4,
        rotate=True,
    )


def test_numbers_in_a_resolv_conf_are_bounded_as_by_the_c_library() -> None:
    conf = parse_resolv_conf(
        "options ndots:99 timeout:999 attempts:0\n"
        + "".join(f"nameserver 10.0.0.{n}\n" for n in range(9))
        + "search "
        + " ".join(f"d{n}" for n in range(20))
    )
    assert (conf.ndots, conf.timeout, conf.attempts) == (15, 30.0, 1)
    assert (len(conf.servers), len(conf.search)) == (3, 6)


def test_an_empty_resolv_conf_has_the_defaults() -> None:
    assert parse_resolv_conf("") == ResolvConf((), (), 1, 5.0, 2)
