"""Challenges beside the real curl: which one is answered, with which fields, and in which words."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.fakes.beside_curl import both, needs_curl_7_88
from tests.fakes.raw_server import Conversation, read_request, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

CHALLENGES = {
    "plain": ['Digest realm="r", nonce="n"'],
    "SHA-256": ['Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'],
    "MD5-sess": ['Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"'],
    "SHA-256-sess": ['Digest realm="r", nonce="n", algorithm=SHA-256-sess, qop="auth"'],
    "auth-int alone": ['Digest realm="r", nonce="n", qop="auth-int"'],
    "auth-int first": ['Digest realm="r", nonce="n", qop="auth-int,auth"'],
    "another qop": ['Digest realm="r", nonce="n", qop="foo"'],
    "stale": ['Digest realm="r", nonce="old", qop="auth"'],
    "another hash": ['Digest realm="r", nonce="n", algorithm=foo'],
    "another hash and Basic": ['Digest realm="r", nonce="n", algorithm=foo', 'Basic realm="x"'],
    "Basic and Digest": ['Basic realm="x"', 'Digest realm="r", nonce="n"'],
    "in one line": ['Digest realm="r", nonce="n", Basic realm="x"'],
    "quotes": [r'Digest realm="r \"q\" \\", nonce="n", opaque="o", domain="/x", charset=UTF-8'],
    "userhash": ['Digest realm="r", nonce="n", userhash=true, algorithm=SHA-256'],
    "letters": ['digest REALM="r",NONCE="n"'],
    "no realm": ['Digest nonce="n"'],
    "no nonce": ['Digest realm="r"'],
    "empty nonce": ['Digest realm="r", nonce=""'],
    "no quotes": ["Digest realm=r, nonce=n"],
    "nothing": ["Digest"],
    "session without qop": ['Digest realm="r", nonce="n", algorithm=MD5-sess'],
    "not stale": ['Digest realm="r", nonce="n", algorithm="MD5", stale=FALSE'],
    "Bearer": ['Bearer realm="x"'],
    "none": [],
}


def challenging(challenges: list[str]) -> Conversation:
    """Show a request with an answer, its chance made alike; a nonce called old is stale."""

    def converse(link: socket.socket) -> None:
        request = read_request(link)
        answer = re.search(rb"(?im)^authorization: (?:basic|digest) (.*)\r", request)
        is_old = answer is not None and b'nonce="old"' in answer[1]
        if answer is not None and not is_old:
            if b"cnonce=" in request:
                request = re.sub(rb'(cnonce|response)="[^"]*"', rb"\1=V", request)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(request))
            link.sendall(b"Connection: close\r\n\r\n" + request)
            return
        lines = "".join(f"WWW-Authenticate: {text}\r\n" for text in challenges)
        lines = lines.replace('"old"', '"new", stale=true') if is_old else lines
        head = f"HTTP/1.1 401 No\r\n{lines}Content-Length: 2\r\nConnection: close\r\n\r\nno"
        link.sendall(head.encode())

    return converse


@pytest.mark.parametrize(
    "words",
    ["--digest -u u:p", "--anyauth -u u:p", '--digest -u u":p\\', "--digest -d body -u jä:pö", "-u u:p"],
)
@pytest.mark.parametrize("name", CHALLENGES)
def test_a_challenge_is_answered_alike(tmp_path: Path, name: str, words: str) -> None:
    with serving(challenging(CHALLENGES[name])) as port:
        told = ["-sSv", "-w", "|%{http_code}|%{errormsg}", "-H", "User-Agent:", *words.split()]
        left = both(
            tmp_path, *told, f"http://127.0.0.1:{port}/x?y=z", notes=r"curl:|^. (Ign|Auth|Iss|Server|Digest)"
        )
    assert left["ours"].out == left["curl"].out and left["ours"].code == left["curl"].code
    ours, theirs = (
        [line for line in left[name].err.splitlines() if "cnonce" not in line] for name in ("ours", "curl")
    )
    assert ours == theirs
