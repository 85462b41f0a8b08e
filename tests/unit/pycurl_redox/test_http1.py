"""One exchange on one connection."""

from __future__ import annotations

import pytest

from pycurl_redox import errors
from pycurl_redox.http1 import HttpConnection, Response
from pycurl_redox.message import Head, Observer, Policy, Request
from pycurl_redox.upload import BytesBody, IterableBody
from tcpip.scheduler import CancelledError
from tcpip.wire.address import IpAddress
from tests.fakes.memory_network import SILENCE, MemoryNetwork, MemoryStream

GET = Request(b"GET", b"/x", [(b"Host", b"a.test"), (b"User-Agent", b"t"), (b"Accept", b"*/*")])


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Witness(Observer):
    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.trailers: list[bytes] = []

    def head_in(self, head: Head) -> None:
        self.heads.append(head)

    def trailer_in(self, line: bytes) -> None:
        self.trailers.append(line)


class Play:
    """A connection with a script, driven to the end of a body."""

    def __init__(self, *script: bytes | None) -> None:
        self.network = MemoryNetwork()
        self.stream = MemoryStream(self.network, script, (IpAddress.parse("192.0.2.1"), 80))
        self.witness = Witness()
        self.connection = HttpConnection(self.stream, self.witness)

    def exchange(self, request: Request = GET, policy: Policy | None = None) -> Response:
        network = self.network
        return network.run(
            self.connection.exchange(request, policy or Policy(), None, network.now, network.spawn)
        )

    def body(self, response: Response) -> bytes:
        async def read() -> bytes:
            chunks = []
            while len(chunk := await response.read(None)):
                chunks.append(bytes(chunk))
            return b"".join(chunks)

        return self.network.run(read())


def test_headers_go_out_in_their_order_and_spelling() -> None:
    play = Play(b"HTTP/1.1 204 No Content\r\n\r\n")
    play.exchange()
    assert play.stream.sent == b"GET /x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\nAccept: */*\r\n\r\n"


@pytest.mark.parametrize(
    ("reply", "body", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", b"abc", True),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", b"", True),
        (CONTINUE * 1000 + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz", b"z", True),
        (b"HTTP/2 200\r\nContent-Length: 1\r\n\r\nz", b"z", True),
        (CONTINUE + b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz", b"z", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc", b"abc", False),
    ],
)  # fmt: skip
def test_a_body_ends_where_its_framing_says(reply: bytes, body: bytes, reusable: bool) -> None:
    play = Play(reply)
    response = play.exchange()
    assert play.body(response) == body
    assert play.connection.is_reusable is reusable


def test_the_head_is_kept_as_it_came() -> None:
    raw = b"HTTP/1.1 200  Fine \nx-ODD:  1\r\nContent-Length:0\r\n\n"
    assert Play(raw).exchange().head.raw == raw


@pytest.mark.parametrize(
    ("reply", "exit_code"),
    [
        (b"", 52),
        (b"HTTP", 52),
        (b"junk\r\n\r\n", 1),
        (b"HTTP/1.7 200 OK\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 8),
        (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", 8),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 8),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", 18),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", 18),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 56),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 110_000 + b"\r\n\r\n", 27),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 60_000 + b"\r\n", 56),
        (b"HTTP/1.1 103 Hints\r\n\r\n" * 20_000, 56),
    ],
)
def test_a_broken_reply_has_its_exit_code(reply: bytes, exit_code: int) -> None:
    play = Play(reply)
    with pytest.raises(errors.FetchError) as caught:
        play.body(play.exchange())
    assert caught.value.exit_code == exit_code


def test_lines_before_the_one_at_fault_are_shown() -> None:
    play = Play(b"HTTP/1.1 200 OK\r\nA: b\r\nbroken\r\nC: d\r\n\r\n")
    with pytest.raises(errors.WeirdReplyError):
        play.exchange()
    assert play.witness.heads[0].raw == b"HTTP/1.1 200 OK\r\nA: b\r\n"


def test_http09_is_a_body_alone_where_it_is_allowed() -> None:
    play = Play(b"hello", b" there")
    assert play.body(play.exchange(policy=Policy(http09_allowed=True))) == b"hello there"


def test_trailers_are_told_after_the_body() -> None:
    play = Play(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert play.body(play.exchange()) == b"a"
    assert play.witness.trailers == [b"X-Sum: 1\r\n"]


def test_raw_chunks_are_handed_on_with_their_framing_and_no_more() -> None:
    framed = b"3\r\nabc\r\n0\r\n\r\n"
    play = Play(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"HTTP/1.1 ")
    assert play.body(play.exchange(policy=Policy(raw=True))) == framed
    assert play.connection.received == b"HTTP/1.1 "


def upload(data: bytes = b"hello", *, chunked: bool = False, expects: bool = False) -> Request:
    framing = (b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"5")
    headers = [(b"Host", b"a.test"), framing]
    body = IterableBody([data]) if chunked else BytesBody(data)
    return Request(b"PUT", b"/", headers, body, is_chunked=chunked, expects_continue=expects)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_a_body_of_unknown_length_is_sent_in_chunks() -> None:
    play = Play(OK)
    play.exchange(upload(chunked=True))
    assert play.stream.sent.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


def test_the_body_waits_for_a_100() -> None:
    play = Play(b"HTTP/1.1 100 Continue\r\n\r\n", OK)
    play.exchange(upload(expects=True))
    assert play.stream.sent.endswith(b"hello") and play.network.now() == 1000.0


def test_the_body_goes_out_after_a_second_without_a_100() -> None:
    play = Play(SILENCE, OK)
    play.exchange(upload(expects=True))
    assert play.stream.sent.endswith(b"hello") and play.network.now() == 1001.0


def test_a_final_answer_instead_of_100_keeps_the_body_back() -> None:
    play = Play(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
    response = play.exchange(upload(expects=True))
    assert response.head.status == 417 and not play.stream.sent.endswith(b"hello")
    assert not play.connection.is_reusable  # the server still waits for the body


def test_a_request_that_h11_refuses_goes_out_beside_it() -> None:
    play = Play(OK)
    play.exchange(Request(b"GET", b"/a b\xff", [(b"Host", b"a.test"), (b"X", b"")], http_version=b"1.0"))
    assert play.stream.sent == b"GET /a b\xff HTTP/1.0\r\nHost: a.test\r\nX:\r\n\r\n"


@pytest.mark.parametrize("value", [b"a\r\nEvil: 1", b"a\nb", b"a\0"])
def test_no_value_can_end_its_line(value: bytes) -> None:
    play = Play(OK)
    with pytest.raises(errors.UsageError):
        play.exchange(Request(b"GET", b"/", [(b"Host", b"a.test"), (b"X", value)]))
    assert play.stream.sent == b""


@pytest.mark.parametrize("error", [CancelledError, KeyboardInterrupt])
def test_what_has_come_of_a_head_is_shown_when_the_wait_for_more_is_cut_off(
    error: type[BaseException],
) -> None:
    play = Play(b"HTTP/1.1 200 OK\r\nX: 1\r\nY")

    async def read(deadline: float | None) -> bytes:
        if play.connection.received:
            raise error
        return await MemoryStream.read(play.stream, deadline)

    play.stream.read = read  # type: ignore[method-assign]
    with pytest.raises(error):
        play.exchange()
    assert [head.raw for head in play.witness.heads] == [b"HTTP/1.1 200 OK\r\nX: 1\r\n"]
