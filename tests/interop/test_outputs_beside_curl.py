"""Files that transfers leave: ours and curl 7.88.1 leave the same, byte for byte, with the same times."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.beside_curl import COMMANDS, needs_curl_7_88
from tests.fakes.commands import REDOX_CURL, run
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

DIGITS = b"0123456789abcdefghij"
LAST_MODIFIED = b"Last-Modified: Tue, 05 Mar 2024 06:07:08 GMT\r\n"
ANSWERS = {
    "ok": (b"200 OK", b"", b"ok\n"),
    "digits": (b"200 OK", b"", DIGITS),
    "rest": (b"206 PC", b"Content-Range: bytes 10-19/20\r\n", DIGITS[10:]),
    "empty": (b"200 OK", b"", b""),
    "none": (b"204 NC", b"", None),
    "old": (b"304 NM", LAST_MODIFIED, None),
    "missing": (b"404 NF", b"", b"not found\n"),
    "short": (b"200 OK", b"Content-Length: 100\r\nConnection: close\r\n", None),
    "dated": (b"200 OK", LAST_MODIFIED, b"ok\n"),
    "ancient": (b"200 OK", b"Last-Modified: Wed, 01 Jan 1969 00:00:00 GMT\r\n", b"ok\n"),
}

# U is the server.
LINES = r"""
-C 0 -o ten U/digits
-C 00 -o ten U/digits
-C - -o ten U/rest
-C - -o ten U/digits
-C - -o new U/digits
-C - -o empty U/digits
-C - -o ten U/empty
-C - -o ten U/none
-C - -o ten U/old
-C - -o ten -d x=y U/digits
-C - -OJ U/ten
--remove-on-error -o ten http://127.0.0.1:1/
--remove-on-error -f -o ten U/missing
--remove-on-error --max-filesize 2 -o ten U/ok
--remove-on-error -o ten U/short
--remove-on-error -o new U/short
-R -o ten U/old
-R -o ten -z ten U/old
-R -o new U/dated
-R -o new U/ancient
-O U/a/b/..
-O U/a/b/.
-O U/..
-O U/a/b/../c
-O U/a\b
-O U/%2e%2e
--create-dirs -o one/two/ U/ok
--create-dirs -o one//two/three U/ok
--no-clobber -OJ U/J?filename=ten
--clobber -OJ U/J?filename=ten
-OJ U/J?filename=ten
-OJ U/J?filename=plain.bin
-OJ U/J?filename="a;b.bin";size=3
-OJ U/J?filename="a\"b"
-OJ U/J?filename="a\\b"
-OJ U/J?filename="c:\folder\w.txt"
-OJ U/J?filename="folder\"
-OJ U/J?filename="folder/"
-OJ U/J?filename="/"
-OJ U/J?filename=/
-OJ U/J?filename=/;x=y
-OJ U/J?filename="../../up"
-OJ U/J?filename=".."
-OJ U/J?filename=""
-OJ U/J?filename=
-OJ U/J?filename='it"s'
-OJ U/J?filename="open
-OJ U/J?filename*=UTF-8''star;filename=plain
-OJ U/J?xfilename=no
-OJ U/J?a=filename=no
-OJ U/J?name="n";filename="after"
-OJ U/J?filename==x
-OJ U/J?;;filename=x;
"""


class Left(NamedTuple):
    code: int
    out: bytes
    err: str
    files: dict[str, tuple[int, bytes, int | None]]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    def converse(link: socket.socket) -> None:
        while True:
            target = read_request(link).split(b" ")[1].decode()
            key, _, disposition = target[1:].partition("?")
            status, headers, body = ANSWERS.get(key, ANSWERS["ok"])
            if disposition:
                headers += b"Content-Disposition: attachment;" + disposition.encode() + b"\r\n"
            if body is not None:
                headers += b"Content-Length: %d\r\n" % len(body)
            link.sendall(b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + (body or b""))
            if key == "short":
                return

    with serving(converse) as port:
        yield port


def left(client: str, words: list[str], folder: Path) -> Left:
    folder.mkdir()
    for name, content in (("ten", DIGITS[:10]), ("empty", b"")):
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1e9, 1e9))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "no_proxy": "*"}
    done = subprocess.run(
        [*COMMANDS[client], "-sS", *words], capture_output=True, cwd=folder, env=environment, timeout=20
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    err = re.sub(r"after \d+ ms", "after N ms", done.stderr.decode())
    files = {str(path.relative_to(folder)): what(path) for path in sorted(folder.rglob("*"))}
    return Left(done.returncode, done.stdout, err, files)


def what(path: Path) -> tuple[int, bytes, int | None]:
    """Mode, content, and the time if it is not today's."""
    status = path.stat()
    is_new = path.is_dir() or status.st_mtime > 1.75e9
    return (
        status.st_mode,
        b"" if path.is_dir() else path.read_bytes(),
        None if is_new else int(status.st_mtime),
    )


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_a_transfer_leaves_the_files_that_curl_leaves(tmp_path: Path, port: int, line: str) -> None:
    words = line.replace("U/", f"http://127.0.0.1:{port}/").split(" ")
    ours, theirs = (left(client, words, tmp_path / client) for client in COMMANDS)
    assert ours == theirs


def test_only_files_are_removed_on_error(tmp_path: Path, port: int) -> None:
    """curl takes a FIFO away, and /dev/null where it may."""
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    url = f"http://127.0.0.1:{port}/short"
    done = run(REDOX_CURL, "-s", "--remove-on-error", "-o", str(tmp_path / "fifo"), url)
    os.close(reader)
    assert done.code == 18
    assert (tmp_path / "fifo").is_fifo()
