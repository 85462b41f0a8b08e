"""Files, signals and replies that mean ill, from outside: curl's code and words, bounded, nothing lost."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.commands import CURL, REDOX_CURL, Done, needs_curl, redox_curl, run, side_by_side
from tests.fakes.raw_server import Conversation, endlessly, read_request, saying, serving, silent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
OK = b"HTTP/1.1 200 OK\r\n"
TEN = OK + b"Content-Length: 10\r\n\r\n0123456789"
OURS = (*REDOX_CURL,)
THEIRS = (CURL or "curl", "-q", "--http1.1")


class Ending:
    """A command in a folder of its own: how it ended, and what it left there."""

    def __init__(self, done: Done, folder: Path) -> None:
        shown = re.sub(r"port \d+", "port P", re.sub(r"after \d+ ms", "after N ms", done.err))
        self.code, self.out, self.err = done.code, done.out, shown
        self.files = {
            str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.is_file() and path.read_bytes())
            for path in sorted(folder.rglob("*"))
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ending) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return repr(vars(self))


def endings(folder: Path, server: Conversation, *words: str) -> tuple[Ending, Ending]:
    """Ours and curl's of the same command line; `{url}` in it is the server's."""
    found = []
    with serving(server) as port:
        for name, command in (("ours", OURS), ("theirs", THEIRS)):
            (own := folder / name).mkdir()
            line = [word.format(url=f"http://127.0.0.1:{port}") for word in words]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            found.append(Ending(run(command, *line, cwd=own, env=environment, umask=0o022), own))
    return found[0], found[1]


# Folders and files that cannot be made, or be read


LONG = "n" * 300
LINES = {
    "a folder below a file": "-sS --create-dirs -o /dev/null/a/b {url}/1 -o ok {url}/2",
    "the same, silently": "-s --create-dirs -o /dev/null/a/b {url}/1 -o ok {url}/2",
    "the same, side by side": "-sSZ --no-progress-meter --create-dirs -o /dev/null/a/b {url}/1 -o ok {url}/2",
    "a folder with a name too long": f"-sS --create-dirs -o {LONG}/x {{url}}/1",
    "folders that are made": "-sS --create-dirs -o p/q/r/x {url}/1",
    "folders that are made for nothing": "-sS --create-dirs -o p/q/r/x http://127.0.0.1:1/",
    "folders by --output-dir": "-sS --create-dirs --output-dir p/q -O {url}/name",
    "an upload that is not there": "-sS -T none -o a {url}/1 --next -sS -o b {url}/2",
    "an upload that is not there, silently": "-s -T none -o a {url}/1",
    "no etag to compare": "-sS --etag-compare none -o a {url}/1 --next -sS -o b {url}/2",
    "no etag to compare, told": "--no-progress-meter --etag-compare none -o a {url}/1",
    "no etag to compare, and one to save": "-sS --etag-compare none --etag-save none {url}/1",
    "no etag can be saved": "--no-progress-meter --etag-save /none/x {url}/1",
    "no etag can be saved, silently": "-sS --etag-save /none/x -o a {url}/1 -o b {url}/2",
    "no etag can be saved for one": "-sS -o a {url}/1 --next -sS --etag-save /none/x -o b {url}/2",
    "headers that are a folder": "-sS -H @/ {url}/1",
    "errors that go nowhere": "-s -o a {url}/1 --stderr /none/x",
    "a name without a name, side by side": "-sS -Z --no-progress-meter -O {url}/ -o a {url}/2",
}  # fmt: skip


@needs_curl
@pytest.mark.parametrize("name", LINES)
def test_what_cannot_be_opened_is_told_of_as_by_curl(tmp_path: Path, name: str) -> None:
    ours, theirs = endings(tmp_path, saying(TEN), *LINES[name].split())
    assert ours == theirs


NAMES = ["..", ".", "/", "", '""', '"../x"', "x/", "a\\", "..; filename=y", "../../x", "a\\b", LONG]


@needs_curl
@pytest.mark.parametrize("name", NAMES)
def test_a_name_from_a_server_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    head = OK + b"Content-Disposition: attachment; filename=%s\r\n" % name.encode()
    ours, theirs = endings(tmp_path, saying(head + b"Content-Length: 2\r\n\r\nok"), "-sSOJ", "{url}/f")
    assert ours == theirs


@needs_curl
def test_a_name_from_a_server_takes_no_files_place(tmp_path: Path) -> None:
    head = OK + b"Content-Disposition: attachment; filename=x\r\nConnection: close\r\n"
    server = saying(head + b"Content-Length: 2\r\n\r\nok")
    ours, theirs = endings(tmp_path, server, "-sSOJ", "{url}/f", "-sSOJ", "{url}/f")
    assert ours == theirs
    assert ours.code == 23 and ours.files["x"][1] == b"ok"


# Files that are no text


def test_a_header_from_a_file_ends_at_a_nul(tmp_path: Path) -> None:
    """One octet of a file must not keep the request from being sent."""
    (tmp_path / "headers").write_bytes(b"X: a\0b\n")
    (tmp_path / "etag").write_bytes(b'"e\0f"\n')
    seen: list[bytes] = []

    def converse(link: object) -> None:
        seen.append(read_request(link))  # type: ignore[arg-type]
        link.sendall(TEN)  # type: ignore[attr-defined]

    with serving(converse) as port:
        url = f"http://127.0.0.1:{port}/"
        both = side_by_side("-H", f"@{tmp_path}/headers", "--etag-compare", f"{tmp_path}/etag", "-sS", url)
    assert all(done is None or (done.code, done.out) == (0, b"0123456789") for done in both)
    assert all(b"\r\nX: a\r\n" in each and b'\r\nIf-None-Match: "e\r\n' in each for each in seen)


MACHINES = {
    "an open quote": (b'machine 127.0.0.1 login "abc password y\n', 26, "curl: (26) .netrc parser error\n"),
    "a line with a NUL": (b'machine x\0 "\nmachine y login q\nmachine 127.0.0.1 login u password p\n', 0, ""),
    "a line that is too long": (b"x" * 5000 + b"\nmachine 127.0.0.1 login u password p\n", 0, ""),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_netrc_that_is_no_text_is_read_as_by_curl(tmp_path: Path, name: str) -> None:
    content, code, err = MACHINES[name]
    (tmp_path / "netrc").write_bytes(content)
    seen: list[bool] = []

    def converse(link: object) -> None:
        seen.append(b"\r\nAuthorization: Basic dTpw\r\n" in read_request(link))  # type: ignore[arg-type]
        link.sendall(TEN)  # type: ignore[attr-defined]

    with serving(converse) as port:
        words = ("-sS", "--netrc-file", f"{tmp_path}/netrc", f"http://127.0.0.1:{port}/")
        ours, theirs = side_by_side(*words)
    assert (ours.code, ours.err) == (code, err)
    assert theirs is None or (theirs.code, theirs.err) == (code, err)
    assert all(seen)


ENDLESS = ["--netrc-file", "-K", "-b", "-H", "-w", "--etag-compare", "--cacert", "-d"]


@pytest.mark.parametrize("option", ENDLESS)
def test_a_file_without_end_is_given_up_within_bounds(option: str) -> None:
    """Without the limit here it would take the machine's memory; whatever comes out is no traceback."""
    at = "@" if option in ("-H", "-w", "-d") else ""
    scheme = "https" if option == "--cacert" else "http"

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (5 << 29, 5 << 29))

    with serving(saying(TEN)) as port:
        words = ("-sS", "-m", "5", option, f"{at}/dev/zero", f"{scheme}://127.0.0.1:{port}/")
        done = run(REDOX_CURL, *words, preexec_fn=limited, cwd=ROOT)
    assert done.code in (0, 2, 26, 77)


