"""Redirects beside the real curl: methods, bodies, where they lead, and what goes along."""

from __future__ import annotations

import re
import shlex
import socket
from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88, same
from tests.fakes.commands import redox_curl
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

TOLD = "%{url_effective}|%{errormsg}|%{exitcode}|%{num_redirects}|%{redirect_url}|%{method}|%{scheme}\n==\n"
NOTES = "curl:|Issue|Switch|Clear|Maximum|redirect"


def read_all(link: socket.socket) -> bytes:
    """A request with its body; versions made alike, and boundaries."""
    data = read_request(link)
    if b"100-continue" in data:
        link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", data)
    head, _, body = data.partition(b"\r\n\r\n")
    while length and len(body) < int(length[1]):
        body += link.recv(65_536)
    text = re.sub(
        rb"curl/[^ \r\n]+|-{20,}[0-9a-zA-Z]+|(?<=boundary=)[-0-9a-zA-Z]+", b"V", head + b"\n\n" + body
    )
    return text.replace(b"\r", b"")


def answering(link: socket.socket) -> None:
    """Redirect as the path says, /STATUS/LOCATION in hex; show any other request."""
    request = read_all(link)
    target = request.split()[1].decode()
    found = re.search(r"/go/(\d+)/([0-9a-f]*)", target)
    if found:
        location = b"Location: " + bytes.fromhex(found[2]) + b"\r\n" if found[2] else b""
        head = b"HTTP/1.1 %s X\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n"
        link.sendall(head % (found[1].encode(), location))
        return
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(request))
    if not request.startswith(b"HEAD"):
        link.sendall(request)


def way(status: int, location: str) -> str:
    return f"go/{status}/{location.encode('utf-8', 'surrogateescape').hex()}"


METHODS = [
    "", "-d x", "-I", "-T up", "-X PUT -d x", "-X POST", "-X FOO", "-I -X GET", "-F a=b",
    "-X POST -d x --post301",
    "-d x --post302", "-d x --post303", "-d x --post301 --post302 --post303", "-G -d x",
    "-d x -H Content-Type:",
    "--json {}",
]  # fmt: skip


@pytest.mark.parametrize("words", METHODS)
def test_each_status_makes_the_same_of_a_method(tmp_path: Path, words: str) -> None:
    with serving(answering) as port:
        proxy = ["-sSvL", "-x", f"http://127.0.0.1:{port}", "-w", TOLD]
        files = {"up": "upload"}
        line = [*proxy, *words.split()]
        for status in (301, 302, 303, 307, 308, 300, 304, 399, 201, 400):
            url = f"http://a.test/{way(status, '/x')}"
            line += [url] if status == 301 else ["--next", *proxy, *words.split(), url]
        left = same(tmp_path, *line, files=files, notes=NOTES)
    assert left.out.count("==") == 10


LOCATIONS = [
    "/x", "x", "./x", "../x", "?x", "", " ", " /x ", "/a b", "/a\tb", "/ä", "/\udcff", "//b.test/x",
    "//b.test",
    "http://b.test", "http:/x", "http:x", "http:///x", "\\x", "/\\x", "\\\\b.test/x", "/a\\b",
    "http://u:p@b.test/",
    "http://u:p@a.test/", "http://u@a.test:81/", "http://a.test:81/", "http://A.TEST/x", "http://a.test:80/x",
    "http://münchen.test/", "http://-ä.test/", "foo://b.test/", "mailto:x", "javascript:alert(1)", "data:x",
    "x:y", "a:80/x", "http://b.test:99999/", "http://[::1]/", "http://[::1", "http://", "/x#f", "/x?y#f",
    "/../../x", "/a/../b/./c", "/x?a b", "/x?ä", "x/../y?z", ";p", "/%2e%2e/x", "http://b.test?q",
    "http://b.test#f", "//", "///x", "////x", "http://b.test/\x01", "/x\x7f", "HTTP://b.test/X",
    "http://b.test/x y", "?", "http://0x7f.1/", "http:\\\\b.test/",
]  # fmt: skip


@pytest.mark.parametrize("follows", [True, False])
def test_each_location_leads_to_the_same_place(tmp_path: Path, follows: bool) -> None:
    with serving(answering) as port:
        proxy = ["-sSv", *(["-L", "--max-redirs", "2"] if follows else []), "-x", f"http://127.0.0.1:{port}"]
        urls = [f"http://a.test/d/{way(302, location)}?q#frag" for location in LOCATIONS]
        left = same(tmp_path, *proxy, "-w", TOLD, *urls, notes=NOTES)
    assert left.out.count("\n==") == len(LOCATIONS)


LOGINS = [
    "-u u:p", "-u u:p --location-trusted", "-H 'Authorization: x'", "-H 'Cookie: x'", "-b a=b", "-e ref",
    "-b a=b -H 'Cookie: x'",
    "-b a=b --location-trusted", "--oauth2-bearer t", "-e 'ref;auto'", "-e ';auto'", "-H 'Host: z'",
    "-H 'Authorization: x' --location-trusted", "--max-redirs 0", "-u u:p --proto-redir =https",
    "--proto-redir -http", "--proto-redir all", "--proto =https", "--proto-redir -all,http",
]  # fmt: skip


@pytest.mark.parametrize("words", LOGINS)
def test_the_same_goes_along_to_other_hosts_ports_and_users(tmp_path: Path, words: str) -> None:
    with serving(answering) as port:
        proxy = ["-sSvL", "-x", f"http://127.0.0.1:{port}", "-w", TOLD, *shlex.split(words)]
        locations = [
            "http://b.test/", "http://a.test:81/", "http://a.test/x", "http://A.test/x", "//u2:p2@a.test/",
            "http://u2:p2@b.test/", "http://u2@b.test/", "foo://x/",
        ]  # fmt: skip
        urls = [f"http://a.test/{way(302, location)}" for location in locations]
        locations.remove("http://u2@b.test/")  # curl 7.88 would give u2 the password of u1
        urls += [f"http://u1:p1@a.test/{way(302, location)}" for location in locations]
        same(tmp_path, *proxy, *urls, notes=NOTES)


@pytest.mark.parametrize(
    ("words", "status", "sent"),
    [
        ("-X POST", 301, "GET"),
        ("-X POST", 303, "GET"),
        ("-X PUT -d x", 301, "PUT"),
        ("-X PUT -d x", 303, "GET"),
        ("-X DELETE", 302, "DELETE"),
        ("-X DELETE", 303, "GET"),
        ("-X POST -d x", 307, "POST"),
        ("-X PATCH -d x", 308, "PATCH"),
        ("-d x", 302, "GET"),
        ("-d x --post302", 302, "POST"),
        ("-I", 303, "HEAD"),
    ],
)
def test_follow_lets_the_status_decide_about_the_word_of_x(words: str, status: int, sent: str) -> None:
    """curl 8.16's --follow; curl 7.88 has only -L, which keeps the word."""
    with serving(answering) as port:
        url = f"http://a.test/{way(status, '/x')}"
        done = redox_curl(
            "-sS", "--follow", "-x", f"http://127.0.0.1:{port}", *words.split(), url, "-w", "%{method}"
        )
    assert done.out.decode().rpartition("\n")[2].endswith(sent)
    if sent == "GET":
        assert b"Content-" not in done.out
