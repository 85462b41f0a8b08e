"""Proxies of every kind: ours and curl 7.88.1 print, say and return the same."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from benchmarks.servers import Servers
from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.commands import REDOX_CURL, Done, curl, redox_curl, run, side_by_side
from tests.fakes.http_proxy import ESTABLISHED, HttpProxy, http_proxy
from tests.fakes.local_servers import needs_nginx, nginx
from tests.fakes.raw_server import Conversation, serving, silent
from tests.fakes.socks_server import SocksServer, socks_server

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    needs_nginx,
    needs_curl_7_88,
]

NAMES = {"origin.test": "127.0.0.1"}


def context(local: Servers, *protocols: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_cert_chain(local.root / "cert.pem", local.root / "key.pem")
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    """What stands in braces in the command lines below."""
    with ExitStack() as stack:
        local = stack.enter_context(nginx(page=b"hello\n"))
        open_proxies: dict[str, AbstractContextManager[int]] = {
            "SOCKS": socks_server(SocksServer(NAMES)),
            "SLOW": socks_server(SocksServer(NAMES, piecewise=True)),
            "LOGIN": socks_server(SocksServer(NAMES, login=(b"me", b"pw"))),
            "PROXY": http_proxy(HttpProxy(NAMES)),
            "HTTPS_PROXY": http_proxy(HttpProxy(NAMES), context(local, "http/1.1")),
            "NO_ALPN": http_proxy(HttpProxy(NAMES), context(local)),
        }
        found = {name: str(stack.enter_context(each)) for name, each in open_proxies.items()}
        http, https = local.http.rpartition(":")[2], local.https.rpartition(":")[2]
        yield {
            **found,
            "CA": local.ca,
            "IP": f"http://127.0.0.1:{http}/page",
            "NAME": f"http://origin.test:{http}/page",
            "SECRET": f"https://localhost:{https}/page",
        }


def cleaned(done: Done) -> tuple[int, bytes, str]:
    """All there is, but for what differs by its nature: versions, addresses of memory, times, sizes."""
    err = done.err.replace("\r\n", "\n")
    for pattern, stand_in in (
        (r"\[\d+ bytes data\]", "[N bytes data]"),
        (r"curl/[\w.-]+", "curl/V"),
        (r"0x[0-9a-f]+", "0xA"),
        (r"\d+ (ms|milliseconds)", "N"),
        (r"(?s)(certificate\n)(More details here|The (server|proxy) at).*", r"\1"),
        (r"< Date: .*", "< Date"),
    ):
        err = re.sub(pattern, stand_in, err)
    return done.code, re.sub(rb"Date: .*|curl/[^ \r\n]+", b"", done.out), err


def same(*words: str) -> tuple[int, bytes, str]:
    ours, theirs = side_by_side("-4", "-vsS", *words)
    assert theirs is not None
    assert cleaned(ours) == cleaned(theirs)
    return cleaned(ours)


@pytest.mark.parametrize(
    "words",
    [
        "--socks4 127.0.0.1:{SOCKS} {IP}",
        "--socks4 me@127.0.0.1:{SLOW} {IP}",
        "--socks4a 127.0.0.1:{SOCKS} {NAME}",
        "--socks5 127.0.0.1:{SOCKS} {IP} {IP}",
        "--socks5-hostname 127.0.0.1:{SLOW} {NAME}",
        "--socks5-basic -x socks5h://me:pw@127.0.0.1:{LOGIN} {NAME}",
        "-x socks5h://m%65:pw@localhost:{LOGIN} {NAME}",
        "-U me:p%77 --socks5-hostname 127.0.0.1:{LOGIN} {NAME}",
        "-x socks5h://127.0.0.1:{SOCKS} --cacert {CA} {SECRET} {SECRET}",
        "-x socks5h://127.0.0.1:{SOCKS} {IP} {NAME}",
        "--preproxy socks5h://127.0.0.1:{SOCKS} -x 127.0.0.1:{PROXY} {NAME}",
        "--preproxy socks4a://127.0.0.1:{SOCKS} -x 127.0.0.1:{PROXY} --cacert {CA} {SECRET}",
        "--preproxy socks5://127.0.0.1:{SOCKS} -x https://127.0.0.1:{HTTPS_PROXY} --proxy-cacert {CA} {IP}",
        "--socks5 http://127.0.0.1:{SOCKS} {IP}",
        "-x 127.0.0.1:1 --socks5 127.0.0.1:{SOCKS} -p {IP}",
        "-x socks5://127.0.0.1:1 --preproxy socks4://127.0.0.1:{SOCKS} {IP}",
        "--resolve foo.test:80:127.0.0.1 --connect-to foo.test:80:origin.test:1 "
        "-x socks5h://127.0.0.1:{SOCKS} http://foo.test/",
        "-w %{{remote_port}}|%{{http_connect}}|%{{num_connects}} --socks5 127.0.0.1:{SOCKS} {IP}",
    ],
)
def test_a_socks_proxy_is_spoken_to_and_of_as_by_curl(places: dict[str, str], words: str) -> None:
    code, out, _ = same(*words.format_map(places).split())
    assert code == 97 if "foo.test" in words else (code, out[:6]) == (0, b"hello\n")


@pytest.mark.parametrize(
    "words",
    [
        "-x socks5h://me:bad@127.0.0.1:{LOGIN} {NAME}",
        "-x socks5h://127.0.0.1:{LOGIN} {NAME}",
        "-x socks5://127.0.0.1:{SOCKS} http://nowhere.invalid/",
        "-x socks4://127.0.0.1:{SOCKS} http://[::1]/",
        "-x socks5://127.0.0.1:{SOCKS} http://127.0.0.1:1/",
        "-x socks5h://127.0.0.1:{SOCKS} http://[::1]:1/",
        "-x socks4a://127.0.0.1:{SOCKS} http://127.0.0.1:1/",
        "-x socks5://127.0.0.1:1 {IP}",
        "-x socks5://nowhere.invalid {IP}",
        "-x socks6://127.0.0.1 {IP}",
        "-x //127.0.0.1 {IP}",
        f"-x socks5h://127.0.0.1:{{SOCKS}} http://{'a' * 256}/",
        f"-x socks4a://127.0.0.1:{{SOCKS}} http://{'a' * 255}/",
        f"-x socks5h://{'u' * 256}:p@127.0.0.1:{{LOGIN}} {{NAME}}",
        f"-x socks5h://u:{'p' * 256}@127.0.0.1:{{LOGIN}} {{NAME}}",
    ],
    ids=lambda words: words[:60],
)
def test_a_socks_proxy_fails_in_curls_words(places: dict[str, str], words: str) -> None:
    code, _, _ = same(*words.format_map(places).split())
    assert code in (5, 6, 7, 97)


def answering(*answers: bytes) -> Conversation:
    """Say the next answer whenever something has come, and close in order behind the last."""

    def converse(link: socket.socket) -> None:
        for answer in answers:
            if not link.recv(65_536):
                return
            link.sendall(answer)
        link.shutdown(socket.SHUT_WR)
        while link.recv(65_536):
            pass

    return converse


LIES = {
    "4: another version": ("socks4", answering(b"\1\x5a" + bytes(6))),
    "4: no identd": ("socks4", answering(b"\0\x5c\x12\x34\x7f\0\0\1")),
    "4: another user": ("socks4a", answering(b"\0\x5d\x12\x34\x7f\0\0\1")),
    "4: an unknown status": ("socks4", answering(b"\0\x63" + bytes(6))),
    "4: half a reply": ("socks4", answering(b"\0\x5a\0")),
    "5: another version": ("socks5", answering(b"\4\0")),
    "5: HTTP": ("socks5", answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "5: GSS-API": ("socks5", answering(b"\5\1")),
    "5: a method nobody knows": ("socks5", answering(b"\5\7")),
    "5: no method": ("socks5", answering(b"\5\xff")),
    "5: half a method": ("socks5", answering(b"\5")),
    "5: half a status": ("socks5", answering(b"\5\2", b"\1")),
    "5: a reply of another version": ("socks5", answering(b"\5\0", b"\4\0\0\1" + bytes(6))),
    "5: an address of no kind": ("socks5", answering(b"\5\0", b"\5\0\0\2" + bytes(6))),
    "5: half a reply": ("socks5", answering(b"\5\0", b"\5\0\0\1\0")),
    **{
        f"5: refusal {number}": ("socks5h", answering(b"\5\0", bytes([5, number, 0, 1]) + bytes(6)))
        for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 255)
    },
}


@pytest.mark.parametrize("name", LIES)
def test_what_a_socks_server_says_wrong_has_curls_words(name: str) -> None:
    kind, conversation = LIES[name]
    login = "me:pw@" if "status" in name and kind == "socks5" else ""
    with serving(conversation) as port:
        url = f"{kind}://{login}127.0.0.1:{port}"
        assert same("--socks5-basic", "-x", url, "http://127.0.0.1:1/")[0] == 97


@pytest.mark.parametrize(
    "words",
    [
        "-x https://localhost:{HTTPS_PROXY} --proxy-cacert {CA} {IP} {NAME}",
        "-x https://localhost:{HTTPS_PROXY} --proxy-cacert {CA} --cacert {CA} {SECRET} {SECRET}",
        "-x https://localhost:{HTTPS_PROXY} --proxy-insecure -k {SECRET}",
        "-x https://localhost:{NO_ALPN} --proxy-insecure -k {SECRET}",
        "-x https://localhost:{HTTPS_PROXY} --proxy-insecure --no-alpn -k {SECRET}",
        "-x https://127.0.0.1:{HTTPS_PROXY} --proxy-insecure -p {IP}",
        "-x https://me:pw@127.0.0.1:{HTTPS_PROXY} --proxy-insecure {IP}",
        "-x https://localhost:{HTTPS_PROXY} {IP}",
        "-x https://localhost:{HTTPS_PROXY} -k {IP}",
        "-x https://localhost:{HTTPS_PROXY} --cacert {CA} {IP}",
        "-x https://localhost:1 {IP}",
        "--proxy1.0 https://localhost:{HTTPS_PROXY} --proxy-insecure -p {IP}",
    ],
)
def test_an_https_proxy_is_spoken_to_and_of_as_by_curl(places: dict[str, str], words: str) -> None:
    code, out, _ = same(*words.format_map(places).split())
    good = "--proxy-insecure" in words or "--proxy-cacert" in words
    assert (code, out[:6]) == (0, b"hello\n") if good else code in (7, 60)


def test_a_refused_proxy_certificate_names_the_proxys_own_options(places: dict[str, str]) -> None:
    done = redox_curl("-4", "-sS", "-x", f"https://localhost:{places['HTTPS_PROXY']}", places["IP"])
    assert done.code == 60 and "The proxy at 'localhost' sent 1 certificate:" in done.err
    assert "\n--proxy-cacert FILE " in done.err and "\n--proxy-insecure " in done.err


def test_the_pinned_key_of_a_proxy_is_checked(places: dict[str, str]) -> None:
    """curl 7.88.1 lets a wrong one pass."""
    way = ["-4", "-sS", "-x", f"https://localhost:{places['HTTPS_PROXY']}", "--proxy-cacert", places["CA"]]
    pinned = "sha256//" + "A" * 43 + "="
    assert redox_curl(*way, "--proxy-pinnedpubkey", pinned, places["IP"]).code == 90
    assert redox_curl(*way, "--pinnedpubkey", pinned, places["IP"]).out == b"hello\n"


def test_a_server_refused_within_a_tunnel_of_tls_is_told_as_any_other(places: dict[str, str]) -> None:
    """curl 7.88.1 has lost OpenSSL's reason there, and says SSL_ERROR_SYSCALL (35)."""
    way = ["-4", "-sS", "-x", f"https://localhost:{places['HTTPS_PROXY']}", "--proxy-cacert", places["CA"]]
    done = redox_curl(*way, places["SECRET"])
    assert done.code == 60 and "The server at 'localhost' sent 1 certificate:" in done.err


