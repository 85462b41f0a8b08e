"""What a terminal is shown, and what it is spared."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.fakes.commands import CURL, REDOX_CURL, curl, needs_curl, redox_curl
from tests.fakes.raw_server import saying, serving

pytestmark = pytest.mark.interop

EVIL = (
    b"HTTP/1.1 200 O\x1b[31mK\r\nX-Title: \x1b]0;owned\x07\r\nX-Bell\x07: a\x9bb\r\n"
    b"X-Del: \x7f\r\nX-C1: \xc2\x9b1m\r\nX-Bidi: \xe2\x80\xaeevil\r\nX-Text: \xc3\xa9\tx\r\n"
    b"Location: /\x1b[2J\r\nSet-Cookie: a=b\x1b[1m; domain=x.y\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
PLAIN = b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
BINARY = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\na\0b"
REDOX = REDOX_CURL[:-1]


def on_a_terminal(*command: str, width: int = 0, **environment: str) -> tuple[int, bytes]:
    """Run with a terminal for standard output and error; return the exit code and what it was shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "COLUMNS": "79", **environment},
        )
    finally:
        os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:  # the last one who had it open is gone
        pass
    finally:
        os.close(ours)
    return process.wait(20), shown.replace(b"\r\n", b"\n")


def controls(shown: bytes) -> set[str]:
    text = shown.decode("utf-8", "surrogateescape")
    return {letter for letter in text if not letter.isprintable() and letter not in "\n\r\t"}


@pytest.mark.parametrize(
    "options",
    [
        ("-i",),
        ("-I",),
        ("-v",),
        ("-v", "-i", "-L", "--max-redirs", "0"),
        ("-D", "/dev/stderr"),
        ("-D", "-"),
        ("--trace-ascii", "-"),
        ("--trace", "%"),
        ("-w", "%header{x-title}%{stderr}%header{x-bell}%{header_json}%{redirect_url}%header{location}"),
        ("-c", "-", "-v"),
    ],
    ids=" ".join,
)
def test_no_control_of_a_servers_reaches_the_terminal(options: tuple[str, ...]) -> None:
    with serving(saying(EVIL)) as port:
        url = f"http://127.0.0.1:{port}/"
        _, shown = on_a_terminal(*REDOX, "-q", "--no-styled-output", *options, url)
    assert shown
    assert controls(shown) == set()


def test_what_is_shown_says_what_was_there() -> None:
    with serving(saying(EVIL)) as port:
        _, shown = on_a_terminal(*REDOX, "-q", "-si", "--no-styled-output", f"http://127.0.0.1:{port}/")
    lines = [line.rstrip(b"\r") for line in shown.split(b"\n")]
    assert lines[:2] == [b"HTTP/1.1 200 O\\x1b[31mK", b"X-Title: \\x1b]0;owned\\x07"]
    assert b"X-Bidi: \\u202eevil" in lines
    assert "X-Text: é\tx".encode() in lines


def test_a_file_gets_the_octets_as_they_came(tmp_path: Path) -> None:
    with serving(saying(EVIL)) as port:
        done = redox_curl("-si", f"http://127.0.0.1:{port}/")
    assert done.out == EVIL


def test_controls_in_an_error_or_a_warning_are_shown_as_what_they_are(tmp_path: Path) -> None:
    name = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n"
    disposition = b'Content-Disposition: attachment; filename="a\x1b[2Jb"\r\n\r\nx'
    with serving(saying(name + disposition)) as port:
        line = f"cd {tmp_path} && touch $(printf 'a\\033[2Jb') && exec \"$@\""
        url = f"http://127.0.0.1:{port}/x"
        code, shown = on_a_terminal("sh", "-c", line, "sh", *REDOX, "-q", "-JO", "--no-progress-meter", url)
    assert code == 23
    assert b"a\\x1b[2Jb: File exists" in shown
    assert controls(shown) == set()


@needs_curl
def test_names_are_bold_on_a_terminal_as_with_curl() -> None:
    with serving(saying(PLAIN)) as port:
        url = f"http://127.0.0.1:{port}/"
        theirs = on_a_terminal(CURL or "", "-q", "-si", url)
        assert on_a_terminal(*REDOX, "-q", "-si", url) == theirs
        plain = on_a_terminal(CURL or "", "-q", "-si", "--no-styled-output", url)
        assert on_a_terminal(*REDOX, "-q", "-si", "--no-styled-output", url) == plain
        assert on_a_terminal(*REDOX, "-q", "-si", url, NO_COLOR="1") == plain
        assert redox_curl("-si", url).out == curl("-si", url).out


@needs_curl
@pytest.mark.parametrize(
    "options", [(), ("-s",), ("-sS",), ("-o", "-"), ("-i",), ("-o", "/dev/null")], ids=" ".join
)
def test_a_terminal_is_spared_what_is_no_text_as_with_curl(options: tuple[str, ...]) -> None:
    with serving(saying(BINARY)) as port:
        url = f"http://127.0.0.1:{port}/"
        ours, theirs = (
            on_a_terminal(*client, "-q", "--no-progress-meter", "--no-styled-output", *options, url)
            for client in (REDOX, (CURL or "",))
        )
    assert ours == theirs


@needs_curl
@pytest.mark.parametrize("columns", ["", "0", "10", "20", "21", "40", "300", "10000", "x", "-5"])
def test_the_bar_is_as_wide_as_columns_says_where_that_is_a_width(tmp_path: Path, columns: str) -> None:
    with serving(saying(PLAIN)) as port:
        words = ("-q", "-#", "-o", str(tmp_path / "f"), f"http://127.0.0.1:{port}/")
        theirs = on_a_terminal(CURL or "", *words, COLUMNS=columns)
        assert on_a_terminal(*REDOX, *words, COLUMNS=columns) == theirs


@pytest.mark.parametrize(("width", "length"), [(0, 79), (1, 79), (6, 79), (20, 79), (21, 21), (200, 200)])
def test_a_terminal_says_how_wide_the_bar_is_unless_it_is_too_narrow(
    tmp_path: Path, width: int, length: int
) -> None:
    with serving(saying(PLAIN)) as port:
        url = f"http://127.0.0.1:{port}/"
        code, shown = on_a_terminal(
            *REDOX, "-q", "-#", "-o", str(tmp_path / "f"), url, width=width, COLUMNS=""
        )
    assert code == 0
    assert shown == b"\r" + b"#" * (length - 7) + b" 100.0%\n"
