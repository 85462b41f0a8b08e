"""Bodies of requests as ours and curl 7.88.1 send them: the same octets, messages and exit codes.

Boundaries are made alike, chunks are joined.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.beside_curl import COMMANDS, needs_curl_7_88
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
ANSWERS = {
    b"/moved": b"HTTP/1.1 307 T\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
    b"/login": b'HTTP/1.1 401 U\r\nWWW-Authenticate: Digest realm="r", nonce=n\r\nContent-Length: 0\r\n\r\n',
}

# C is the client, U the server.
LINES = r"""
C --data-binary @dir U/ok
C --data-urlencode @dir U/ok
C -d @dir U/ok
C --data-urlencode name@empty -d x U/ok
C --json 1 -H 'Accept;' -H 'Content-Type;' U/ok
C -F f=@ten --digest -u u:p U/login
C -F a=b -H 'Content-Type: multipart/mixed' U/ok
C -F a=b -H 'Content-Type: Multipart/Form-Data; x=y' U/ok
printf 'from a fifo' > fifo & C -F f=@fifo U/ok
printf 'from a fifo' > fifo & C -F 'f=<fifo;encoder=base64' U/ok
printf 'from a fifo' > fifo & C -F f=@fifo -L U/moved
C -T ten -O U/
C -T ten -O U/folder/
C -T ten U/ok U/other
C U/ok -T ten U/other
C -T ten U/ok -T one U/other
C -C 0 -T ten U/ok
C -C 3 -T ten U/ok
C -C - -T ten U/ok
C -C 10 -T ten U/ok
C -C 11 -T ten U/ok
C -C 3 -T empty U/ok
printf 0123456789 | C -C 3 -T - U/ok
printf 01 | C -C 3 -T - U/ok
C -C 3 -T - U/ok < ten
printf 'in fifo' > fifo & C -C 3 -T fifo U/ok
printf in | C -T - -L U/moved
"""


class Seen(NamedTuple):
    code: int
    out: bytes
    err: str
    sent: list[bytes]
    ten: bytes
    """What is in the file that is uploaded."""


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[int, list[bytes]]]:
    requests: list[bytes] = []

    def converse(link: socket.socket) -> None:
        data = b""
        while True:
            data = data or read_request(link)
            head, _, data = data.partition(b"\r\n\r\n")
            if b"\r\nExpect: 100-continue" in head:
                link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            body, data = read_body(link, head, data)
            requests.append(head + b"\r\n\r\n" + body)
            answer = ANSWERS.get(head.split(b" ")[1], OK)
            link.sendall(OK if b"\r\nAuthorization: Digest" in head and b"response" in head else answer)

    with serving(converse) as port:
        yield port, requests


def read_body(link: socket.socket, head: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Return a request's body, and what came behind it."""
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if length is not None:
        while len(data) < int(length[1]):
            data += more(link)
        return data[: int(length[1])], data[int(length[1]) :]
    body = b""
    while b"Transfer-Encoding: chunked" in head:
        while b"\r\n" not in data:
            data += more(link)
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        while len(data) < size + 2:
            data += more(link)
        body, data = body + data[:size], data[size + 2 :]
        if not size:
            break
    return body, data


def more(link: socket.socket) -> bytes:
    piece = link.recv(65_536)
    if not piece:
        raise OSError("gone")
    return piece


def seen(client: str, line: str, folder: Path, port: int, requests: list[bytes]) -> Seen:
    (folder / "dir").mkdir(parents=True)
    os.mkfifo(folder / "fifo")
    for name, content in (("ten", b"0123456789"), ("one", b"x"), ("empty", b"")):
        (folder / name).write_bytes(content)
    requests.clear()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "no_proxy": "*"}
    words = " ".join(f"'{word}'" for word in COMMANDS[client])
    script = re.sub(r"(?<!-)\bC ", f"{words} -sS ", line).replace("U/", f"http://127.0.0.1:{port}/")
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-c", script], capture_output=True, cwd=folder, env=environment, timeout=20)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    sent = [re.sub(rb"curl/[^\r]+|-{24}[0-9a-f]{16}|(cnonce|response)=[^,]+", b"X", one) for one in requests]
    return Seen(done.returncode, done.stdout, done.stderr.decode(), sent, (folder / "ten").read_bytes())


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_a_body_goes_out_as_curls(tmp_path: Path, recorded: tuple[int, list[bytes]], line: str) -> None:
    ours, theirs = (seen(client, line, tmp_path / client, *recorded) for client in COMMANDS)
    assert ours == theirs
    assert ours.ten == b"0123456789"
