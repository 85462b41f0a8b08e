"""What `-v` says beside the octets: ours and curl 7.88.1 on the same scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.exchanges import Script, same_exchange

pytestmark = [pytest.mark.interop, needs_curl_7_88]

BODY = b"Content-Length: 3\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\n" + BODY
MOVED = b"HTTP/1.1 302 No\r\nLocation: /x\r\n" + BODY
ELSEWHERE = b"HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:1/\r\n" + BODY
STALLING = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"

CASES: dict[str, tuple[str, list[Script]]] = {
    "a redirect": ("-L U", [(MOVED, OK)]),
    "a redirect to another port": ("-L -u a:b U", [(ELSEWHERE,)]),
    "one redirect too many": ("-L --max-redirs 1 U", [(MOVED, MOVED)]),
    "a rule that is none": ("--resolve foo U", [()]),
    "an address that is any": ("-w %{remote_ip} http://0.0.0.0:@PORT@/", [(OK,)]),
    "nobody at port 0": ("http://127.0.0.1:0/", [()]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_notes_are_curls(tmp_path: Path, name: str) -> None:
    words, scripts = CASES[name]
    line = ["http://127.0.0.1:@PORT@/" if word == "U" else word for word in words.split()]
    same_exchange(tmp_path, "-vsS", *line, scripts=scripts)


def test_a_transfer_that_is_too_slow_is_told_of_before_its_connection_closes(tmp_path: Path) -> None:
    words = ("-vsS", "-y", "1", "-Y", "1000", "http://127.0.0.1:@PORT@/")
    done = same_exchange(tmp_path, *words, scripts=[(STALLING, OK)])
    assert done.left.code == 28 and "\n* Operation too slow." in done.left.err