BASIC = b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\n'
DIGEST = b'HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm="x", nonce="n", algorithm=MD5\r\n'
STALE = b'HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm="x", nonce="m", stale=true\r\n'


def refusing(*refusals: bytes) -> Callable[[], HttpProxy]:
    return lambda: HttpProxy(NAMES, refusals=list(refusals))


REFUSALS: dict[str, tuple[Callable[[], HttpProxy], str]] = {
    "Basic at once": (refusing(), "-U me:pw -p"),
    "Basic when asked": (refusing(BASIC + b"Content-Length: 3\r\n\r\nabc"), "-U me:pw -p --proxy-anyauth"),
    "Basic refused": (refusing(BASIC + b"Content-Length: 0\r\n\r\n"), "-U me:pw -p"),
    "nobody to be": (refusing(BASIC + b"Content-Length: 0\r\n\r\n"), "-p"),
    "Digest": (refusing(DIGEST + b"Content-Length: 0\r\n\r\n"), "-U me:pw -p --proxy-digest"),
    "Digest, then closed": (
        refusing(DIGEST + b"Connection: close\r\nContent-Length: 0\r\n\r\n"), "-U me:pw -p --proxy-digest",
    ),
    "Digest, chunked": (
        refusing(DIGEST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        "-U me:pw -p --proxy-digest",
    ),
    "stale": (
        refusing(DIGEST + b"Content-Length: 0\r\n\r\n", STALE + b"Content-Length: 0\r\n\r\n"),
        "-U me:pw -p --proxy-digest",
    ),
    "Digest without a tunnel": (
        refusing(DIGEST + b"Content-Length: 3\r\n\r\nabc"), "-U me:pw --proxy-digest",
    ),
    "forbidden": (refusing(b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nabc"), "-p -w %{http_connect}"),
    "a redirect": (refusing(b"HTTP/1.1 301 No\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), "-p -L"),
    "a length": (lambda: HttpProxy(NAMES, established=ESTABLISHED[:-2] + b"Content-Length: 5\r\n\r\n"), "-p"),
    "HTTP/1.0": (lambda: HttpProxy(NAMES, established=b"HTTP/1.0 200 Yes\r\n\r\n"), "-p"),
    "204": (lambda: HttpProxy(NAMES, established=b"HTTP/1.1 204 Yes\r\n\r\n"), "-p -i"),
    "101": (lambda: HttpProxy(NAMES, established=b"HTTP/1.1 101 Yes\r\n\r\n"), "-p"),
    "suppressed": (lambda: HttpProxy(NAMES), "-p -i --suppress-connect-headers"),
    "an empty user": (lambda: HttpProxy(NAMES), "-U : -p"),
    "percent-encoded": (lambda: HttpProxy(NAMES), "-U a%20b:c%25d -p"),
    "headers": (lambda: HttpProxy(NAMES), "-p --proxy-header User-Agent: -A x"),
    "of 1.0": (lambda: HttpProxy(NAMES), "-p --proxy-header Host:"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_an_http_proxys_answers_are_taken_as_by_curl(places: dict[str, str], name: str) -> None:
    make, words = REFUSALS[name]
    both: list[tuple[tuple[int, bytes, str], list[bytes]]] = []
    for command in (redox_curl, curl):
        proxy = make()
        with http_proxy(proxy) as port:
            done = command("-4", "-sS", "-i", *words.split(), "-x", f"127.0.0.1:{port}", places["NAME"])
        both.append((cleaned(done), [re.sub(rb"curl/\S+", b"curl/V", head) for head in proxy.heads]))
    assert both[0] == both[1] and both[0][1]


def test_a_silent_proxy_is_waited_for_as_long_as_by_curl() -> None:
    for limit in ("-m", "--connect-timeout"):
        for words in ("--socks5-hostname", "--socks4a", "-p -x"):
            with serving(silent) as port:
                assert same(limit, "0.5", *words.split(), f"127.0.0.1:{port}", "http://a.test/")[0] == 28


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"http_proxy": "127.0.0.1:{PROXY}"}, "{NAME}"),
        ({"HTTP_PROXY": "127.0.0.1:1"}, "{IP}"),
        ({"ALL_PROXY": "socks5h://127.0.0.1:{SOCKS}"}, "{NAME}"),
        ({"all_proxy": "socks5h://127.0.0.1:{SOCKS}", "http_proxy": "127.0.0.1:{PROXY}"}, "{NAME}"),
        ({"https_proxy": "127.0.0.1:{PROXY}"}, "--cacert {CA} {SECRET}"),
        ({"HTTPS_PROXY": "127.0.0.1:{PROXY}"}, "--cacert {CA} {SECRET}"),
        ({"http_proxy": "127.0.0.1:1", "no_proxy": "127.0.0.0/8"}, "{IP}"),
        ({"http_proxy": "127.0.0.1:1", "NO_PROXY": "x,127.0.0.1"}, "{IP}"),
        ({"http_proxy": "127.0.0.1:1", "no_proxy": "*"}, "{IP}"),
        ({"http_proxy": "127.0.0.1:1", "no_proxy": "[::1]"}, "http://[::1]:1/"),
        ({"http_proxy": "127.0.0.1:1", "no_proxy": ".test"}, "--resolve origin.test:1:127.0.0.1 http://origin.test:1/"),
        ({"http_proxy": "127.0.0.1:1"}, "--noproxy 127.0.0.1 {IP}"),
        ({"http_proxy": "127.0.0.1:1", "no_proxy": "127.0.0.1"}, "--noproxy x {IP}"),
        ({"http_proxy": "127.0.0.1:1"}, "-x EMPTY {IP}"),
    ],
)  # fmt: skip
def test_the_environments_proxies_are_those_of_curl(
    places: dict[str, str], environment: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format_map(places))
    line = ["" if word == "EMPTY" else word for word in words.format_map(places).split()]
    assert cleaned(run(REDOX_CURL, "-4", "-vsS", *line)) == cleaned(curl("-4", "-vsS", *line))


def test_a_connection_through_a_socks_proxy_serves_its_own_target_only(places: dict[str, str]) -> None:
    server = SocksServer(NAMES)
    with socks_server(server) as port:
        urls = [places["IP"], places["NAME"], places["IP"], places["NAME"]]
        done = redox_curl("-sS", "-x", f"socks5h://127.0.0.1:{port}", *urls)
    assert done.out == b"hello\n" * 4
    assert [asked.host for asked in server.asked] == ["127.0.0.1", "origin.test"]


def test_tls_in_tls_is_ended_in_order_from_the_inside_out(places: dict[str, str]) -> None:
    proxy = HttpProxy(NAMES)
    local = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = places["CA"].rpartition("/")[0]
    local.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    with http_proxy(proxy, local) as port:
        words = ["-x", f"https://localhost:{port}", "--proxy-cacert", places["CA"], "--cacert", places["CA"]]
        done = redox_curl("-4", "-sS", *words, places["SECRET"])
        assert (done.code, done.out) == (0, b"hello\n")
        assert proxy.has_ended.wait(5)
    assert proxy.goodbyes == 1
