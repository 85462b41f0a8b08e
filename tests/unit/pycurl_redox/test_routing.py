"""Which proxies a URL takes, and which connections may be shared."""

from __future__ import annotations

import pytest

from pycurl_redox import errors
from pycurl_redox.config import OperationConfig
from pycurl_redox.message import Observer
from pycurl_redox.pool import Proxy, Route
from pycurl_redox.routing import Routing, parse_proxy
from pycurl_redox.transfer import Transfer
from pycurl_redox.url import parse_url


class Notes(Observer):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def route(
    url: str = "http://a.test/", environment: dict[str, str] | None = None, **settings: object
) -> Route:
    return noted(url, environment, **settings)[0]


def noted(url: str, environment: dict[str, str] | None = None, **settings: object) -> tuple[Route, list[str]]:
    config = OperationConfig()
    for name, value in settings.items():
        assert hasattr(config, name)
        setattr(config, name, value)
    observer = Notes()
    routing = Routing(config, environment or {}, lambda text: None)
    return routing.route(Transfer(config, parse_url(url), "GET", observer=observer)), observer.texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p.test", Proxy("p.test", 1080)),
        ("http://p.test:3128/path", Proxy("p.test", 3128)),
        ("HTTPS://p.test", Proxy("p.test", 443, kind="https")),
        ("https://p.test:8443", Proxy("p.test", 8443, kind="https")),
        ("socks://p.test", Proxy("p.test", 1080, kind="socks4")),
        ("socks4a://me@p.test", Proxy("p.test", 1080, b"me", b"", "socks4a")),
        ("socks5h://me:p%3aw@[::1]:99", Proxy("::1", 99, b"me", b"p:w", "socks5h")),
        ("socks5://[fe80::1%25eth0]", Proxy("fe80::1%eth0", 1080, kind="socks5")),
        ("127.1:80", Proxy("127.0.0.1", 80)),
        ("http:///p.test", Proxy("p.test", 1080)),
    ],
)
def test_a_proxy_is_read_as_curl_reads_it(text: str, expected: Proxy) -> None:
    assert parse_proxy(text) == expected


def test_the_option_s_kind_holds_unless_the_scheme_says_another() -> None:
    assert parse_proxy("p.test", "socks5").kind == "socks5"
    assert parse_proxy("http://p.test", "socks5").kind == "socks5"
    assert parse_proxy("socks4://p.test", "socks5").kind == "socks4"
    assert parse_proxy("p.test", "http1.0").is_http10
    assert not parse_proxy("https://p.test", "http1.0").is_http10


@pytest.mark.parametrize(
    ("text", "code"),
    [("http://[::1", 5), ("http://p:70000", 5), ("http://:80", 5), ("a{b", 5), ("p:x", 5), ("//p", 5),
     ("me%00x@p", 5), ("ftp://p", 7), ("socks6://p", 7)],
)  # fmt: skip
def test_a_proxy_that_cannot_be_read_has_its_code(text: str, code: int) -> None:
    with pytest.raises(errors.FetchError, match="Unsupported proxy") as caught:
        parse_proxy(text)
    assert caught.value.exit_code == code


def test_a_socks_proxy_leads_to_one_host_and_an_http_proxy_everywhere() -> None:
    through = [route(f"http://{host}.test/", proxy="socks5h://p.test") for host in ("a", "b")]
    assert through[0] != through[1] and through[0].proxy is None and through[0].dial_host == "a.test"
    assert not through[0].sends_absolute_targets
    assert route("http://a.test/", proxy="p.test") == route("http://b.test/", proxy="p.test")


def test_connections_are_shared_only_where_kind_user_and_way_are_the_same() -> None:
    ways = [
        route(),
        route(proxy="p.test"),
        route(proxy="p.test:81"),
        route(proxy="me:pw@p.test"),
        route(proxy="me:other@p.test"),
        route(proxy="p.test", proxytunnel=True),
        route(proxy="https://p.test:1080"),
        route(proxy="https://p.test:1080", proxy_insecure=True),
        route(proxy="p.test", proxy_kind="http1.0"),
        *(route(proxy=f"{kind}://p.test") for kind in ("socks4", "socks4a", "socks5", "socks5h")),
        route(proxy="socks5://me:pw@p.test"),
        route(proxy="p.test", preproxy="socks5://p.test"),
        route(haproxy_protocol=True),
        route(haproxy_clientip="192.0.2.1"),
    ]
    assert len(set(ways)) == len(ways)


def test_a_preproxy_comes_before_an_http_proxy_and_instead_of_a_socks_proxy() -> None:
    both = route(proxy="p.test", preproxy="socks5://s.test")
    assert both.proxy == Proxy("p.test", 1080) and both.socks == Proxy("s.test", 1080, kind="socks5")
    assert both.first_proxy is both.socks
    instead = route(proxy="socks4://p.test", preproxy="socks5://s.test")
    assert instead.proxy is None and instead.socks == Proxy("s.test", 1080, kind="socks5")
    assert route(proxy="p.test", preproxy="q.test").first_proxy == Proxy("q.test", 1080)


def test_the_login_of_u_is_for_the_http_proxy_and_else_for_the_socks_proxy() -> None:
    both = route(proxy="p.test", preproxy="socks5://s.test", proxy_user="m%65:p%3aw")
    assert both.proxy is not None and (both.proxy.user, both.proxy.password) == (b"me", b"p:w")
    assert both.socks is not None and both.socks.user is None
    alone = route(preproxy="socks5://s.test", proxy_user="me:pw").socks
    assert alone is not None and (alone.user, alone.password) == (b"me", b"pw")
    own = route(proxy="socks5://x:y@s.test", proxy_user="me:pw").socks
    assert own is not None and own.user == b"x"


def test_noproxy_turns_both_off_and_an_empty_proxy_the_environment() -> None:
    assert route(proxy="p.test", preproxy="socks5://s.test", noproxy="a.test").first_proxy is None
    environment = {"http_proxy": "p.test"}
    assert route(environment=environment).proxy == Proxy("p.test", 1080)
    assert route(environment=environment, proxy="").first_proxy is None
    assert route(environment=environment, preproxy="socks5://s.test").proxy is None
    assert route(environment={"all_proxy": "socks5://s.test"}).socks == Proxy("s.test", 1080, kind="socks5")


def test_alpn_is_for_the_proxy_of_an_https_url_only() -> None:
    secret, plain = (route(f"{scheme}://a.test/", proxy="https://p.test") for scheme in ("https", "http"))
    assert secret.proxy_tls is not None and not secret.proxy_tls.no_alpn and secret.tls is not None
    assert plain.proxy_tls is not None and plain.proxy_tls.no_alpn and plain.tls is None


def test_what_the_environment_and_connect_to_change_is_said_each_time() -> None:
    environment = {"http_proxy": "p.test", "no_proxy": "b.test"}
    assert noted("http://a.test/", environment)[1] == [
        "Uses proxy env variable no_proxy == 'b.test'",
        "Uses proxy env variable http_proxy == 'p.test'",
    ]
    assert noted("http://a.test/", connect_to=["::c.test:81"])[1] == [
        "Connecting to hostname: c.test",
        "Connecting to port: 81",
    ]
