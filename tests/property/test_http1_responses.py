"""Whatever a server sends, and however it is cut: a response or a FetchError, and always the same one."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pycurl_redox import errors
from pycurl_redox.http1 import HttpConnection
from pycurl_redox.message import Observer, Policy, Request
from tcpip.wire.address import IpAddress
from tests.fakes.memory_network import MemoryNetwork, MemoryStream

GET = Request(b"GET", b"/", [(b"Host", b"a.test")])

REPLIES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.0 200\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    b"no http at all",
]


def outcome(chunks: list[bytes], raw: bool = False) -> tuple[object, ...]:
    network = MemoryNetwork()
    stream = MemoryStream(network, [c for c in chunks if c], (IpAddress.parse("192.0.2.1"), 80))
    connection = HttpConnection(stream, Observer())

    async def play() -> tuple[object, ...]:
        response = await connection.exchange(GET, Policy(raw=raw), None, network.now, network.spawn)
        body = b""
        while len(chunk := await response.read(None)):
            body += chunk
        return response.head, body, connection.is_reusable

    try:
        return network.run(play())
    except errors.FetchError as error:
        return error.exit_code, str(error)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(st.sampled_from(REPLIES), st.lists(st.integers(0, 1000), max_size=8), st.booleans())
@settings(max_examples=150, deadline=None)
def test_how_a_reply_is_cut_makes_no_difference(reply: bytes, places: list[int], raw: bool) -> None:
    assert outcome(cut(reply, places), raw) == outcome([reply], raw)


@given(
    st.sampled_from(REPLIES),
    st.integers(0, 60),
    st.binary(max_size=6),
    st.lists(st.integers(0, 99), max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_any_change_gives_a_response_or_a_named_error(
    reply: bytes, at: int, junk: bytes, places: list[int]
) -> None:
    changed = reply[:at] + junk + reply[at + len(junk) :]
    # What is behind the end (a shorter length, say) counts against the connection only where it has come.
    assert outcome(cut(changed, places))[:2] == outcome([changed])[:2]


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_octets_after_a_status_line_give_a_response_or_a_named_error(junk: bytes) -> None:
    assert outcome([b"HTTP/1.1 200 OK\r\n" + junk])
