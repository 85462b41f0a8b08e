"""Transfers from URL to response, over scripted connections."""

from __future__ import annotations

import re

import pytest

from pycurl_redox import errors
from pycurl_redox.config import AUTH_ANY, AUTH_DIGEST, OperationConfig
from pycurl_redox.cookies import CookieJar
from pycurl_redox.fetcher import Fetcher
from pycurl_redox.message import Observer
from pycurl_redox.pool import Pool
from pycurl_redox.routing import Routing
from pycurl_redox.tls_settings import TlsSettings
from pycurl_redox.transfer import Transfer
from pycurl_redox.upload import BytesBody
from pycurl_redox.url import parse_url
from tcpip.errors import AddressError
from tcpip.wire.address import IpAddress
from tests.fakes.memory_network import RESET, SILENCE, MemoryNetwork, Script


def reply(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Play:
    """A fetcher on scripts; `fetch` gives status and body."""

    def __init__(self, *scripts: Script | None, **settings: object) -> None:
        self.network = MemoryNetwork(*scripts)
        self.config = OperationConfig()
        self.environment = settings.pop("environment", {})
        for name, value in settings.items():
            setattr(self.config, name, value)
        routing = Routing(self.config, self.environment, lambda text: None)  # type: ignore[arg-type]
        self.fetcher = Fetcher(self.network, Pool(), routing, lambda options: TlsSettings(options, {}))
        self.transfer: Transfer | None = None

    def fetch(
        self, url: str = "http://a.test/x", method: str = "GET", body: bytes | None = None, **more: object
    ) -> tuple[int, bytes]:
        self.transfer = transfer = Transfer(
            self.config, parse_url(url), method, body=BytesBody(body) if body is not None else None
        )
        for name, value in more.items():
            setattr(transfer, name, value)

        async def run() -> tuple[int, bytes]:
            incoming = await self.fetcher.fetch(transfer)
            out = b""
            while len(chunk := await incoming.read()):
                out += chunk
            return incoming.head.status, out

        return self.network.run(run())

    def exit_code(self, *args: str) -> int:
        with pytest.raises(errors.FetchError) as caught:
            self.fetch(*args)
        return caught.value.exit_code

    def lines(self, connection: int = 0) -> list[bytes]:
        """Request lines that a connection was sent."""
        sent = bytes(self.network.streams[connection].sent)
        return re.findall(rb"(?:GET|PUT|POST|HEAD|CONNECT) \S+ HTTP/1\.[01]", sent)


def test_two_urls_of_a_host_share_a_connection() -> None:
    play = Play([reply(body=b"one"), reply(body=b"two")])
    assert play.fetch() == (200, b"one")
    assert play.fetch("http://a.test/y") == (200, b"two")
    assert play.lines() == [b"GET /x HTTP/1.1", b"GET /y HTTP/1.1"]


def test_a_kept_connection_that_is_dead_is_replaced_once() -> None:
    play = Play([reply(body=b"one"), RESET], [reply(body=b"two")])
    play.fetch()
    assert play.fetch() == (200, b"two") and len(play.network.streams) == 2


def test_a_fresh_connection_that_breaks_is_an_error() -> None:
    assert Play([RESET]).exit_code() == 56
    assert Play([]).exit_code() == 52


def test_refused_unresolved_and_silent_hosts_have_their_codes() -> None:
    assert Play(None).exit_code() == 7
    assert Play().exit_code("http://nowhere.test/") == 6
    assert Play(["slow"], connect_timeout=2.0).exit_code() == 28
    play = Play([SILENCE], max_time=3.0)
    assert play.exit_code() == 28 and play.network.now() == 1003.0


@pytest.mark.parametrize(("host", "code"), [("name.test", 6), ("192.0.2.1", 7)])
def test_a_network_without_an_address_is_named_as_the_reason(host: str, code: int) -> None:
    async def fail(*_: object) -> list[IpAddress]:
        raise AddressError("IPv4: no address on user: DHCP did not answer")

    play = Play()
    play.network.resolve = play.network.connect = fail  # type: ignore[assignment]
    with pytest.raises(errors.FetchError, match=": IPv4: no address on user: DHCP did not answer") as caught:
        play.fetch(f"http://{host}/")
    assert caught.value.exit_code == code


def test_a_time_out_says_how_much_has_come() -> None:
    play = Play([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", SILENCE], max_time=1.0)
    with pytest.raises(errors.FetchError, match="after 1000 milliseconds with 3 out of 9 bytes"):
        play.fetch()


def test_redirects_are_followed_when_asked_for() -> None:
    moved = reply(302, b"body", "Location: /y")
    assert Play([moved]).fetch() == (302, b"body")
    play = Play([moved, reply(body=b"there")], location=True)
    assert play.fetch() == (200, b"there") and play.lines() == [b"GET /x HTTP/1.1", b"GET /y HTTP/1.1"]
    assert play.transfer is not None and play.transfer.result.redirects == 1


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"),
     (307, "POST", "POST"), (308, "PUT", "PUT"), (301, "PUT", "PUT"),
     (302, "HEAD", "HEAD"), (303, "HEAD", "HEAD")],
)  # fmt: skip
def test_a_redirect_changes_the_method_as_curl_does(status: int, method: str, becomes: str) -> None:
    play = Play([reply(status, b"", "Location: /y"), reply()], location=True, headers=["Expect:"])
    play.fetch("http://a.test/x", method, b"data" if method in ("POST", "PUT") else None)
    assert play.lines()[1] == f"{becomes} /y HTTP/1.1".encode()


def test_redirects_without_end_end_at_the_bound_of_all_heads_together() -> None:
    head = reply(302, b"", "Location: /x\r\nX: " + "x" * 1000)
    play = Play([head] * 400, location=True, max_redirs=-1)
    with pytest.raises(errors.ReceiveFailedError, match=r"Too large response headers: \d+ > 307200"):
        play.fetch()
    assert len(play.transfer.result.heads) == 307_200 // len(head)


def test_redirects_without_end_are_ended() -> None:
    play = Play([reply(302, b"", "Location: /x")] * 4, location=True, max_redirs=3)
    assert play.exit_code() == 47


def test_a_redirect_to_another_scheme_is_refused() -> None:
    assert Play([reply(302, b"", "Location: file:///etc/passwd")], location=True).exit_code() == 1


MINE = "Authorization: mine"


def test_a_login_stays_with_its_host() -> None:
    moved = reply(302, b"", "Location: http://b.test/")
    play = Play([moved], [reply()], location=True, user="u:p", cookies=["a=b"], headers=[MINE])
    play.fetch()
    play.config.headers.clear()
    assert b"Authorization: mine" in play.network.streams[0].sent and b"a=b" in play.network.streams[0].sent
    other = play.network.streams[1].sent
    assert b"Authorization" not in other
    assert (
        b"Cookie: a=b" in other
    )  # what -b types goes along, as in curl; the jar knows whose its cookies are


DIGEST = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'


def test_digest_answers_a_challenge_and_keeps_the_body_back_until_then() -> None:
    play = Play([reply(401, b"no", DIGEST), reply(body=b"ok")], user="u:p", auth=AUTH_DIGEST)
    assert play.fetch("http://a.test/x", "POST", b"data") == (200, b"ok")
    first, second = bytes(play.network.streams[0].sent).split(b"POST ")[1:]
    assert b"Content-Length: 0" in first and b'Authorization: Digest username="u"' in second
    assert second.endswith(b"data")


def test_anyauth_picks_digest_of_two() -> None:
    challenge = reply(401, b"", "WWW-Authenticate: Basic realm=x", DIGEST)
    play = Play([challenge, reply()], user="u:p", auth=AUTH_ANY)
    play.fetch()
    assert bytes(play.network.streams[0].sent).count(b"Authorization: Digest") == 1


def test_a_wrong_password_ends_with_the_401() -> None:
    play = Play([reply(401, b"", "WWW-Authenticate: Basic realm=x")], user="u:p")
    assert play.fetch() == (401, b"")


def test_a_plain_proxy_gets_the_whole_url_and_serves_all_hosts() -> None:
    play = Play([reply(), reply()], proxy="http://me:pw@proxy.test:3128")
    play.fetch()
    play.fetch("http://b.test/z")
    assert play.network.dialled == [("192.0.2.9", 3128)]
    assert play.lines() == [b"GET http://a.test/x HTTP/1.1", b"GET http://b.test/z HTTP/1.1"]
    assert b"Proxy-Authorization: Basic bWU6cHc=" in play.network.streams[0].sent


def test_a_tunnel_is_opened_and_then_the_host_is_asked() -> None:
    play = Play([b"HTTP/1.1 200 Yes\r\n\r\n", reply(body=b"in")], proxy="proxy.test", proxytunnel=True)
    assert play.fetch() == (200, b"in")
    assert play.lines() == [b"CONNECT a.test:80 HTTP/1.1", b"GET /x HTTP/1.1"]


def test_a_tunnel_that_is_refused_is_an_error() -> None:
    assert Play([reply(403)], proxy="proxy.test", proxytunnel=True).exit_code() == 56


def test_the_environment_names_a_proxy_and_its_exceptions() -> None:
    environment = {"http_proxy": "http://proxy.test:81", "no_proxy": "b.test"}
    play = Play([reply()], [reply()], environment=environment)
    play.fetch()
    play.fetch("http://b.test/")
    assert play.network.dialled == [("192.0.2.9", 81), ("192.0.2.2", 80)]


def test_resolve_and_connect_to_lead_elsewhere() -> None:
    play = Play([reply()], [reply()], resolve=["c.test:80:192.0.2.7"], connect_to=["a.test:80:b.test:8080"])
    play.fetch("http://c.test/")
    play.fetch()
    assert play.network.dialled == [("192.0.2.7", 80), ("192.0.2.2", 8080)]


def test_cookies_come_back_on_the_next_hop() -> None:
    play = Play([reply(302, b"", "Location: /y", "Set-Cookie: k=v"), reply()], location=True)
    play.fetch(cookies=CookieJar())
    assert b"Cookie: k=v" in play.network.streams[0].sent


def test_a_resume_needs_a_range_in_the_answer() -> None:
    assert Play([reply(206, b"rest", "Content-Range: bytes 5-8/9")]).fetch(resume_from=5) == (206, b"rest")
    with pytest.raises(errors.RangeError):
        Play([reply(200, b"everything")]).fetch(resume_from=5)


def test_gzip_is_undone_and_a_broken_one_is_an_error() -> None:
    import gzip

    packed = gzip.compress(b"hello" * 100, mtime=0)
    head = "Content-Encoding: gzip"
    assert Play([reply(200, packed, head)], compressed=True).fetch() == (200, b"hello" * 100)
    assert Play([reply(200, packed[:-9], head)], compressed=True).exit_code() in (56, 61)
    assert Play([reply(200, packed, head)]).fetch() == (200, packed)


def test_expect_is_tried_once_and_left_out_after_a_417() -> None:
    play = Play([reply(417)], [reply()])
    play.fetch("http://a.test/", "PUT", b"data")
    assert b"Expect" in play.network.streams[0].sent and b"Expect" not in play.network.streams[1].sent


def test_the_first_address_that_answers_is_taken() -> None:
    play = Play(None, [reply(body=b"ok")])
    play.network._names["a.test"] = ["192.0.2.1", "2001:db8::1"]
    assert play.fetch() == (200, b"ok")
    assert play.network.dialled == [("192.0.2.1", 80), ("2001:db8::1", 80)]


def test_a_silent_address_does_not_hold_up_the_next() -> None:
    play = Play(["slow"], [reply(body=b"ok")])
    play.network._names["a.test"] = ["2001:db8::1", "192.0.2.1"]
    assert play.fetch() == (200, b"ok") and play.network.now() == pytest.approx(1000.2)


def test_the_pool_is_bounded_and_drops_the_oldest() -> None:
    play = Play([reply(), reply()], [reply(), reply()])
    play.fetcher.pool._max_idle = 1
    play.fetch()
    play.fetch("http://b.test/")
    assert play.fetcher.pool.idle_count == 1 and play.network.streams[0].is_closed


def test_a_kept_connection_found_dead_is_told_of_before_the_next_one() -> None:
    class Notes(Observer):
        def __init__(self) -> None:
            self.texts: list[str] = []

        def note(self, text: str) -> None:
            self.texts.append(re.sub("0x[0-9a-f]+", "0xN", text))

    play, notes = Play([reply(body=b"one"), b""], [reply(body=b"two")]), Notes()
    play.fetch()
    play.network.streams[0].is_closed = True
    assert play.fetch(observer=notes) == (200, b"two")
    assert notes.texts[:3] == [
        "Found bundle for host: 0xN [serially]",
        "Connection 0 seems to be dead",
        "Closing connection 0",
    ]
