"""Transfers through proxies, over scripted connections."""

from __future__ import annotations

import pytest

from pycurl_redox import errors
from tests.fakes.memory_network import RESET, SILENCE, MemoryNetwork
from tests.unit.pycurl_redox.test_fetch import Play, reply

DIGEST = 'Proxy-Authenticate: Digest realm="r", nonce="n"'


def test_a_proxy_that_closes_behind_its_challenge_is_dialled_again_under_the_same_number() -> None:
    refusal = reply(407, b"", DIGEST, "Connection: close")
    play = Play([refusal], [reply(), reply(body=b"in")], proxy="u:p@proxy.test", proxytunnel=True)
    play.config.proxy_digest = True
    assert play.fetch() == (200, b"in")
    first, second = play.network.streams
    assert first.is_closed and b"Digest" not in first.sent
    assert b'Proxy-Authorization: Digest username="u"' in second.sent


def test_a_challenge_without_a_length_is_not_waited_for() -> None:
    endless = b"HTTP/1.1 407 No\r\n" + DIGEST.encode() + b"\r\n\r\n"
    play = Play([endless, SILENCE], [reply(), reply()], proxy="u:p@proxy.test", proxytunnel=True)
    play.config.proxy_digest = True
    assert play.fetch() == (200, b"") and play.network.now() == 1000.0


def test_a_second_connection_that_fails_is_the_one_that_is_given_up() -> None:
    refusal = reply(407, b"", DIGEST, "Connection: close")
    play = Play([refusal], [reply(403)], proxy="u:p@proxy.test", proxytunnel=True, proxy_digest=True)
    assert play.exit_code() == 56
    assert all(stream.is_closed for stream in play.network.streams)


def test_challenges_without_end_are_refused_in_the_end() -> None:
    stale = reply(407, b"", DIGEST + ", stale=true")
    play = Play([stale] * 30, proxy="u:p@proxy.test", proxytunnel=True, proxy_digest=True)
    assert play.exit_code() == 56 and len(play.lines()) <= 10


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"garbage\r\n\r\n", "CONNECT tunnel failed, response 0"),
        (b"HTTP/1.1 101 Sw\r\n\r\n", "CONNECT tunnel failed, response 101"),
        (b"HTTP/1.1 200 Yes\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", "CONNECT response too large"),
        (b"HTTP/1.1 200 Yes\r\nX: " + b"y" * 120_000 + b"\r\n\r\n", "CONNECT response too large"),
        (b"HTTP/1.1 200", "Proxy CONNECT aborted"),
        (b"", "Proxy CONNECT aborted"),
    ],
)
def test_an_answer_to_connect_that_is_none_has_curls_words(said: bytes, message: str) -> None:
    play = Play([said], proxy="proxy.test", proxytunnel=True)
    with pytest.raises(errors.ReceiveFailedError, match=message):
        play.fetch()


def test_a_silent_proxy_is_told_apart_by_which_limit_has_passed() -> None:
    tunnel = {"proxy": "proxy.test", "proxytunnel": True}
    with pytest.raises(errors.OperationTimedOutError, match="Proxy CONNECT aborted due to timeout"):
        Play([SILENCE], connect_timeout=2.0, **tunnel).fetch()
    with pytest.raises(errors.OperationTimedOutError, match="Connection timed out after 2000 milliseconds"):
        Play([SILENCE], max_time=2.0, **tunnel).fetch()
    with pytest.raises(errors.OperationTimedOutError, match="Connection timed out after 2000 milliseconds"):
        Play([SILENCE], connect_timeout=2.0, proxy="socks5://proxy.test").fetch()


def test_the_http_version_of_connect_is_the_proxys_own() -> None:
    play = Play([b"HTTP/1.0 200 Yes\r\n\r\n", reply()], proxy="proxy.test", proxytunnel=True)
    play.fetch()
    assert play.lines() == [b"CONNECT a.test:80 HTTP/1.1", b"GET /x HTTP/1.1"]


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_what_a_proxy_says_in_clear_is_never_taken_for_the_servers_word_under_tls(kind: str) -> None:
    forged = reply(body=b"forged")
    opening = [b"\5\0", b"\5\0\0\1" + bytes(6) + forged] if kind == "socks5h" else [reply() + forged]
    play = Play([*opening, SILENCE], proxy=f"{kind}://proxy.test", insecure=True)
    with pytest.raises(errors.TlsFailedError):
        play.fetch("https://a.test/x")
    assert b"GET" not in play.network.streams[0].sent