# Time limits and signals


def test_the_time_limit_holds_while_nothing_comes_out_of_a_decoder() -> None:
    """A gzip header may hold a file name; one without end decodes to nothing, as fast as it comes."""
    head = OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08" + bytes(6)
    with serving(endlessly(head, b"a" * 65_536)) as port:
        done = redox_curl("-sS", "--compressed", "-m", "0.5", f"http://127.0.0.1:{port}/")
    found = re.search(r"timed out after (\d+) milliseconds", done.err)
    assert done.code == 28 and found is not None
    assert int(found.group(1)) < 900


def test_the_time_limit_holds_while_a_body_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"abc")
    with serving(endlessly(b"HTTP/1.1 416 R\r\n\r\n", bytes(65_536))) as port:
        words = ("-sS", "-m", "0.5", "-C", "-", "-o", f"{tmp_path}/part", f"http://127.0.0.1:{port}/")
        done = redox_curl(*words)
    found = re.search(r"timed out after (\d+) milliseconds", done.err)
    assert done.code == 28 and found is not None
    assert int(found.group(1)) < 900
    assert (tmp_path / "part").read_bytes() == b"abc"


@pytest.fixture
def waiting() -> Iterator[tuple[int, threading.Event]]:
    """The port of a server that lets a client wait in the body, and the news that it does."""
    reached = threading.Event()

    def converse(link: object) -> None:
        read_request(link)  # type: ignore[arg-type]
        link.sendall(OK + b"Set-Cookie: a=new\r\nContent-Length: 10\r\n\r\n01234")  # type: ignore[attr-defined]
        reached.set()
        silent(link)  # type: ignore[arg-type]

    with serving(converse) as port:
        yield port, reached


