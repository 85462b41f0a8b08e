"""`--crlf`, `-B` and `--xattr`, with real files."""

import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.commands import REDOX_CURL, curl, needs_curl, redox_curl, run
from tests.fakes.raw_server import read_request, saying, serving, silent

pytestmark = pytest.mark.interop

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/x; charset=a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"


@pytest.fixture
def attributed(tmp_path: Path) -> Iterator[Path]:
    try:
        os.setxattr(tmp_path, "user.test", b"x")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    yield tmp_path


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in sorted(os.listxattr(path))}


@needs_curl
@pytest.mark.parametrize(
    "options", [(), ("-e", "http://ref/;auto"), ("-I",), ("-f",)], ids=lambda words: " ".join(words)
)
def test_a_file_is_told_where_it_came_from(attributed: Path, options: tuple[str, ...]) -> None:
    with serving(saying(OK)) as port:
        url = f"http://user:secret@127.0.0.1:{port}/a/../b?q#f"
        for client, name in ((redox_curl, "ours"), (curl, "theirs")):
            assert client("-sS", "--xattr", *options, "-o", str(attributed / name), url).code == 0
    assert attributes(attributed / "ours") == attributes(attributed / "theirs")
    assert b"secret" not in attributes(attributed / "ours")["user.xdg.origin.url"]


@needs_curl
def test_a_file_system_that_refuses_is_warned_of() -> None:
    with serving(saying(OK)) as port:
        line = ("--no-progress-meter", "--xattr", "-o", "/dev/null", f"http://127.0.0.1:{port}/")
        ours, theirs = redox_curl(*line), curl(*line)
    assert (ours.code, ours.err) == (theirs.code, theirs.err)
    assert "Error setting extended attributes on '/dev/null'" in ours.err


@pytest.mark.parametrize("upload", ["-", "."])
def test_what_comes_down_a_pipe_goes_out_at_once(upload: str) -> None:
    """And the head before it: the server may answer while the body is still to come."""
    received: queue.Queue[bytes] = queue.Queue()

    def converse(link):
        received.put(read_request(link).partition(b"\r\n\r\n")[0])
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data = link.recv(65_536)
            received.put(data)
        link.sendall(OK)

    with serving(converse) as port:
        line = [*REDOX_CURL, "-sS", "-H", "Expect:", "-T", upload, f"http://127.0.0.1:{port}/"]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as command:
            assert command.stdin is not None
            assert received.get(timeout=10).startswith(b"PUT / HTTP/1.1\r\n")
            for piece in (b"one", b"two"):
                command.stdin.write(piece)
                command.stdin.flush()
                assert received.get(timeout=10) == b"3\r\n" + piece + b"\r\n"
            out, _ = command.communicate(timeout=10)
    assert (command.returncode, out) == (0, b"x")


def test_an_upload_that_does_not_come_meets_the_time_limit() -> None:
    ours, theirs = os.pipe()
    try:
        with serving(silent) as port:
            line = [*REDOX_CURL, "-sS", "-m", "0.3", "-T", "-", f"http://127.0.0.1:{port}/", "-H", "Expect:"]
            done = subprocess.run(line, stdin=ours, timeout=10, capture_output=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (done.returncode, done.stdout) == (28, b"")


@pytest.mark.parametrize("option", ["--crlf", "-B"])
@pytest.mark.parametrize("from_pipe", [False, True])
def test_an_uploads_lines_end_with_crlf(tmp_path: Path, option: str, from_pipe: bool) -> None:
    source = tmp_path / "text"
    source.write_bytes(b"one\ntwo\n" * 40_000)
    received = bytearray()
    done = threading.Event()

    def converse(link):
        head = read_request(link)
        link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        chunked = b"chunked" in head
        wanted = b"\r\n0\r\n\r\n"
        length = 0 if chunked else int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while not received.endswith(wanted) if chunked else len(received) < length:
            received.extend(link.recv(65_536))
        link.sendall(OK)
        done.set()

    with serving(converse) as port:
        url = f"http://127.0.0.1:{port}/"
        upload = "-" if from_pipe else str(source)
        ended = run(REDOX_CURL, "-sS", option, "-T", upload, url, input=source.read_bytes())
        assert ended.code == 0 and done.wait(5)
    body = bytes(received)
    if from_pipe:
        body = unchunked(body)
    assert body == b"one\r\ntwo\r\n" * 40_000


def unchunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return out
