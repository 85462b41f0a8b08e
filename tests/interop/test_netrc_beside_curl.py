"""`.netrc` beside the real curl: which login goes along with a URL of no login, of a user, and of both."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88, same
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

# The file, and the logins of URLs that both read alike.
FILES = [
    ("machine a.test login u password p\n", ["", "u@", "@", "u:x@", "u:@", ":x@"]),
    ("machine a.test login u password p\nmachine a.test login v password q\n", ["", "u@", "v@", "v:x@"]),
    ("machine a.test login v password q\nmachine a.test login u password p\n", ["", "u@", "v@", "u:x@"]),
    ("machine a.test password p\n", ["", "u@", "@", "u:x@"]),
    ("machine a.test login u\n", ["", "u@", "v@", "v:x@", ":x@"]),
    ("machine b.test login u password p\n", ["", "u@", "@", ":x@", "u:x@"]),
    ("machine a.test password q\nmachine a.test login u password r\n", ["", "u@"]),
    ('machine a.test login u password p "x\n', ["", "u@"]),
    ("default login d password e\n", ["", "d@", "@"]),
]


def echo(link: socket.socket) -> None:
    head = read_request(link)
    link.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(head) + head)


@pytest.mark.parametrize("option", ["--netrc", "--netrc-optional"])
@pytest.mark.parametrize(("text", "logins"), FILES, ids=range(len(FILES)))
def test_the_same_login_is_sent(tmp_path: Path, text: str, logins: list[str], option: str) -> None:
    with serving(echo) as port:
        words = ["-sS", option, "--netrc-file", "file", "-x", f"http://127.0.0.1:{port}"]
        for login in logins:
            same(tmp_path, *words, f"http://{login}a.test/", files={"file": text})
