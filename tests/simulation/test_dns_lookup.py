"""Lookups on a host on which time jumps: loss, dead servers, many at once."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from typing import Any

import pytest

from tcpip.dns import Cache, ResolverConfig
from tcpip.errors import NameNotFoundError, ResolveError, TimedOutError
from tcpip.lookup import lookup, lookup_services
from tcpip.wire.address import IpAddress
from tcpip.wire.dns import ServiceBinding
from tests.fakes.dns_server import DnsServer, FakeDnsHost

ZONE = {"www.test": ["192.0.2.80", "2001:db8::80"], "four.test": ["192.0.2.4"]}
BOTH = [IpAddress.parse("2001:db8::80"), IpAddress.parse("192.0.2.80")]


def look(
    host: FakeDnsHost, name: str = "www.test", cache: Cache | None = None, deadline: float | None = None
) -> Coroutine[Any, Any, list[IpAddress]]:
    config = ResolverConfig(servers=tuple(host.servers) or (IpAddress.parse("10.9.9.9"),))
    chance = random.Random(1)
    return lookup(host, config, cache or Cache(), chance.randbytes, name, 0, deadline)


def test_a_lookup_takes_one_round_trip_and_closes_its_ports() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE)})
    assert host.run(look(host)) == [BOTH]
    assert host.time == pytest.approx(100.02)
    assert len({port for _, port, _ in host.sent}) == 2
    assert all(socket.is_closed for socket in host.sockets)


def test_a_literal_opens_no_port() -> None:
    host = FakeDnsHost({})
    assert host.run(look(host, "192.0.2.1")) == [[IpAddress.parse("192.0.2.1")]]
    assert host.sockets == []


def test_lookups_of_one_name_at_the_same_time_ask_once() -> None:
    server = DnsServer(ZONE)
    host, cache = FakeDnsHost({"10.0.0.1": server}), Cache()
    assert host.run(*(look(host, cache=cache) for _ in range(200))) == [BOTH] * 200
    assert len(server.asked) == 2
    assert cache.pending == {}


def test_failure_is_shared_too_but_not_the_exception_object() -> None:
    server = DnsServer(ZONE)
    host, cache = FakeDnsHost({"10.0.0.1": server}), Cache()
    errors = host.run(*(look(host, "none.test", cache) for _ in range(3)))
    assert {type(error) for error in errors} == {NameNotFoundError}
    assert len({id(error) for error in errors}) == 3


def test_who_waits_for_a_lookup_that_is_cancelled_takes_it_over() -> None:
    server = DnsServer(ZONE)
    host, cache = FakeDnsHost({"10.0.0.1": server}), Cache()
    first = host.scheduler.spawn(look(host, cache=cache))
    host.scheduler.run_ready()
    second = look(host, cache=cache)

    async def cancel_first() -> None:
        first.cancel()

    assert host.run(second, cancel_first()) == [BOTH, None]
    assert all(socket.is_closed for socket in host.sockets)


@pytest.mark.parametrize(("lost", "patience"), [(1, 0.05), (2, 0.5)])
def test_one_lost_datagram_costs_at_most_the_grace_of_its_family(lost: int, patience: float) -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE)})
    host.loses = lambda number: number == lost
    (found,) = host.run(look(host))
    assert len(found) == 1
    assert host.time == pytest.approx(100.02 + patience)


def test_a_name_of_one_family_is_asked_again_when_its_answer_is_lost() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE)})
    host.loses = lambda number: number == 2  # A; that there is no AAAA ends nothing
    assert host.run(look(host, "four.test")) == [[IpAddress.parse("192.0.2.4")]]
    assert host.time == pytest.approx(105.02)


def test_a_dead_server_is_passed_over() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE, silent=True), "10.0.0.2": DnsServer(ZONE)})
    assert host.run(look(host)) == [BOTH]
    assert host.time == pytest.approx(105.02)


def test_an_unreachable_server_is_passed_over_at_once() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE), "10.0.0.2": DnsServer(ZONE)})
    host.unreachable = {IpAddress.parse("10.0.0.1")}
    assert host.run(look(host)) == [BOTH]
    assert host.time == pytest.approx(100.02)


def test_a_host_where_nothing_listens_is_reported_at_once() -> None:
    host = FakeDnsHost({})
    (error,) = host.run(look(host))
    assert (type(error), host.time) == (ResolveError, 100.0)
    assert str(error) == "DNS: www.test: 10.9.9.9 cannot be reached"


def test_dead_servers_end_in_an_error_that_names_them() -> None:
    servers = {"10.0.0.1": DnsServer(ZONE, silent=True), "10.0.0.2": DnsServer(ZONE, silent=True)}
    host = FakeDnsHost(servers)
    (error,) = host.run(look(host))
    assert type(error) is ResolveError
    assert str(error) == "DNS: www.test: no answer from 10.0.0.2"
    assert host.time == 120.0


def test_the_deadline_ends_a_lookup_and_those_that_wait_for_it() -> None:
    host, cache = FakeDnsHost({"10.0.0.1": DnsServer(ZONE, silent=True)}), Cache()
    errors = host.run(look(host, cache=cache, deadline=101.5), look(host, cache=cache, deadline=101.0))
    assert {type(error) for error in errors} == {TimedOutError}
    assert host.time == 101.5


def test_truncated_answers_are_fetched_over_tcp() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE, truncate=True)})
    assert host.run(look(host)) == [BOTH]
    assert len(host.streams) == 2 and all(stream.is_aborted for stream in host.streams)


def test_a_server_that_refuses_tcp_is_passed_over() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE, truncate=True)})
    host.refuses_tcp = True
    (error,) = host.run(look(host))
    assert type(error) is ResolveError and "over TCP" in str(error)


@pytest.mark.parametrize("seed", range(20))
def test_every_lookup_ends_whatever_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    names = {"10.0.0.1": DnsServer(ZONE), "10.0.0.2": DnsServer(ZONE, truncate=seed % 2 == 0)}
    host = FakeDnsHost(names, delay=chance.choice([0.001, 0.3, 4.9, 7.0]))
    host.loses = lambda number: chance.random() < 0.4
    for result in host.run(*(look(host, name) for name in ("www.test", "four.test", "none.test"))):
        assert isinstance(result, ResolveError) or (
            result and set(result) <= {*BOTH, IpAddress(b"\xc0\0\2\4")}
        )
    assert host.time <= 100 + 4 * 5 * 2 + 1
    assert all(socket.is_closed for socket in host.sockets)


# HTTPS records (RFC 9460)

SERVICES = {
    "www.test": [(2, "", {1: b"\x02h2", 5: b"second"}), (1, "svc.test", {5: b"first"})],
    "_8443._https.www.test": [(1, "", {3: b"\x20\xfb"})],
}
FOUND = (ServiceBinding(1, "svc.test", {5: b"first"}), ServiceBinding(2, "", {1: b"\x02h2", 5: b"second"}))


def services(host: FakeDnsHost, name: str) -> Coroutine[Any, Any, tuple[ServiceBinding, ...]]:
    config = ResolverConfig(servers=tuple(host.servers), search=("search.test",))
    return lookup_services(host, config, Cache(), random.Random(1).randbytes, name, None)


def test_https_records_come_the_best_first_and_no_other_name_is_asked() -> None:
    server = DnsServer(ZONE, services=SERVICES)
    host = FakeDnsHost({"10.0.0.1": server})
    assert host.run(services(host, "www.test")) == [FOUND]
    assert server.asked == [("www.test", "HTTPS")]
    assert all(socket.is_closed for socket in host.sockets)


def test_a_port_has_records_of_its_own_and_an_alias_is_followed() -> None:
    records = ZONE | {"alias.test": ["=www.test"]}
    host = FakeDnsHost({"10.0.0.1": DnsServer(records, services=SERVICES)})
    assert host.run(services(host, "_8443._https.www.test")) == [(ServiceBinding(1, "", {3: b"\x20\xfb"}),)]
    assert host.run(services(host, "alias.test")) == [FOUND]


def test_a_name_without_them_has_none() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE)})
    assert host.run(services(host, "www.test")) == [()]
    assert host.run(services(host, "nowhere.test")) == [()]


def test_a_long_answer_comes_over_tcp() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE, services=SERVICES, truncate=True)})
    assert host.run(services(host, "www.test")) == [FOUND]


def test_no_answer_about_them_is_an_error() -> None:
    host = FakeDnsHost({"10.0.0.1": DnsServer(ZONE, rcode="SERVFAIL")})
    (error,) = host.run(services(host, "www.test"))
    assert type(error) is ResolveError
    (error,) = host.run(services(host, "a" * 64 + ".test"))
    assert type(error) is NameNotFoundError
