"""Any octets from a server give a result or a counted drop, soon."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpip.dns import Cache, Failed, Resolved, Resolver, ResolverConfig
from tcpip.errors import MalformedPacketError
from tcpip.hosts import parse_hosts, parse_resolv_conf
from tcpip.wire import dns as wire
from tcpip.wire.address import IpAddress
from tests.fakes.dns_server import DnsServer

SERVER = IpAddress.parse("192.0.2.1")
QUESTION = wire.build_question("alias.test", wire.A)
ANSWER = DnsServer({"alias.test": ["=www.test"], "www.test": ["192.0.2.80", "192.0.2.81"]}).answer(
    wire.build_query(0, QUESTION)
)
assert ANSWER is not None


def judge(data: bytes, over_tcp: bool = False) -> None:
    config = ResolverConfig(servers=(SERVER,), attempts=1)
    resolver = Resolver(config, Cache(), bytes)
    resolver.resolve("alias.test", 4, 0.0)
    (query,) = resolver.datagrams_to_send(0.0)
    if over_tcp:
        resolver.receive_datagram(ANSWER_CUT, (SERVER, 53), query.number, 0.0)
        resolver.next_event()
        resolver.receive_tcp(query.number, data, 0.0)
    else:
        resolver.receive_datagram(data, (SERVER, 53), query.number, 0.0)
    event = resolver.next_event()
    assert event is not None or resolver.drops or resolver.next_timeout() is not None
    resolver.handle_timeout(5.0)
    resolver.handle_timeout(10.0)
    last = event or resolver.next_event()
    assert last is None or not isinstance(last, Failed) or str(last.error)


ANSWER_CUT = ANSWER[:2] + bytes([ANSWER[2] | 2]) + ANSWER[3:]


@given(st.binary(max_size=100), st.booleans())
def test_any_octets(octets: bytes, over_tcp: bool) -> None:
    judge(octets, over_tcp)
    judge(ANSWER[:12] + octets, over_tcp)
    judge(ANSWER[: 12 + len(QUESTION)] + octets, over_tcp)


@settings(max_examples=400)
@given(st.data())
def test_answers_with_octets_changed(data: st.DataObject) -> None:
    changed = bytearray(ANSWER)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(2, len(ANSWER) - 1))] = data.draw(st.integers(0, 255))
    judge(bytes(changed))
    judge(len(changed).to_bytes(2, "big") + bytes(changed), over_tcp=True)


@given(st.lists(st.integers(1, 50), max_size=20))
def test_how_a_tcp_answer_was_cut_makes_no_difference(cuts: list[int]) -> None:
    resolver = Resolver(ResolverConfig(servers=(SERVER,)), Cache(), bytes)
    resolver.resolve("alias.test", 4, 0.0)
    (query,) = resolver.datagrams_to_send(0.0)
    resolver.receive_datagram(ANSWER_CUT, (SERVER, 53), query.number, 0.0)
    resolver.next_event()
    stream, at = len(ANSWER).to_bytes(2, "big") + ANSWER, 0
    for cut in [*cuts, len(stream)]:
        if piece := stream[at : at + cut]:
            resolver.receive_tcp(query.number, piece, 0.0)
        at += cut
    assert isinstance(resolver.next_event(), Resolved)


@given(st.text(max_size=200))
def test_any_text_is_a_hosts_file_and_a_resolv_conf(text: str) -> None:
    parse_hosts(text)
    parse_hosts("192.0.2.1 " + text)
    parse_resolv_conf(text)
    parse_resolv_conf("options " + text)


def message(count: int, body: bytes) -> bytes:
    return (struct.pack("!6H", 0, 0x8180, 1, count, 0, 0) + QUESTION + body)[:65_535]


def record(name: bytes, kind: int, rdata: bytes) -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 60, len(rdata)) + rdata


END = 12 + len(QUESTION)
LONG = b"".join(b"\x3f" + b"a" * 63 for _ in range(250)) + b"\0"
CHAIN = b"\1a\xc0\x0c" + b"".join(b"\1a" + struct.pack("!H", 0xC000 | END + 11 + 4 * n) for n in range(3999))
LAST_OF_CHAIN = struct.pack("!H", 0xC000 | END + 11 + 4 * 3999)
HOSTILE = {
    "pointer to itself": message(1, record(struct.pack("!H", 0xC000 | END), 1, bytes(4))),
    "pointer forward": message(1, record(b"\xff\xff", 1, bytes(4))),
    "two pointers at each other": message(1, struct.pack("!HH", 0xC000 | END + 2, 0xC000 | END)),
    "deep chain of pointers": message(2, record(b"\0", 99, CHAIN) + record(LAST_OF_CHAIN, 1, bytes(4))),
    "many records": message(4000, record(b"\xc0\x0c", 1, bytes(4)) * 4000),
    "long names in 125 records": message(
        126, record(b"\0", 99, LONG) + record(struct.pack("!H", 0xC000 | END + 11), 1, bytes(4)) * 125
    ),
    "counts without records": struct.pack("!6H", 0, 0x8180, 1, 0xFFFF, 0xFFFF, 0xFFFF) + QUESTION,
}


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_answers_are_read_or_dropped_soon(label: str) -> None:
    begin = time.process_time()
    try:
        wire.parse_answer(HOSTILE[label], "alias.test", wire.A)
    except MalformedPacketError as error:
        assert str(error).startswith("DNS: ")
    assert time.process_time() - begin < 1
    judge(HOSTILE[label])
