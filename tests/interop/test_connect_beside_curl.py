"""A proxy's answers, to CONNECT and to whole URLs: requests, `-v`, output and exit code of curl 7.88.1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fakes.beside_curl import COMMANDS, needs_curl_7_88
from tests.fakes.commands import run
from tests.fakes.exchanges import Script, exchanged, same_exchange

pytestmark = [pytest.mark.interop, needs_curl_7_88]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
FORBIDDEN = b"HTTP/1.1 403 No\r\n"
BASIC = b'Proxy-Authenticate: Basic realm="x"\r\n'
DIGEST = b'Proxy-Authenticate: Digest realm="x", nonce="n", qop="auth"\r\n'
ASKED = b"HTTP/1.1 407 Who\r\n"
BODY = b"Content-Length: 3\r\n\r\nabc"
LAST_BODY = b"Connection: close\r\n" + BODY
OLD_LAST_BODY = b"Proxy-Connection: close\r\n" + BODY
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

CASES: dict[str, tuple[str, list[Script]]] = {
    "a length that means nothing": ("-p", [(OPEN[:-2] + b"Content-Length: 5\r\n\r\n", OK)]),
    "chunks that mean nothing": ("-p", [(OPEN[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", OK)]),
    "forbidden": ("-p -i", [(FORBIDDEN + BODY,)]),
    "forbidden, in chunks": ("-p", [(FORBIDDEN + CHUNKS,)]),
    "forbidden, -f": ("-p -f", [(FORBIDDEN + BODY,)]),
    "forbidden, --fail-with-body": ("-p --fail-with-body", [(FORBIDDEN + BODY,)]),
    "asked, nobody to be, -f": ("-p -f", [(ASKED + BASIC + BODY,)]),
    "asked, nobody to be": ("-p", [(ASKED + BASIC + BODY,)]),
    "asked for another scheme": ("-p -U a:b --proxy-digest", [(ASKED + BASIC + BODY,)]),
    "refused": ("-p -U a:b", [(ASKED + BASIC + BODY,)]),
    "asked for another scheme, -f": ("-p -f -U a:b --proxy-digest", [(ASKED + BASIC + BODY,)]),
    "asked, with a body": ("-p -U a:b --proxy-anyauth", [(ASKED + BASIC + BODY, OPEN, OK)]),
    "asked, in chunks": ("-p -U a:b --proxy-anyauth", [(ASKED + DIGEST + CHUNKS, OPEN, OK)]),
    "asked twice over": ("-p -U a:b --proxy-anyauth", [(ASKED + BASIC + DIGEST + BODY, OPEN, OK)]),
    "asked, then closed": ("-p -U a:b --proxy-digest", [(ASKED + DIGEST + LAST_BODY,), (OPEN, OK)]),
    "asked, closed of old": ("-p -U a:b --proxy-digest", [(ASKED + DIGEST + OLD_LAST_BODY,), (OPEN, OK)]),
    "forbidden, of two lengths": ("-p", [(FORBIDDEN + b"Content-Length: 4\r\n" + BODY,)]),
    "switching": ("-p -i", [(b"HTTP/1.1 101 No\r\n\r\n",)]),
    "both logins": ("-p -U a:b -u c:d", [(OPEN, OK)]),
    "a token for the server": ("-p --oauth2-bearer T", [(OPEN, OK)]),
    "without a tunnel: refused": ("-U a:b", [(ASKED + BASIC + BODY,)]),
    "without a tunnel: refused, and closed": ("-U a:b", [(ASKED + BASIC + OLD_LAST_BODY,)]),
    "without a tunnel: Digest": ("-U a:b --proxy-digest", [(ASKED + DIGEST + BODY, OK)]),
    "without a tunnel: two digests": ("-U a:b --proxy-digest", [(ASKED + DIGEST + DIGEST + BODY, OK)]),
    "without a tunnel: closed of old": ("", [(OK[:15] + OLD_LAST_BODY,)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_proxys_answers_are_taken_and_told_as_by_curl(tmp_path: Path, name: str) -> None:
    words, scripts = CASES[name]
    target = ("-x", "127.0.0.1:@PORT@", "http://host.test/a")
    done = same_exchange(tmp_path, "-vsS", *words.split(), *target, scripts=scripts)
    assert done.said


def test_a_server_refuses_a_login_before_the_header_that_says_so(tmp_path: Path) -> None:
    refusal = b'HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    done = same_exchange(tmp_path, "-vsS", "-u", "a:b", "http://127.0.0.1:@PORT@/", scripts=[(refusal,)])
    assert "* Authentication problem. Ignoring this.\n< WWW-Authenticate" in done.left.err


def test_an_address_of_version_6_is_asked_for_in_brackets_and_told_without(tmp_path: Path) -> None:
    words = ("-vsS", "-p", "-x", "127.0.0.1:@PORT@", "http://[::2]:8080/")
    done = same_exchange(tmp_path, *words, scripts=[(OPEN, OK)])
    assert done.said[0].startswith(b"CONNECT [::2]:8080 HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [100, 103])
def test_an_interim_answer_to_connect_is_passed_over_where_curl_gives_up(tmp_path: Path, status: int) -> None:
    """RFC 9110 §15.2: a client must be able to read them before the final one."""
    interim = b"HTTP/1.1 %d Wait\r\n\r\n" % status
    words = ("-sS", "-p", "-x", "127.0.0.1:@PORT@", "http://host.test/")
    found = exchanged(tmp_path, *words, scripts=[(interim + OPEN, OK)])
    assert found["curl"].left.code == 56
    assert (found["ours"].left.code, found["ours"].left.out) == (0, "ok\n")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"http_proxy": "foo://127.0.0.1:1"}, "http://127.0.0.1:1/"),
        ({}, "-x 127.0.0.1: http://host.test/"),
        ({}, "-x http://127.0.0.1: http://127.0.0.1:1/"),
        ({}, "-x 127.0.0.1:0 http://host.test/"),
        ({}, "--noproxy x,y_127.0.0.1 -x 127.0.0.1:1 http://127.0.0.1:1/"),
        ({"http_proxy": "127.0.0.1:1", "no_proxy": "x 127.0.0.1"}, "http://127.0.0.1:1/"),
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_told_as_by_curl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    line = ["-vsS", *(word.replace("_", " ") for word in words.split())]
    left = [run(command, *line) for command in COMMANDS.values()]
    ours, theirs = ((done.code, re.sub(r"after \d+ ms", "after N ms", done.err)) for done in left)
    assert ours == theirs
