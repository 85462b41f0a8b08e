"""-Z and --retry over real sockets: beside curl, and cut off in the middle."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.commands import CURL, REDOX_CURL, needs_curl
from tests.fakes.local_servers import body, needs_nginx, nginx
from tests.fakes.raw_server import read_request, serving, silent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
SPEED_AND_TIME = re.compile(r"(?:[ -]\d?[\d:-]\d:[\d-]\d:[\d-]\d|--:--:--) {1,2}.{8} .{8} .{5}")


def small(link: socket.socket) -> None:
    """Answers by the path: its name as the body, /404/, /busy/ and /cookie/ as they are called."""
    while True:
        path = read_request(link).split()[1].decode()
        status = {"404": "404 No", "busy": "503 Busy"}.get(path.split("/")[1], "200 OK")
        cookie = f"Set-Cookie: {path.split('/')[-1]}=1\r\n" if "cookie" in path else ""
        link.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(path)}\r\n{cookie}\r\n{path}".encode())


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(small) as number:
        yield number


@needs_curl
@pytest.mark.parametrize(
    "words",
    [
        "{u}/a",
        "-s {u}/a -o /dev/null",
        "--no-progress-meter -f {u}/404/x {u}/b -o f",
        "-f {u}/404/x -o f",
        "{u}/a --next -o x",
        "--parallel-max 0 --no-progress-meter {u}/a",
        "--parallel-max -3 {u}/a",
        "--parallel-max 99999999999999999999 {u}/a",
        "--parallel-immediate {u}/a -o f",
        "--no-parallel {u}/a -sS",
        "--retry 1 {u}/busy/x -o f",
        "--no-progress-meter ftpx://a/ -o f {u}/b -o g",
        "{u}/a -o f {u}/ -O",
        "-sS {u}/a -o f {u}/ -O",
        "{u}/a -o f http://a/[ -o g",
        "{u}/b -T none",
        "{u}/b -o x -o y",
        "--no-progress-meter -v {u}/a -o f",
        "--no-progress-meter -c - -b '' {u}/cookie/a -o f",
        "--no-progress-meter -D h {u}/a -o f",
        "--no-progress-meter -w %{{urlnum}}:%{{exitcode}} {u}/a -o f",
        "-sS --fail-early --parallel-max 1 -w %{{urlnum}}:%{{exitcode}}_ http://127.0.0.1:1/ {u}/b {u}/c",
        "--no-progress-meter -N -o /dev/full {u}/a",
        "--no-progress-meter --no-clobber -o f {u}/a",
        "--no-progress-meter --create-dirs --output-dir d -o e/f {u}/a",
    ],
)
def test_side_by_side_does_what_curl_does(port: int, tmp_path: Path, words: str) -> None:
    arguments = words.format(u=f"http://127.0.0.1:{port}")
    commands = {"ours": " ".join(REDOX_CURL), "curl": f"{CURL} -q --http1.1"}

    def run(name: str) -> tuple[int, bytes, str, dict[str, bytes]]:
        folder = tmp_path / name
        folder.mkdir()
        line = f"{commands[name]} -Z {arguments}"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, cwd=folder, env=ENVIRONMENT, timeout=30
        )
        err = re.sub(r"curl/[^ \r\n]+|\d+ ms|try 'curl --help'.*", "V", done.stderr.decode())
        err = SPEED_AND_TIME.sub("T", re.sub(r"(\n\r|\r)+(?=.*T)", "\r", err))
        files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
        return done.returncode, done.stdout, _last_line_of_meter(err), files

    with ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(run, commands)
    assert ours == theirs


def _last_line_of_meter(err: str) -> str:
    """How many lines the meter has is a matter of time: the first and the last count."""
    return re.sub(r"(\r[^\r\n]*T +)(?:\r[^\r\n]*T +)*(\r[^\r\n]*T +\n)", r"\1\2", err)


@needs_nginx
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_five_hundred_files_arrive_whole(scheme: str, tmp_path: Path) -> None:
    with nginx(page=body(100_000)) as local:
        url = f"{getattr(local, scheme)}/page?[1-500]"
        line = [*REDOX_CURL, "-sSZ", "--no-progress-meter", "--cacert", local.ca, "-o", "#1", url]
        done = subprocess.run(line, capture_output=True, cwd=tmp_path, env=ENVIRONMENT, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(1, 501)}
    assert all(path.read_bytes() == body(100_000) for path in tmp_path.iterdir())


# ---- cut off


class Halting:
    """Sends part of each body and no more; `reached` when `wanted` clients wait."""

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.reached = threading.Event()
        self.guard = threading.Lock()

    def __call__(self, link: socket.socket) -> None:
        read_request(link)
        link.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: new=1\r\nContent-Length: 1000\r\n\r\nabc")
        with self.guard:
            self.left -= 1
            if not self.left:
                self.reached.set()
        silent(link)


def wait_for(files: list[Path]) -> None:
    end = time.monotonic() + 20
    while not all(file.exists() and file.read_bytes() == b"abc" for file in files):
        assert time.monotonic() < end, "the bodies do not arrive"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_ends_all_within_a_second_and_keeps_what_came(
    number: signal.Signals, tmp_path: Path
) -> None:
    halting = Halting(60)
    old = "# Netscape HTTP Cookie File\nold.test\tFALSE\t/\tFALSE\t0\tk\tv\n"
    (tmp_path / "jar").write_text(old)
    with serving(halting) as port:
        words = ["-sZ", "--parallel-max", "60", "-b", "jar", "-c", "jar", "-o", "f#1"]
        process = subprocess.Popen(
            [*REDOX_CURL, *words, f"http://127.0.0.1:{port}/[1-1000]"],
            cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert halting.reached.wait(20)
        wait_for([tmp_path / f"f{one}" for one in range(1, 61)])
        process.send_signal(number)
        began = time.monotonic()
        _, err = process.communicate(timeout=10)
        assert time.monotonic() - began < 1.0
    assert b"Traceback" not in err
    assert process.returncode == -number
    jar = (tmp_path / "jar").read_text()
    assert jar == old or ("old.test" in jar and jar.endswith("\n") and "\tnew\t1\n" in jar)
    assert {path.name for path in tmp_path.iterdir()} == {"jar", *(f"f{one}" for one in range(1, 61))}


# ---- again


class Breaking:
    """A server with ranges and a strong tag that breaks off each answer but the last."""

    def __init__(self, content: bytes, pieces: int) -> None:
        self.content = content
        self.left = pieces
        self.starts: list[int] = []

    def __call__(self, link: socket.socket) -> None:
        request = read_request(link)
        asked = re.search(rb"Range: bytes=(\d+)-\r\nIf-Range: \"tag\"\r\n", request)
        start, size = int(asked[1]) if asked else 0, len(self.content)
        self.starts.append(start)
        part = b"Content-Range: bytes %d-%d/%d\r\n" % (start, size - 1, size) if asked else b""
        head = b'HTTP/1.1 %s\r\n%sETag: "tag"\r\nAccept-Ranges: bytes\r\nContent-Length: %d\r\n\r\n'
        link.sendall(head % (b"206 Partial Content" if asked else b"200 OK", part, size - start))
        self.left -= 1
        link.sendall(self.content[start : start + size // 3] if self.left else self.content[start:])


@needs_curl
@pytest.mark.parametrize("option", [(), ("-Z", "--no-progress-meter")], ids=["", "-Z"])
def test_a_download_that_breaks_twice_is_as_whole_as_curls_and_fetched_once(
    option: tuple[str, ...], tmp_path: Path
) -> None:
    content = body(3_000_000)
    starts, ended = {}, {}
    for name, command in {"ours": REDOX_CURL, "curl": (str(CURL), "-q")}.items():
        breaking = Breaking(content, 3)
        with serving(breaking) as port:
            words = ["-sS", *option, "--retry", "3", "--retry-all-errors", "--retry-delay", "1", "-o", name]
            done = subprocess.run(
                [*command, *words, f"http://127.0.0.1:{port}/"],
                cwd=tmp_path, env=ENVIRONMENT, capture_output=True, timeout=30,
            )  # fmt: skip
        assert (tmp_path / name).read_bytes() == content
        starts[name] = breaking.starts
        ended[name] = (done.returncode, re.sub(rb"\d{3,}", b"N", done.stderr))
    assert starts == {"ours": [0, 1_000_000, 2_000_000], "curl": [0, 0, 0]}
    assert ended["ours"] == ended["curl"]


@needs_nginx
def test_nginx_gives_the_rest_for_its_own_tag_and_all_for_another(tmp_path: Path) -> None:
    from pycurl_redox import get

    with nginx(page=body(1000)) as local:
        tag = get(f"{local.http}/page").headers["etag"]
        for sent, status in ((tag, 206), ('"other"', 200)):
            response = get(f"{local.http}/page", headers={"Range": "bytes=400-", "If-Range": sent})
            assert response.status == status
