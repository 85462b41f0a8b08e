"""Servers that mean ill: each ends with a named error and curl's code, in bounded memory and time."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.fakes.commands import redox_curl, side_by_side
from tests.fakes.raw_server import Conversation, endlessly, read_request, saying, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow]

MEMORY = 80 << 20
"""Octets that a fetch may take at its peak, whatever the server does; an honest one takes 50 MB here."""
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = OK + b"Content-Encoding: gzip\r\n"
FLOOD = bytes(65_536)


class Case(NamedTuple):
    server: Conversation
    code: int
    message: str
    arguments: tuple[str, ...] = ()
    like_curl: bool = True
    """Whether the curl that is installed ends with the same code; it sets fewer bounds than later ones."""


def redirecting(link: socket.socket) -> None:
    while True:
        read_request(link)
        link.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


def dripping(head: bytes, piece: bytes) -> Conversation:
    """A slow loris: an octet now and then, so that something is always to come."""

    def converse(link: socket.socket) -> None:
        read_request(link)
        link.sendall(head)
        while True:
            link.sendall(piece)
            threading.Event().wait(0.05)

    return converse


def framed(line: bytes) -> Conversation:
    return saying(CHUNKED + line + b"\r\nhello\r\n0\r\n\r\n")


TIMED_OUT = "(28) Operation timed out after N milliseconds with "
NO_DATA = "(56) More than 307200 octets without data in chunked-encoding"
BAD_HEX = "(56) Illegal or missing hexadecimal sequence in chunked-encoding"

CASES = {
    "endless headers": Case(
        endlessly(OK, b"X-Filler: " + b"y" * 50 + b"\r\n"), 56, "(56) Too large response headers: ",
        like_curl=False,
    ),
    "a header line without end": Case(endlessly(OK + b"X: ", b"y" * 65_536), 27, "(27) Out of memory"),
    "a status line without end": Case(endlessly(b"HTTP/1.1 200 ", b"y" * 65_536), 27, "(27) Out of memory"),
    "endless interim responses": Case(
        endlessly(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"), 56,
        "(56) Too large response headers: ", like_curl=False,
    ),
    "endless redirects": Case(redirecting, 47, "(47) Maximum (50) redirects followed", ("-L",)),
    "a chunk of less than nothing": Case(framed(b"-5"), 56, BAD_HEX),
    "a chunk size that is no number": Case(framed(b"zz"), 56, BAD_HEX),
    "a chunk size of sixty-eight digits": Case(framed(b"f" * 68), 56, "(56) "),
    "a chunk size without end": Case(endlessly(CHUNKED, b"0" * 65_536), 56, "(56) "),
    "a chunk extension without end": Case(
        endlessly(CHUNKED + b"5;", b"a" * 65_536), 56, NO_DATA,
        like_curl=False,
    ),
    "endless trailers": Case(
        endlessly(CHUNKED + b"0\r\n", b"A: b\r\n"), 56, NO_DATA,
        like_curl=False,
    ),
    "a chunk of eight exabytes": Case(
        endlessly(CHUNKED + b"7fffffffffffffff\r\n", FLOOD), 28, TIMED_OUT, ("-m", "0.6", "-o", "/dev/null"),
    ),
    "a body without end": Case(
        endlessly(OK + b"\r\n", FLOOD), 28, TIMED_OUT, ("-m", "0.6", "-o", "/dev/null"),
    ),
    "more than the user takes": Case(
        endlessly(OK + b"\r\n", FLOOD), 63, "(63) ", ("--max-filesize", "100000", "-o", "/dev/null"),
        like_curl=False,
    ),
    "a length of less than nothing": Case(
        saying(OK + b"Content-Length: -5\r\n\r\nabc"), 8, "(8) Invalid Content-Length: value",
    ),
    "two lengths that differ": Case(
        saying(OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc"), 8,
        "(8) Invalid Content-Length: value", like_curl=False,
    ),
    "a header with a NUL": Case(saying(OK + b"X: a\0b\r\n\r\nabc"), 8, "(8) Nul byte in header"),
    "a header without a colon": Case(saying(OK + b"none\r\n\r\nabc"), 8, "(8) Header without colon"),
    "a status that is no number": Case(saying(b"HTTP/1.1 abc OK\r\n\r\nabc"), 1, "(1) "),
    "a version of the future": Case(saying(b"HTTP/9.9 200 OK\r\n\r\nabc"), 1, "(1) "),
    "another protocol": Case(
        saying(b"SSH-2.0-OpenSSH_9\r\n"), 1, "(1) Received HTTP/0.9 when not allowed",
    ),
    "a redirect to a file": Case(
        saying(b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n"), 1, "(1) ", ("-L",),
    ),
    "a redirect to nowhere": Case(
        saying(b"HTTP/1.1 302 F\r\nLocation: http://[::/\r\n\r\n"), 3, "(3) ", ("-L",),
    ),
    "a coding nobody knows": Case(
        saying(OK + b"Content-Encoding: zork\r\n\r\nabc"), 61, "(61) Unrecognized content encoding type.",
        ("--compressed",),
    ),
    "six codings upon each other": Case(
        saying(OK + b"Content-Encoding: " + b"gzip," * 5 + b"gzip\r\n\r\nabc"), 61,
        "(61) Reject response due to more than 5 content encodings", ("--compressed",),
    ),
    "what is called gzip and is not": Case(
        saying(GZIPPED + b"\r\nthis is no gzip"), 61,
        "(61) Error while processing content unencoding: incorrect header check", ("--compressed",),
    ),
    "a head that drips": Case(dripping(OK, b"y"), 28, TIMED_OUT, ("-m", "0.6")),
    "a body that drips": Case(dripping(OK + b"\r\n", b"y"), 28, TIMED_OUT, ("-m", "0.6")),
    "interim responses that drip": Case(
        dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), 28, TIMED_OUT, ("-m", "0.6"),
    ),
    "a body too slow for the user": Case(
        dripping(OK + b"\r\n", b"y"), 28,
        "(28) Operation too slow. Less than 1000 bytes/sec transferred the last 1 seconds",
        ("--speed-limit", "1000", "--speed-time", "1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_server_gets_a_named_error_and_no_memory(name: str) -> None:
    case = CASES[name]
    with serving(case.server) as port:
        arguments = ("-sS", *case.arguments, f"http://127.0.0.1:{port}/")
        ours, theirs = side_by_side(*arguments) if case.like_curl else (redox_curl(*arguments), None)
    assert theirs is None or theirs.code == case.code
    assert ours.code == case.code, ours
    assert ours.message.startswith(f"curl: {case.message}")
    assert ours.peak < MEMORY


def bomb(mebioctets: int) -> bytes:
    """Zeros, a thousandth of their size."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join(squeeze.compress(block) for _ in range(mebioctets)) + squeeze.flush()


BOMBS: dict[str, tuple[bytes, Callable[[], bytes]]] = {
    "gzip": (b"gzip", lambda: bomb(96)),
    "gzip in gzip": (b"gzip, gzip", lambda: gzip.compress(bomb(96))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_swells_a_thousandfold_is_handed_on_in_pieces(name: str) -> None:
    coding, make = BOMBS[name]
    body = make()
    assert len(body) < 200_000
    head = OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))
    arguments = ("-sS", "--compressed", "-o", "/dev/null", "-w", "%{size_download}")
    with serving(saying(head + body)) as port:
        done = redox_curl(*arguments, f"http://127.0.0.1:{port}/")
    assert (done.code, done.peak < MEMORY) == (0, True), done


def test_a_bomb_that_swells_without_end_ends_at_the_time_limit() -> None:
    block = bytes(1 << 20)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    more = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    with serving(endlessly(GZIPPED + b"\r\n" + start, more * 50)) as port:
        done = redox_curl("-sS", "--compressed", "-m", "0.6", "-o", "/dev/null", f"http://127.0.0.1:{port}/")
    assert done.message.startswith(f"curl: {TIMED_OUT}")
    assert (done.code, done.peak < MEMORY) == (28, True), done
