"""Responses of every shape: ours and curl 7.88.1 print, say and return the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.exchanges import same_exchange

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

OK = b"HTTP/1.1 200 OK\r\n"
THREE = b"Content-Length: 3\r\n\r\nabc"
URL = "http://127.0.0.1:@PORT@/x"
END = b"0\r\n\r\n"
ABC = b"3\r\nabc\r\n"

CHUNKED = {
    "as usual": ABC + END,
    "bare LF": b"3\nabc\n0\n\n",
    "blanks before an extension": b"3 ;x=y\r\nabc\r\n" + END,
    "anything behind a size": b"3g foo\r\nabc\r\n" + END,
    "2^63": b"8000000000000000\r\nabc",
    "2^63 - 1": b"7fffffffffffffff\r\nabc",
    "seventeen zeros": b"00000000000000003\r\nabc\r\n" + END,
    "no size": b"\r\nabc\r\n" + END,
    "a sign": b"-3\r\nabc\r\n" + END,
    "more than the size": b"3\r\nabcd\r\n" + END,
    "no line end": b"3\r\nabc" + END,
    "trailers": ABC + b"0\r\nA: b\r\nC:d\r\n e\r\n\r\n",
    "a trailer without colon": ABC + b"0\r\nA: b\r\nfoo\r\n\r\n",
    "a trailer with NUL": ABC + b"0\r\nA: b\0c\r\n\r\n",
    "a trailer with a bare CR": ABC + b"0\r\nA: b\rX\r\n\r\n",
    "a trailer without name": ABC + b"0\r\n: b\r\n\r\n",
    "a trailer too long": ABC + b"0\r\nA: " + b"x" * 5000 + b"\r\n\r\n",
    "a trailer cut short": ABC + b"0\r\nA: b\r\n",
    "no last chunk": ABC,
    "no last line": ABC + b"0\r\n",
    "a chunk cut short": b"3\r\na",
    "hexadecimal of C": b"0x3\r\nabc\r\n" + END,
}


@pytest.mark.parametrize("name", CHUNKED)
@pytest.mark.parametrize("option", ["-i", "--raw", "-of"])
def test_chunks_are_read_as_curl_reads_them(tmp_path: Path, name: str, option: str) -> None:
    answer = OK + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED[name]
    same_exchange(tmp_path, "-sSv", option, URL, scripts=[(answer,)])
