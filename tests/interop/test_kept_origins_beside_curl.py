"""HSTS (RFC 6797) and Alt-Svc (RFC 7838) beside the real curl: what is kept, written, and used."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from tests.fakes.beside_curl import needs_curl_7_88, same
from tests.fakes.raw_server import read_request, saying, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

HSTS_HEADERS = [
    "max-age=9000000", "max-age=9000000; includeSubDomains", 'max-age="9000000"', "max-age=9; max-age=2",
    "includesubdomains", "max-age=0", "max-age=99999999999999999999999", "max-age=9223372036854775807",
    "max-age = 900000", "max-age= 9000000 ; foo=bar;includeSubDomains ;", "max-age=9000000 includesubdomains",
    "max-age=-5", 'max-age="9000000', "max-age=9000000x", "max-age=9000000;;includeSubDomains",
    "max-age=9000000;includeSubDomainsX", "max-age=9000000;includeSubDomains;includesubdomains", "",
    "max-age=9000000,b", "MAX-AGE=9000000", "foo; max-age=9000000", "max-agex=5;max-age=9000000",
    "max-age=9000000;includeSubDomains=1", "max-age=0x9000000", "max-age=+9000000", 'max-age="9000000"x',
    "; ; max-age=9000000", 'max-age=9000000; foo="a;includeSubdomains;b"', 'max-age="9000000 "', "max-age==5",
]  # fmt: skip

ALT_SVC_HEADERS = [
    'h2=":443"; ma=9000000', 'h1="b.test:8443"; ma=9000000; persist=1', "clear", 'h2=":0"', 'h2=":70000"',
    'http/1.1="b.test:8443"', 'h2=":443";ma=9000000, h1=":444"; ma=9100000, h3=":445";ma=9000000', 'h2=":x"',
    'h2="b.test";ma=9000000', "h2=443", 'h2=":443";ma="9000000"', 'h2=":443" ; ma = 9000000', 'h3-29=":443"',
    'w="a:1", h2=":2";ma=9000000', 'h2="[::1]:443"', 'h2=":443"; foo=bar; ma=9000000', '"h2"=":443"', "", ";",
    "h2=", 'h2=":443', 'H2=":443";ma=9000000', 'h2=":443"; persist=2;ma=9000000', "CLEAR", "clear;",
    'h2=":443";ma=9000000,,h1=":4"', 'h2=":443";;ma=3', 'h2=":443";ma=9000000 h1=":4"',
    'hq=":443",h1="c.test:1";ma=9000000', 'h2="' + "x" * 600 + ':443"',
]  # fmt: skip


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("a.test").configure_cert(context)
    return context


def answering_by_path(name: str, values: list[str]) -> object:
    """A server that sends, for /N, the header's value number N."""

    def converse(link: socket.socket) -> None:
        number = int(read_request(link).split()[1][1:])
        link.sendall(f"HTTP/1.1 200 OK\r\n{name}: {values[number]}\r\nContent-Length: 0\r\n\r\n".encode())

    return converse


@pytest.mark.parametrize(
    ("option", "header", "values", "notes"),
    [
        ("--hsts", "Strict-Transport-Security", HSTS_HEADERS, r"STS header|Strict-Tr"),
        ("--alt-svc", "Alt-Svc", ALT_SVC_HEADERS, r"alt-svc|Alt-Svc"),
    ],
)
def test_headers_are_kept_and_told_of_alike(
    tmp_path: Path, tls: ssl.SSLContext, option: str, header: str, values: list[str], notes: str
) -> None:
    with serving(answering_by_path(header, values), tls) as port:  # type: ignore[arg-type]
        words = ["-skv", option, "kept", "--connect-to", f"::127.0.0.1:{port}"]
        if option == "--alt-svc":  # the origin's port is in the file; --connect-to would hide it
            words = ["-skv", option, "kept", "--resolve", f"*:{port}:127.0.0.1"]
        urls = [f"https://h{number}.test:{port}/{number}" for number in range(len(values))]
        left = same(tmp_path, *words, *urls, notes=notes)
    assert left.files["kept"].count("\n") > 10


HSTS_FILE = (
    '.a.test "20401225 10:10:10"\nx.y "20391225 10:10:10"\n#x\n  # foo\n\n\t.z.z.   "unlimited"  \n'
    'old "20001010 10:10:10"\nbad\nQ.q "20401225 10:10:10"\nq.q "20411225 10:10:10"\nx.y "20381225 1:10:10"\n'
    '"aaa "20381225 10:10:10"\nnn "foo"\n.pp "unlimited"\npp "20381225 10:10:10"\nme "unlimited"\n'
    'xn--mnchen-3ya.test "unlimited"\n127.0.0.1 "unlimited"\n' + "l" * 300 + ' "unlimited"\n'
)


