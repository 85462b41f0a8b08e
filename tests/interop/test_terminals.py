"""What a terminal is shown, and what it is spared."""

import os
import pty
import subprocess
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


def on_a_terminal(*command: str, **environment: str) -> tuple[int, bytes]:
    """Run with a terminal for standard output and error; return the exit code and what it was shown."""
    ours, theirs = pty.openpty()
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