@pytest.mark.parametrize("extra", [(), ("-Z",)], ids=["in turn", "side by side"])
def test_ctrl_c_ends_the_shell_script_around_the_command_as_well(
    waiting: tuple[int, threading.Event], tmp_path: Path, extra: tuple[str, ...]
) -> None:
    """A shell goes on behind a command that exits with any code, not behind one that a signal ended."""
    port, reached = waiting
    jar = tmp_path / "jar"
    jar.write_bytes(b"old")
    words = ["-s", *extra, "-c", str(jar), "-o", str(tmp_path / "part"), f"http://127.0.0.1:{port}/"]
    script = f'"$@"; echo went on > {tmp_path}/after'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *REDOX_CURL, *words], start_new_session=True, stderr=subprocess.PIPE
    )
    with process:
        try:
            assert reached.wait(10)
            deadline = threading.Event()
            while not (tmp_path / "part").exists():
                assert process.poll() is None
                deadline.wait(0.01)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            _, err = process.communicate(timeout=5)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGINT
    assert not (tmp_path / "after").exists()
    assert b"Traceback" not in err
    assert (tmp_path / "part").read_bytes() == b"01234" and jar.read_bytes() == b"old"


# Status lines that are none


STATUS_LINES = [
    "HTTP/9.9 200 OK", "HTTP/3 200 OK", "HTTP/1.2 200 OK", "HTTP/0.9 200 OK", "HTTP/1.1 abc", "HTTP/1.1",
    "HTTP/1.x 200 OK", "HTTP/11 200 OK", "HTTP/ 200 OK", "HTTP/1 200 OK", "HTTP/1.10 200 OK", "HTTP/1.2 abc",
    "HTTP/1.1\t200 OK", "HTTP/1.1x200 OK", "http/1.1 200 OK", "Http/1.1 200 OK", "HTTP /1.1 200 OK",
]  # fmt: skip


@needs_curl
@pytest.mark.parametrize("line", STATUS_LINES)
def test_a_status_line_that_is_none_gets_curls_words(line: str) -> None:
    with serving(saying(line.encode() + b"\r\nContent-Length: 5\r\n\r\nhello")) as port:
        ours, theirs = side_by_side("-sSi", f"http://127.0.0.1:{port}/")
    assert theirs is not None
    assert (ours.code, ours.err, ours.out) == (theirs.code, theirs.err, theirs.out)
