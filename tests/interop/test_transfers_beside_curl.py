"""Whole command lines beside curl 7.88.1: what is printed, what is left, what the server was asked."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.beside_curl import COMMANDS, both, needs_curl_7_88
from tests.fakes.commands import redox_curl
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, needs_curl_7_88]

HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"
ANSWERS = {
    "/moved": b"HTTP/1.1 302 F\r\nLocation: /there\r\nContent-Length: 3\r\n\r\nabc",
    "/loop": b"HTTP/1.1 302 F\r\nLocation: /loop\r\nContent-Length: 3\r\n\r\nabc",
    "/404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbad\n",
    "/digest": b"HTTP/1.1 401 U\r\nWWW-Authenticate: Digest realm=a, nonce=n\r\nContent-Length: 2\r\n\r\nno",
    "/503": b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbad\n",
    "/ra": b"HTTP/1.1 503 Busy\r\nRetry-After: 4\r\nContent-Length: 4\r\n\r\nbad\n",
    "/empty": b"",
}


class Server:
    """Takes down every request; as both ask for the same, each of them comes twice."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def converse(self, link: socket.socket) -> None:
        rest = b""
        while True:
            data = rest + (read_request(link) if b"\r\n\r\n" not in rest else b"")
            head, _, body = data.partition(b"\r\n\r\n")
            found = re.search(rb"content-length: (\d+)", head.lower())
            if b"100-continue" in head:
                link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(found[1]) if found else 0
            is_chunked = b"chunked" in head
            while len(body) < length or (is_chunked and not body.endswith(b"0\r\n\r\n")):
                body += link.recv(65_536)
            length = len(body) if is_chunked else length
            rest = body[length:]
            with self._lock:
                self.asked.append(re.sub(r"curl/\S+", "V", (head + b"\n" + body[:length]).decode("latin-1")))
            path = "/" + head.split(b" ")[1].decode().strip("/").split("/")[0]
            answer = ANSWERS.get(path, HELLO)
            if not answer:
                return
            link.sendall(answer)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Server]]:
    server = Server()
    with serving(server.converse) as port:
        yield f"http://127.0.0.1:{port}", server


METER = re.compile(r"\r[ 0-9].{77}")


def without_times(err: str) -> str:
    """Sizes of the meter are compared, speeds and times are not; nor how often it was drawn."""
    lines = []
    for line in err.split("\n"):
        drawn = METER.findall(line)
        lines.append(METER.sub("", line) + (drawn[-1][:32] if drawn else ""))
    return "\n".join(lines)


# B is where the server is; "in", "in2" and "cfg" are files, f is not there.
LINES = r"""
-s B/ -: B/a -:s B/b -:o out B/c
-s -T in B/ B/a
-s -T in B/ -T in2 B/x/ B/b
-s -T in B/ -w '%{url} %{method} %{http_code}\n' B/a
-s -T '{in,in2}' B/x/ -w '%{url} %{urlnum} %{method}\n'
-s -T in 'B/?x=1#f' -w '%{url}\n'
-s -G -d a=b B/ -w '%{url}\n'
-s --url-query a=b B/ -w '%{url}\n'
-T /nope B/ B/a
-T /nope B/ -w '%{exitcode} %{errormsg}\n'
-T /nope -s B/ -w '%{exitcode} %{errormsg}\n'
-O B/ -w '%{exitcode} %{errormsg}\n'
-s -o /dev/null/x --create-dirs B/ -w '%{exitcode} %{errormsg}\n'
-sS --fail-with-body B/404 -w '%{exitcode} %{errormsg}\n'
-sS -f B/404 -w '%{exitcode} %{errormsg}\n'
-s B/404 -f 'http://['
-s foo://x 'http://['
-s 'http://[' foo://x
-s B/ 'http://['
-s foo://x -T /nope B/
-s -T in foo://x B/
-s -O foo://x/y B/
-O foo://x/y B/
-O http:/// B/
-Z
-Z -o a -o b
-Z -K cfg
-Z B/[
-Z -sS B/{a
-Z -I -d a B/
-Z -T /nope B/
-Z -O B/
-Z --etag-compare /nope B/
--stderr err --zzz
--stderr err --stderr err2 -2 --zzz
-2 --stderr err -3 B/empty -o out
--stderr -x -s --zzz
--stderr '' --zzz
--stderr /nope/x --zzz
-s --stderr /nope/x --zzz
--stderr - -o out B/empty
--stderr err -V x --zzz -o
-K cfg --stderr err --zzz
-o out -L B/moved
-o out -L B/loop --max-redirs 2
-o out -L -d abc B/moved
-o out -u a:b --digest B/digest
-o out -L B/moved -# -w '%{http_code}\n'
-o out B/empty B/ -o out2 B/empty
-o out -# B/empty B/ -o out2 B/empty
-o out -# -f B/404 -w '%{exitcode}\n'
-o out --proto =https B/
-o out --resolve foo B/
-o out -x foo://h B/
-o out -T in B/
-o out -T - B/x
-s -d abc B/ B/empty -w '%{size_upload} %{num_connects}\n'
-s -T in -L B/moved -w '%{size_upload} %{num_redirects}\n'
--no-progress-meter --retry 2 --retry-delay 1 --retry-max-time 1 B/503
--no-progress-meter --retry 1 --retry-delay 2 --retry-max-time 1 B/503
-s --retry 1 --retry-max-time 1 B/ra -f
"""


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_a_command_does_what_curls_does(server: tuple[str, Server], tmp_path: Path, line: str) -> None:
    base, asked = server
    results = {}
    files = {"in": "input\n", "in2": "second\n", "cfg": "# nothing\nno-such-option\n"}
    asked.asked.clear()
    done = both(tmp_path, *shlex.split(line.replace("B/", base + "/")), files=files)
    for who, left in done.items():
        shown = {name: without_times(text) for name, text in left.files.items()}
        is_version = " -V " in line
        results[who] = (left.code, "" if is_version else left.out, without_times(left.err), shown)
    assert results["ours"] == results["curl"]
    requests = sorted(asked.asked)
    assert requests[::2] == requests[1::2]


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
@pytest.mark.parametrize("word", ["-V", "--help", "-M", "--help all"])
def test_that_nobody_reads_the_help_is_no_failure(word: str, redirection: str) -> None:
    codes = {
        who: subprocess.run(["bash", "-c", f'"$@" {word} {redirection}', "sh", *command]).returncode
        for who, command in COMMANDS.items()
    }
    assert codes == {"ours": 0, "curl": 0}


def test_a_transfer_that_waits_for_its_turn_at_a_host_says_how_long(server: tuple[str, Server]) -> None:
    base = server[0]
    done = redox_curl(
        "-Zs", "--parallel-max-host", "1", "-w", "%{time_queue} %{num_connects}\n", "-o", os.devnull,
        base + "/a", "-o", os.devnull, base + "/b",
    )  # fmt: skip
    (first, made), (second, found) = (line.split() for line in done.out.decode().splitlines())
    assert float(first) < 0.001 < float(second)
    assert (made, found) == ("1", "0")
