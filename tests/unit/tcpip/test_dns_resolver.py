"""The resolver, step by step: what is asked, what is believed, what comes out."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from dnslib import CNAME, QTYPE, RR, A, DNSRecord

from tcpip.dns import AskOverTcp, Cache, Failed, Query, Resolved, Resolver, ResolverConfig
from tcpip.errors import NameNotFoundError, ResolveError
from tcpip.wire import dns as wire
from tcpip.wire.address import IpAddress
from tests.fakes.dns_server import DnsServer

ONE, TWO = IpAddress.parse("192.0.2.1"), IpAddress.parse("2001:db8::2")
ZONE = {
    "www.test": ["192.0.2.80", "2001:db8::80"],
    "four.test": ["192.0.2.4"],
    "alias.test": ["=other.test"],
    "other.test": ["=www.test"],
    "empty.test": [],
    "loop.test": ["=pool.test"],
    "pool.test": ["=loop.test"],
    "short.corp.test": ["192.0.2.7"],
}


def counting_bytes() -> Callable[[int], bytes]:
    numbers = itertools.count(0x1234)
    return lambda size: next(numbers).to_bytes(size, "big")


def resolver(cache: Cache | None = None, **config: object) -> Resolver:
    config.setdefault("servers", (ONE, TWO))
    return Resolver(ResolverConfig(**config), cache or Cache(), counting_bytes())  # type: ignore[arg-type]


def addresses(*texts: str) -> Resolved:
    return Resolved(tuple(IpAddress.parse(text) for text in texts))


def exchange(r: Resolver, server: DnsServer, now: float = 0.0) -> list[Query]:
    """Let the server answer all that is asked."""
    sent = []
    while queries := r.datagrams_to_send(now):
        sent += queries
        for query in queries:
            if answer := server.answer(query.data):
                r.receive_datagram(answer, (query.server, 53), query.number, now)
    return sent


def ask(name: str, family: int = 0, server: DnsServer | None = None, **config: object) -> object:
    r = resolver(**config)
    r.resolve(name, family, 0.0)
    exchange(r, server or DnsServer(ZONE))
    event = r.next_event()
    assert r.next_timeout() is None or event is None
    return event


def failure(event: object) -> ResolveError:
    assert isinstance(event, Failed)
    return event.error


@pytest.mark.parametrize(
    ("name", "family", "found"),
    [
        ("192.0.2.9", 0, ["192.0.2.9"]),
        ("2001:db8::9", 6, ["2001:db8::9"]),
        ("[::1]", 0, ["::1"]),
        ("localhost", 0, ["127.0.0.1", "::1"]),
        ("LOCALHOST.", 4, ["127.0.0.1"]),
        ("a.b.localhost", 6, ["::1"]),
        ("printer", 0, ["192.0.2.20"]),
        ("Printer.", 4, ["192.0.2.20"]),
    ],
)
def test_what_needs_no_dns_is_answered_at_once(name: str, family: int, found: list[str]) -> None:
    r = resolver(servers=(), hosts={"printer": (IpAddress.parse("192.0.2.20"),)})
    r.resolve(name, family, 0.0)
    assert r.datagrams_to_send(0.0) == []
    assert r.next_event() == addresses(*found)
    assert (r.next_event(), r.next_timeout()) == (None, None)


@pytest.mark.parametrize(
    ("name", "family", "words"),
    [
        ("192.0.2.9", 6, "is no IPv6 address"),
        ("::1", 4, "is no IPv4 address"),
        ("hidden.onion", 0, r"\.onion are not in the DNS"),
        ("x.invalid.", 0, r"\.invalid are not in the DNS"),
        ("a..b", 0, "is no host name"),
        ("", 0, "is no host name"),
        ("a" * 64, 0, "is no host name"),
        (".".join(["a" * 60] * 5), 0, "is no host name"),
        ("\u2603\u200d.test", 0, "is no host name"),
    ],
)
def test_names_that_must_not_be_asked_for_do_not_exist(name: str, family: int, words: str) -> None:
    r = resolver()
    r.resolve(name, family, 0.0)
    assert r.datagrams_to_send(0.0) == []
    error = failure(r.next_event())
    assert isinstance(error, NameNotFoundError)
    with pytest.raises(NameNotFoundError, match=words):
        raise error


def test_a_hosts_file_with_the_other_family_leaves_it_to_the_dns() -> None:
    hosts = {"www.test": (IpAddress.parse("10.0.0.1"),)}
    assert ask("www.test", 0, hosts=hosts) == addresses("10.0.0.1")
    assert ask("www.test", 6, hosts=hosts) == addresses("2001:db8::80")


def test_both_families_are_asked_together_each_with_its_own_id_and_number() -> None:
    r = resolver()
    r.resolve("www.test", 0, 0.0)
    first, second = r.datagrams_to_send(0.0)
    assert {first.server, second.server} == {ONE}
    assert first.number != second.number and first.data[:2] != second.data[:2]
    assert first.data[2:] == bytes.fromhex("0100 0001 0000 0000 0000 03777777 0474657374 00 001c 0001")
    assert second.data[-4:] == bytes.fromhex("0001 0001")
    assert r.datagrams_to_send(0.0) == []


@pytest.mark.parametrize(
    ("name", "family", "found"),
    [
        ("www.test", 0, ["2001:db8::80", "192.0.2.80"]),
        ("www.test", 4, ["192.0.2.80"]),
        ("WWW.Test.", 6, ["2001:db8::80"]),
        ("alias.test", 0, ["2001:db8::80", "192.0.2.80"]),
        ("four.test", 0, ["192.0.2.4"]),
    ],
)
def test_addresses_come_from_the_answers(name: str, family: int, found: list[str]) -> None:
    assert ask(name, family) == addresses(*found)


def test_names_in_other_scripts_are_asked_for_in_a_labels() -> None:
    server = DnsServer({"xn--bcher-kva.test": ["192.0.2.3"]})
    assert ask("B\u00fccher.test", 4, server) == addresses("192.0.2.3")


@pytest.mark.parametrize("name", ["none.test", "empty.test"])
def test_a_name_without_addresses_is_not_found(name: str) -> None:
    error = failure(ask(name))
    assert isinstance(error, NameNotFoundError)
    assert str(error) == f"DNS: {name} is not known, or has no address"


def test_a_loop_of_aliases_ends() -> None:
    r = resolver(attempts=1, servers=(ONE,))
    r.resolve("loop.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    looped = DnsServer({"loop.test": ["=loop.test2"], "loop.test2": []}).answer(query.data)
    assert looped
    looped = looped.replace(b"\5test2", b"\4test")  # the alias is now the name itself
    r.receive_datagram(looped, (ONE, 53), query.number, 0.0)
    assert r.drops == {"malformed": 1}
    assert str(failure(r.next_event())) == "DNS: loop.test: 192.0.2.1 answered what cannot be read"


def test_a_server_that_follows_no_aliases_is_asked_again_within_a_bound() -> None:
    server = DnsServer(ZONE, follows_aliases=False, negative_ttl=0)
    assert ask("alias.test", 4, server) == addresses("192.0.2.80")
    assert [name for name, _ in server.asked] == ["alias.test", "other.test", "www.test"]
    server.asked.clear()
    assert "more than 16 aliases" in str(failure(ask("loop.test", 4, server)))
    assert len(server.asked) == 17


def test_an_answer_must_come_from_the_server_asked_with_the_id_and_question_asked() -> None:
    r = resolver()
    r.resolve("www.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    answer = DnsServer(ZONE).answer(query.data)
    assert answer is not None
    other_id = bytes([answer[0], answer[1] ^ 1]) + answer[2:]
    other_name = answer.replace(b"\3www", b"\3wxw")
    for data, source, number in [
        (answer, (TWO, 53), query.number),  # not asked yet
        (answer, (ONE, 5353), query.number),
        (answer, (ONE, 53), query.number + 1),
        (other_id, (ONE, 53), query.number),
        (other_name, (ONE, 53), query.number),
        (query.data, (ONE, 53), query.number),  # an echo of the question is no answer
        (answer[:11], (ONE, 53), query.number),
        (answer[:-1], (ONE, 53), query.number),
    ]:
        r.receive_datagram(data, source, number, 0.0)
        assert r.next_event() is None
    assert r.drops == {
        "not from a server that was asked": 2,
        "after the answer": 1,
        "not the answer to the question": 3,
        "malformed": 2,
    }
    r.receive_datagram(answer, (ONE, 53), query.number, 0.0)
    assert r.next_event() == addresses("192.0.2.80")
    r.receive_datagram(answer, (ONE, 53), query.number, 0.0)
    assert r.next_event() is None


def test_records_of_another_name_in_an_answer_are_not_believed() -> None:
    r = resolver(attempts=1)
    r.resolve("www.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    poisoned = DNSRecord.parse(query.data).reply()
    poisoned.add_answer(RR("www.test", QTYPE.CNAME, rdata=CNAME("bonk.test"), ttl=60))
    poisoned.add_answer(RR("bank.test", QTYPE.A, rdata=A("192.0.2.66"), ttl=60))
    r.receive_datagram(bytes(poisoned.pack()), (ONE, 53), query.number, 0.0)
    assert r.next_event() is None
    (query,) = r.datagrams_to_send(0.0)
    assert b"\4bonk\4test" in query.data


def test_the_servers_are_asked_in_turn_until_the_attempts_are_used_up() -> None:
    r = resolver(attempts=2)
    r.resolve("www.test", 4, 0.0)
    now, sent, event = 0.0, [], None
    while event is None:
        sent += [(now, query.server) for query in r.datagrams_to_send(now)]
        timeout = r.next_timeout()
        assert timeout is not None
        now = timeout
        r.handle_timeout(now)
        event = r.next_event()
    assert sent == [(0.0, ONE), (5.0, TWO), (10.0, ONE), (15.0, TWO)]
    assert now == 20.0
    error = failure(event)
    assert not isinstance(error, NameNotFoundError)
    assert str(error) == "DNS: www.test: no answer from 2001:db8::2"


def test_a_late_answer_of_the_server_before_counts() -> None:
    r = resolver()
    r.resolve("www.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    r.handle_timeout(5.0)
    r.datagrams_to_send(5.0)
    answer = DnsServer(ZONE).answer(query.data)
    assert answer
    r.receive_datagram(answer, (ONE, 53), query.number, 5.5)
    assert r.next_event() == addresses("192.0.2.80")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"])
def test_a_server_that_cannot_answer_is_left_for_the_next_at_once(rcode: str) -> None:
    r = resolver(attempts=1)
    r.resolve("www.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    bad = DnsServer(ZONE, rcode=rcode).answer(query.data)
    assert bad
    r.receive_datagram(bad, (ONE, 53), query.number, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    assert query.server == TWO
    r.receive_datagram(bad, (ONE, 53), query.number, 0.0)
    assert r.drops == {"refused by a server given up before": 1}
    r.receive_datagram(bad, (TWO, 53), query.number, 0.0)
    assert str(failure(r.next_event())) == f"DNS: www.test: 2001:db8::2 answered {rcode}"


def test_a_refusal_without_a_question_is_understood() -> None:
    r = resolver(attempts=1, servers=(ONE,))
    r.resolve("www.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    r.receive_datagram(query.data[:2] + bytes.fromhex("8001") + bytes(8), (ONE, 53), query.number, 0.0)
    assert "answered FORMERR" in str(failure(r.next_event()))


def test_an_unreachable_server_is_left_at_once() -> None:
    r = resolver(attempts=1)
    r.resolve("www.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    r.receive_error(query.number, ONE, 0.1)
    r.receive_error(query.number, ONE, 0.1)  # said twice
    assert [query.server for query in r.datagrams_to_send(0.1)] == [TWO]
    r.receive_error(query.number, TWO, 0.2)
    assert "2001:db8::2 cannot be reached" in str(failure(r.next_event()))


def test_without_a_server_names_cannot_be_resolved_for_now() -> None:
    error = failure(ask("www.test", servers=()))
    assert (type(error), str(error)) == (ResolveError, "DNS: www.test: no server to ask")


def test_a_truncated_answer_leads_to_tcp_in_any_pieces() -> None:
    for size in (1, 2, 7, 1000):
        r = resolver()
        server = DnsServer(ZONE, truncate=True)
        r.resolve("www.test", 4, 0.0)
        exchange(r, server)
        event = r.next_event()
        assert isinstance(event, AskOverTcp)
        assert (event.server, event.deadline) == (ONE, 5.0)
        assert r.wants_tcp(event.number)
        answer = server.answer(event.data[2:], over_tcp=True)
        assert answer
        stream = len(answer).to_bytes(2, "big") + answer
        for begin in range(0, len(stream), size):
            r.receive_tcp(event.number, stream[begin : begin + size], 0.5)
        assert not r.wants_tcp(event.number)
        assert r.next_event() == addresses("192.0.2.80")


@pytest.mark.parametrize("came", [b"", b"\0", b"\0\x20" + bytes(32), b"\0\0"])
def test_tcp_without_an_answer_leads_to_the_next_server(came: bytes) -> None:
    r = resolver(attempts=1)
    r.resolve("www.test", 4, 0.0)
    exchange(r, DnsServer(ZONE, truncate=True))
    event = r.next_event()
    assert isinstance(event, AskOverTcp)
    r.receive_tcp(event.number, came, 0.1)
    if r.wants_tcp(event.number):
        r.receive_tcp(event.number, b"", 0.1)
    assert [query.server for query in r.datagrams_to_send(0.1)] == [TWO]


def test_a_server_silent_on_tcp_is_left_at_the_deadline() -> None:
    r = resolver(attempts=1)
    r.resolve("www.test", 4, 0.0)
    exchange(r, DnsServer(ZONE, truncate=True))
    event = r.next_event()
    assert isinstance(event, AskOverTcp)
    r.handle_timeout(5.0)
    assert not r.wants_tcp(event.number)
    r.receive_tcp(event.number, b"late", 5.1)
    assert [query.server for query in r.datagrams_to_send(5.1)] == [TWO]


@pytest.mark.parametrize(
    ("first", "patience", "found"), [("A", 0.05, "192.0.2.80"), ("AAAA", 0.5, "2001:db8::80")]
)
def test_the_slower_family_is_given_up_after_its_grace(first: str, patience: float, found: str) -> None:
    r = resolver()
    r.resolve("www.test", 0, 0.0)
    six, four = r.datagrams_to_send(0.0)
    quick, late = (four, six) if first == "A" else (six, four)
    answer = DnsServer(ZONE).answer(quick.data)
    assert answer
    r.receive_datagram(answer, (ONE, 53), quick.number, 1.0)
    assert (r.next_event(), r.next_timeout()) == (None, 1.0 + patience)
    r.handle_timeout(1.0 + patience)
    assert r.next_event() == addresses(found)
    r.receive_datagram(answer, (ONE, 53), late.number, 1.6)
    assert r.next_event() is None


def test_servers_have_ports_and_an_answer_must_come_from_the_one_asked() -> None:
    r = resolver(servers=(ONE, ONE), ports=(5301, 5302), attempts=1)
    r.resolve("www.test", 4, 0.0)
    (query,) = r.datagrams_to_send(0.0)
    answer = DnsServer(ZONE).answer(query.data)
    assert answer and (query.server, query.port) == (ONE, 5301)
    r.receive_datagram(answer, (ONE, 53), query.number, 0.1)
    r.receive_error(query.number, ONE, 0.1, 5302)  # about another one
    assert (r.next_event(), r.datagrams_to_send(0.1)) == (None, [])
    r.receive_error(query.number, ONE, 0.1, 5301)
    assert [each.port for each in r.datagrams_to_send(0.1)] == [5302]
    r.receive_datagram(answer, (ONE, 5302), query.number, 0.2)
    assert r.next_event() == addresses("192.0.2.80")


def test_rotation_begins_with_another_server() -> None:
    for first, server in ((0, ONE), (1, TWO), (2, ONE)):
        r = resolver(first=first)
        r.resolve("www.test", 4, 0.0)
        assert [query.server for query in r.datagrams_to_send(0.0)] == [server]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("short", ["short.corp.test", "short.lab.test", "short"]),
        ("a.b", ["a.b", "a.b.corp.test", "a.b.lab.test"]),
        ("absolute.", ["absolute"]),
    ],
)
def test_the_search_list_is_tried_in_the_order_of_ndots(name: str, asked: list[str]) -> None:
    server = DnsServer({})
    event = ask(name, 4, server, search=("corp.test", "lab.test"))
    assert isinstance(failure(event), NameNotFoundError)
    assert [each for each, _ in server.asked] == asked


def test_the_first_name_of_the_search_list_that_has_addresses_ends_it() -> None:
    server = DnsServer(ZONE)
    assert ask("short", 0, server, search=("lab.test", "corp.test", "more.test")) == addresses("192.0.2.7")
    assert {each for each, _ in server.asked} == {"short.lab.test", "short.corp.test"}


def test_answers_are_cached_as_long_as_they_hold() -> None:
    cache, server = Cache(), DnsServer(ZONE)
    for now, questions in [(0.0, 2), (119.0, 2), (120.0, 4)]:
        r = resolver(cache)
        r.resolve("alias.test", 0, now)
        exchange(r, server, now)
        assert r.next_event() == addresses("2001:db8::80", "192.0.2.80")
        assert len(server.asked) == questions


@pytest.mark.parametrize(("negative_ttl", "held"), [(60, 60), (100_000, 300), (0, 0)])
def test_that_there_is_none_is_cached_too(negative_ttl: int, held: int) -> None:
    cache, server = Cache(), DnsServer({}, negative_ttl=negative_ttl)

    def count(now: float) -> int:
        r = resolver(cache)
        r.resolve("none.test", 4, now)
        exchange(r, server, now)
        assert isinstance(failure(r.next_event()), NameNotFoundError)
        return len(server.asked)

    assert count(0.0) == 1
    assert count(held - 0.5 if held else 0.0) == (1 if held else 2)
    assert count(held + 0.5) == (2 if held else 3)


def test_the_cache_is_bounded() -> None:
    cache = Cache()
    for number in range(3000):
        cache.keep(f"n{number}", wire.A, wire.Answer((ONE,), 60), 0.0)
    assert cache.size == 1024
    assert cache.find("n2999", wire.A, 1.0) == (ONE,)
    assert cache.find("n0", wire.A, 1.0) is None


def test_a_ttl_with_the_highest_bit_set_is_none() -> None:
    question = wire.build_question("a.test", wire.A)
    record = bytes.fromhex("c00c 0001 0001 80000000 0004 c0000201")
    data = bytes.fromhex("1234 8180 0001 0001 0000 0000") + question + record
    assert wire.parse_answer(data, "a.test", wire.A) == wire.Answer((ONE,), 0)