@pytest.mark.parametrize(
    "words",
    [
        "http://me/",
        "http://me:80/x?y#z",
        "http://u:p@ME.:8080/x",
        "me",
        "http://b.a.test",
        "http://c.b.A.test.",
        "http://c.b.a.test。/",
        "http://c.b.a。test/",
        "http://münchen.test/ä",
        "http://127.0.0.1/",
        "--proto =http http://me/",
        "--proto -http http://me/",
        "http://me/ --next -sk http://me/",
    ],
)
def test_http_becomes_https_for_hosts_that_are_known(tmp_path: Path, tls: ssl.SSLContext, words: str) -> None:
    told = "%{url_effective} %{http_code} %{scheme} %{errormsg} %{exitcode}\n"
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), tls) as port:
        proxied = ["--connect-to", f"::127.0.0.1:{port}", "-w", told]
        same(
            tmp_path, "-skv", "--hsts", "kept", *proxied, *shlex.split(words),
            files={"kept": HSTS_FILE}, notes="HSTS|> Host|curl:|not supp|connection -1",
        )  # fmt: skip


@pytest.mark.parametrize(
    "words", ["http://old/", "http://b.me/", "--hsts other http://me/", "-H 'Host: me' http://nobody/"]
)
def test_http_stays_http_for_others(tmp_path: Path, words: str) -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as port:
        same(
            tmp_path, "-skv", "--hsts", "kept", "--connect-to", f"::127.0.0.1:{port}", *shlex.split(words),
            files={"kept": HSTS_FILE}, notes="HSTS|> Host|curl:",
        )  # fmt: skip


def test_a_redirect_to_http_is_followed_over_tls(tmp_path: Path, tls: ssl.SSLContext) -> None:
    moved = b"HTTP/1.1 301 Moved\r\nLocation: http://b.a.test/x\r\nContent-Length: 0\r\n\r\n"
    with serving(saying(moved), tls) as port:
        words = ["-skvL", "--max-redirs", "1", "--hsts", "kept", "--connect-to", f"::127.0.0.1:{port}"]
        left = same(
            tmp_path, *words, "https://c.test/", "-w", "%{url_effective}",
            files={"kept": HSTS_FILE}, notes="HSTS|Issue|> Host|curl:",
        )  # fmt: skip
    assert "=> https://b.a.test/x" in left.err


@pytest.mark.parametrize(
    "words",
    [
        "--hsts a --hsts b https://b.test/",
        "--hsts a https://b.test/ --next -sk --hsts b foo://b.test/",
        "--hsts a foo://x/",
        "--hsts a http://a:99999/",
        "--hsts nowhere/a https://b.test/",
        "--alt-svc a --hsts b foo://x/",
    ],
)
def test_files_are_read_and_written_alike(tmp_path: Path, tls: ssl.SSLContext, words: str) -> None:
    header = b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=9000000\r\nContent-Length: 0\r\n\r\n"
    with serving(saying(header), tls) as port:
        files = {"a": 'a.test "unlimited"\n', "b": 'c.test "unlimited"\n'}
        same(tmp_path, "-sk", "--connect-to", f"::127.0.0.1:{port}", *shlex.split(words), files=files)


ALT_SVC_FILES = {
    "used": "h1 a.test PORT h1 b.test PORT",
    "the case and a dot do not matter": "h1 A.test. PORT h1 b.test PORT",
    "another port": "h1 a.test 1 h1 b.test PORT",
    "the first of two": "h1 a.test PORT h1 b.test PORT LATER\nh1 a.test PORT h1 c.test PORT",
    "refused": "h1 a.test PORT h1 b.test 1",
    "an address": "h1 a.test PORT h1 [::1] PORT",
    "not one": "h9 a.test PORT h1 b.test PORT",
}


@pytest.mark.parametrize("name", ALT_SVC_FILES)
@pytest.mark.parametrize("words", ["https://A.test:PORT/", "-H 'Alt-Used: x' https://a.test.:PORT/"])
def test_an_alternative_service_is_asked_in_place_of_the_origin(
    tmp_path: Path, tls: ssl.SSLContext, name: str, words: str
) -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), tls) as port:
        later = '"20401225 10:10:10" 0 0\n'
        content = (
            (ALT_SVC_FILES[name] + " LATER\n").replace("PORT", str(port)).replace(" LATER\n", " " + later)
        )
        known = ["--resolve", f"*:{port}:127.0.0.1", "--resolve", "*:1:127.0.0.1"]
        left = same(
            tmp_path, "-skv", "--alt-svc", "kept", *known, *shlex.split(words.replace("PORT", str(port))),
            files={"kept": content}, notes="Alt-|alt-svc|> Host|curl:|Trying|refused",
        )  # fmt: skip
    assert bool(re.search("Alt-svc connecting", left.err)) == (name not in ("another port", "not one"))


def test_without_tls_nothing_is_learnt(tmp_path: Path) -> None:
    head = b'HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=9\r\nAlt-Svc: h1=":9"\r\n'
    with serving(saying(head + b"Content-Length: 2\r\n\r\nok")) as port:
        left = same(tmp_path, "-s", "--hsts", "a", "--alt-svc", "b", f"http://127.0.0.1:{port}/")
    assert all(content.count("\n") == 2 for content in left.files.values())
