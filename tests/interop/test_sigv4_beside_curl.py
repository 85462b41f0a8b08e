"""--aws-sigv4 beside the real curl: the same signature for the same date."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88, same
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

DATE = "20261125T101112Z"


def echo(link: socket.socket) -> None:
    request = read_request(link)
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(request))
    if not request.startswith(b"HEAD"):
        link.sendall(request)


@pytest.mark.parametrize(
    "words",
    [
        "aws:amz:us-east-1:s3 http://a.test/x",
        "aws:amz http://s3.us-west-2.amazonaws.com/x?b=2&a=1",
        "aws:amz:r:s -d hello http://a.test/p",
        "aws:amz:r:s -d @up -X PUT http://a.test/",
        "aws:amz:r:s -T up http://a.test/p",
        "aws:amz:r:s --json {} http://a.test/p",
        "aws:amz:r:s -I http://a.test/",
        "aws:amz:r:s -G -d x=y http://a.test/",
        "aws:amz:r:s -X DELETE http://a.test//a/../b --path-as-is",
        "aws:amz:r:s3 http://a.test/?x -r 0-5 -e ref -b a=b",
        "aws:amz:r:s http://a.test:81/?",
        "aws:amz:r:s:t http://a.b/",
        "AWS:AMZ:R:S http://a.b/",
        "a:b:c:d -H 'X-B-Date: 20261125T101112Z' http://h.test/ä%20?q=ä",
        "xxx -H 'X-Xxx-Date: 20261125T101112Z' http://svc.reg.test/",
        "xxx: -H 'X-Xxx-Date: 20261125T101112Z' http://svc.reg.test/",
        "aws:amz::s http://svc.reg.test/",
        "aws:amz:r: http://svc.reg.test/",
        "aws:amz:r:s -H 'B: 2' -H 'a: 1  2' http://a.test/",
        "aws:amz:r:s -H 'Host: other' http://a.test/",
        "aws:amz:r:s -H 'Authorization: mine' http://a.test/",
        "aws:amz:r:s -H 'X-Amz-Content-Sha256: UNSIGNED-PAYLOAD' -d x http://a.test/",
        "aws:amz:r:s --digest http://a.test/",
        "'' http://svc.reg.test/",
        "aws:amz http://nodots/",
        "aws:amz:reg http://nodots/",
        "aws:amz http://a.b/",
    ],
)
def test_the_same_is_signed(tmp_path: Path, words: str) -> None:
    with serving(echo) as port:
        line = ["-sS", "-x", f"http://127.0.0.1:{port}", "-H", "User-Agent: x", "-H", f"X-Amz-Date: {DATE}"]
        left = same(
            tmp_path, *line, "-u", "AK:S:K", "--aws-sigv4", *shlex.split(words), files={"up": "upload"}
        )
    assert "Signature=" in left.out or "mine" in left.out or left.err or "-I" in words


@pytest.mark.parametrize("login", ["", "-u AK:", "-u AK:SK --basic"])
def test_who_signs_is_the_same(tmp_path: Path, login: str) -> None:
    with serving(echo) as port:
        proxy = ["-x", f"http://127.0.0.1:{port}"]
        words = login.replace("PROXY", f"127.0.0.1:{port}").split()
        line = ["-sS", *proxy, *words, "-H", "User-Agent: x", "-H", f"X-Amz-Date: {DATE}", "--aws-sigv4"]
        same(tmp_path, *line, "aws:amz:r:s", "http://a.test/", "http://u:p@a.test/")