def test_socks_comes_first_and_then_the_request_as_without_a_proxy() -> None:
    granted = [b"\5\0", b"\5\0\0\1" + bytes(6)]
    play = Play([*granted, reply(), reply()], [*granted, reply()], proxy="socks5h://proxy.test")
    play.fetch()
    play.fetch()
    play.fetch("http://b.test/x")
    first, second = (bytes(stream.sent) for stream in play.network.streams)
    assert play.network.dialled == [("192.0.2.9", 1080)] * 2
    assert first.startswith(b"\5\1\0" + b"\5\1\0\3\6a.test\0\x50" + b"GET /x HTTP/1.1\r\nHost: a.test\r\n")
    assert second.startswith(b"\5\1\0" + b"\5\1\0\3\6b.test\0\x50" + b"GET /x HTTP/1.1\r\n")
    assert b"Proxy-Connection" not in first


def test_a_response_that_comes_with_the_reply_of_socks_is_the_response() -> None:
    play = Play([b"\5\0", b"\5\0\0\1" + bytes(6) + reply(body=b"in")], proxy="socks5h://proxy.test")
    assert play.fetch() == (200, b"in")


def test_a_name_is_looked_up_here_for_socks4_and_socks5() -> None:
    play = Play([b"\0\x5a" + bytes(6), reply()], proxy="socks4://proxy.test")
    play.fetch()
    assert bytes(play.network.streams[0].sent).startswith(b"\4\1\0\x50\xc0\0\2\1\0GET")
    with pytest.raises(errors.ProxyHandshakeError, match=r"Could not resolve host: c\.test"):
        Play([b"\5\0"], proxy="socks5://proxy.test").fetch("http://c.test/")


def test_socks5_is_asked_for_the_ipv4_address_of_a_name_with_both() -> None:
    play = Play(proxy="socks5://192.0.2.9")
    play.network = play.fetcher.network = MemoryNetwork(
        [b"\5\0", b"\5\0\0\1" + bytes(6), reply()], names={"a.test": ["2001:db8::1", "192.0.2.1"]}
    )
    play.fetch()
    assert b"\5\1\0\1\xc0\0\2\1" in play.network.streams[0].sent


def test_socks4_has_no_ipv6() -> None:
    with pytest.raises(errors.ProxyHandshakeError, match="SOCKS4 connection to 2001:db8::1 not supported"):
        Play([], proxy="socks4://proxy.test").fetch("http://[2001:db8::1]/")


def test_a_name_of_more_than_255_octets_is_not_sent_to_socks5() -> None:
    play = Play([b"\5\0"], proxy="socks5h://proxy.test")
    with pytest.raises(errors.ProxyHandshakeError, match="hostname is too long to be resolved remotely"):
        play.fetch(f"http://{'a' * 256}/")
    assert not play.network.streams[0].sent


@pytest.mark.parametrize("answers", [[], [b"\5\0", RESET], [b"\5\0", b"\5\5\0\1"]])
def test_a_socks_proxy_that_fails_is_error_97(answers: list[bytes | str]) -> None:
    play = Play(answers, proxy="socks5h://proxy.test")
    assert play.exit_code() == 97 and play.network.streams[0].is_closed


def test_socks_leads_to_the_http_proxy_that_follows_it() -> None:
    granted = [b"\5\0", b"\5\0\0\1" + bytes(6)]
    play = Play([*granted, reply()], proxy="h.test:3128", preproxy="socks5h://proxy.test")
    play.fetch()
    sent = bytes(play.network.streams[0].sent)
    assert sent.startswith(b"\5\1\0" + b"\5\1\0\3\6h.test\x0c\x38" + b"GET http://a.test/x HTTP/1.1")


def test_the_proxy_line_comes_before_the_request_once_a_connection_and_behind_connect() -> None:
    line = b"PROXY TCP4 192.0.2.100 192.0.2.1 50000 80\r\n"
    play = Play([reply(), reply()], haproxy_protocol=True)
    play.fetch()
    play.fetch()
    sent = bytes(play.network.streams[0].sent)
    assert sent.startswith(line + b"GET") and sent.count(b"PROXY") == 1
    play = Play([reply(), reply()], haproxy_clientip="192.0.2.55", proxy="proxy.test", proxytunnel=True)
    play.fetch()
    line = b"PROXY TCP4 192.0.2.55 192.0.2.9 50000 1080\r\n"
    assert b"\r\n\r\n" + line + b"GET /x" in play.network.streams[0].sent
