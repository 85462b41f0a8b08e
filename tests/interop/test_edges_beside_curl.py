"""Odd ends of the command: ours and curl 7.88.1 at the same time print, write and return the same."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.servers import Servers
from tests.fakes.beside_curl import same
from tests.fakes.commands import CURL, REDOX_CURL, needs_curl
from tests.fakes.local_servers import body, needs_nginx, nginx
from tests.fakes.raw_server import Conversation, read_request, resetting, saying, serving, silent

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl]

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Ended(NamedTuple):
    code: int
    out: bytes
    err: str
    files: dict[str, bytes]


def both(folder: Path, *words: str, files: dict[str, bytes] | None = None, redirection: str = "") -> None:
    """Run both in folders of their own with the same files, and compare all there is."""
    with ThreadPoolExecutor(2) as pool:
        commands = {"ours": REDOX_CURL, "curl": (str(CURL), "-q", "--http1.1")}
        ours, theirs = pool.map(
            lambda name: ended(folder / name, [*commands[name], *words], files or {}, redirection), commands
        )
    assert ours == theirs


def ended(folder: Path, line: Sequence[str], files: dict[str, bytes], redirection: str) -> Ended:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "sh", *line],
        capture_output=True, timeout=30, cwd=folder, env=environment,
    )  # fmt: skip
    err = re.sub(r"curl/[^ \n]+|\d+ (ms|milliseconds)", "V", done.stderr.decode())
    err = re.sub(r"(?<=Accept-Encoding: ).*?(?=\r)", "", err)
    out = re.sub(rb"curl/[^ \r\n]+", b"V", done.stdout)
    return Ended(done.returncode, out, err, {path.name: path.read_bytes() for path in folder.iterdir()})


@pytest.fixture(scope="module")
def local() -> Iterator[Servers]:
    with nginx(page=body(1000)) as running:
        yield running


@needs_nginx
@pytest.mark.parametrize(
    "words",
    ["-C - -o f", "-C 2000000", "-f -C 2000000", "-f -C - -o f", "-C - -o f -w %{http_code}", "-C 5 -o f"],
)
@pytest.mark.parametrize("size", [1000, 999, 1001])
def test_going_on_with_a_file_that_is_complete_adds_nothing_to_it(
    local: Servers, tmp_path: Path, words: str, size: int
) -> None:
    both(tmp_path, "-sS", *words.split(), local.http + "/page", files={"f": body(1001)[:size]})


@needs_nginx
@pytest.mark.parametrize(
    ("words", "redirection"),
    [
        ("-w x -o /dev/null", ">/dev/full"),
        ("-D /dev/full", ""),
        ("-D - -o /dev/null", ">/dev/full"),
        ("--trace-ascii /dev/full", ""),
        ("--trace /dev/full", ""),
        ("--trace-ascii - -o /dev/null", ">/dev/full"),
        ("--stderr /dev/full -v", ""),
        ("--etag-save /dev/full", ""),
        ("-c - -o /dev/null", ">/dev/full"),
        ("-w %{stderr}x -o f", "2>/dev/full"),
    ],
)
def test_what_goes_beside_the_body_may_be_lost_and_the_body_is_there(
    local: Servers, tmp_path: Path, words: str, redirection: str
) -> None:
    both(tmp_path, "-sS", *words.split(), local.http + "/page", redirection=redirection)


FAILURES: dict[str, tuple[Conversation, str]] = {
    "empty reply": (saying(), ""),
    "length not reached": (saying(OK + b"Content-Length: 10\r\n\r\nabc"), ""),
    "chunk not reached": (saying(CHUNKS + b"5\r\nabc"), ""),
    "no chunk": (saying(CHUNKS + b"zz\r\nabc"), ""),
    "more than the length": (saying(OK + b"Content-Length: 3\r\n\r\nabcdef"), ""),
    "reset": (resetting(), ""),
    "reset in the body": (resetting(OK + b"Content-Length: 10\r\n\r\nabc"), ""),
    "no head": (saying(b"abc"), ""),
    "silence": (silent, "-m 1"),
    "bad gzip": (saying(OK + b"Content-Length: 3\r\nContent-Encoding: gzip\r\n\r\nabc"), "--compressed"),
    "a line too long": (saying(OK + b"A: b\r\nX: " + b"y" * 120_000 + b"\r\n\r\nabc"), "-i"),
    "too many lines": (saying(OK + (b"X: " + b"y" * 1000 + b"\r\n") * 400 + b"\r\nabc"), "-i"),
    "no length": (saying(OK + b"A: b\r\nContent-Length: x\r\nB: c\r\n\r\nabc"), "-i"),
    "NUL in a header": (saying(OK + b"A: b\r\nB\0: c\r\n\r\nabc"), "-i"),
    "no colon": (saying(OK + b"A: b\r\nfoo\r\nC: d\r\n\r\nabc"), "-i"),
    "half a status": (saying(b"HTTP/1.1 2x0 OK\r\nA: b\r\n\r\nabc"), "-i"),
    "a status of four digits": (saying(b"HTTP/1.1 2000 OK\r\nA: b\r\n\r\nabc"), "-i"),
    "other family": (silent, "-6"),
    "one redirect too many": (
        saying(b"HTTP/1.1 301 No\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), "-L --max-redirs 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_verbose_says_why_a_transfer_failed_before_the_connection_closes(tmp_path: Path, name: str) -> None:
    server, words = FAILURES[name]
    with serving(server) as port:
        both(tmp_path, "-vsS", *words.split(), f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("said", [[], [OK + b"A: "]], ids=["nothing", "half a head"])
def test_a_proxy_that_closes_within_connect_has_aborted_it(tmp_path: Path, said: list[bytes]) -> None:
    with serving(saying(*said)) as port:
        both(tmp_path, "-vsS", "-x", f"http://127.0.0.1:{port}", "https://x.test/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_address_found_before_is_found_in_the_cache(tmp_path: Path, host: str) -> None:
    with serving(saying(OK + b"Content-Length: 3\r\nConnection: close\r\n\r\nabc")) as port:
        url = f"http://{host}:{port}/"
        both(tmp_path, "-4", "-vsS", url, url, "--next", "-4", "-vsS", url)


def echo(link: socket.socket) -> None:
    head = read_request(link)
    link.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(head) + head)


@pytest.mark.parametrize(
    "words",
    [
        "-x http://u:p@127.0.0.1:{port} -U x:y http://a.test/",
        "-x http://u@127.0.0.1:{port} -U x:y http://a.test/",
        "-x http://127.0.0.1:{port} -U x:y http://a.test/",
        "-b k=v -b x=y -b w=z http://127.0.0.1:{port}/",
        "-b k=v -c jar -b x=y http://127.0.0.1:{port}/",
        "--netrc-file /nonexistent http://127.0.0.1:{port}/",
        "--netrc-file /nonexistent --netrc-optional http://u:p@127.0.0.1:{port}/",
    ],
)
def test_the_request_is_the_same(tmp_path: Path, words: str) -> None:
    with serving(echo) as port:
        both(tmp_path, "-sS", *words.format(port=port).split())


@pytest.mark.parametrize(
    "words",
    [
        "--resolve a.test:{port}:127.0.0.1,x",
        "--resolve a.test:{port}:[::1",
        "--resolve bad",
        "--resolve a.test:{port}:127.0.0.9 --resolve a.test:{port}:127.0.0.1",
        "-4 --resolve a.test:{port}:[::1]",
        "-6 --resolve a.test:{port}:127.0.0.1",
        "-4 --resolve a.test:{port}:[::1],127.0.0.1",
        "--connect-to a.test:{port}:127.1:{port}",
        "--connect-to a.test:{port}:0x7f000001:{port}",
    ],
)
def test_addresses_of_ones_own_are_taken_and_refused_alike(tmp_path: Path, words: str) -> None:
    pattern = "RESOLVE|DNS cache|illegal|Connecting to host|curl:"
    with serving(echo) as port:
        line = f"-sSv {words} http://a.test:{{port}}/".format(port=port).split()
        same(tmp_path, *line, notes=pattern)


def test_each_attempt_tells_its_error_and_the_meter_has_one_head(tmp_path: Path) -> None:
    unavailable = saying(b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nabc")
    with serving(unavailable) as port:
        url = f"http://127.0.0.1:{port}/"
        both(tmp_path, "-f", "--no-progress-meter", "--retry", "1", url)
        both(tmp_path, "--no-progress-meter", "--retry", "1", "--retry-connrefused", "http://127.0.0.1:1/")
        done = ended(tmp_path / "ours", [*REDOX_CURL, "-f", "--retry", "1", url], {}, "")
    assert done.err.count("curl: (22)") == 2 and done.err.count("% Total") == 1
