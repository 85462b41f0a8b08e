"""Responses of every shape: ours and curl 7.88.1 print, say and return the same."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88, same
from tests.fakes.exchanges import same_exchange
from tests.fakes.raw_server import read_request, serving

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


HEADS = {
    "HTTP/2 by name": b"HTTP/2 200\r\n" + THREE,
    "HTTP/2.0 by name": b"HTTP/2.0 200 OK\r\n" + THREE,
    "a hundred hints": b"HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n" * 100 + OK + THREE,
    "no length": OK + b"\r\nabc",
    "no length of 404": b"HTTP/1.1 404 No\r\nA: b\r\n\r\nabc",
    "no length of 1.0": b"HTTP/1.0 200 OK\r\n\r\nabc",
    "keep-alive of 1.0": b"HTTP/1.0 200 OK\r\nA: b\r\nConnection: Keep-Alive\r\n" + THREE,
    "switched though nobody asked": b"HTTP/1.1 101 Sw\r\n" + THREE,
    "zeros before the length": OK + b"Content-Length: " + b"0" * 30 + b"3\r\n\r\nabc",
    "chunked and identity": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n" + ABC + END,
    "identity": OK + b"Transfer-Encoding: identity\r\n" + THREE,
    "length and chunks": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + ABC + END,
    "a folded line": OK + b"A: b\r\n c\r\n" + THREE,
    "a moved page of no octets": b"HTTP/1.1 302 No\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_read_as_curl_reads_it(tmp_path: Path, name: str) -> None:
    same_exchange(tmp_path, "-sSvi", URL, scripts=[(HEADS[name],)])


def test_a_moved_page_without_a_body_leaves_nothing_to_ignore(tmp_path: Path) -> None:
    moved = HEADS["a moved page of no octets"]
    same_exchange(tmp_path, "-sSvL", URL, scripts=[(moved, OK + THREE)])


def test_a_kept_connection_that_dies_is_replaced_in_curls_words(tmp_path: Path) -> None:
    dies = (OK + THREE, b"")
    url = "http://127.0.0.1:@PORT@/"
    same_exchange(tmp_path, "-sSv", url + "a", url + "b", scripts=[dies, (OK + THREE,)])


@pytest.mark.parametrize("words", ["-X ''", "-X '' -d x", "-X get", "-X 'A B'"])
def test_the_method_goes_out_as_it_is_typed(tmp_path: Path, words: str) -> None:
    same_exchange(tmp_path, "-sSv", *shlex.split(words), URL, scripts=[(OK + THREE,)])


@pytest.mark.parametrize(
    "unit", ["bytes 2-4/5", "bytes=2-4/5", "2-4/5", "items 2-4/5", "bytes 3-4/*", "bytes */5", "x", ""]
)
def test_a_part_goes_on_where_its_range_says_whatever_the_unit_is_called(tmp_path: Path, unit: str) -> None:
    answer = b"HTTP/1.1 206 Part\r\nContent-Range: %s\r\n" % unit.encode() + THREE
    same_exchange(tmp_path, "-sSv", "-C", "-", "-o", "f", URL, scripts=[(answer,)], files={"f": "xy"})


@pytest.mark.parametrize("option", ["-s", "-f", "--fail-with-body"])
@pytest.mark.parametrize("status", [b"200 OK", b"302 Moved", b"403 No", b"413 No"])
def test_a_server_that_closes_before_the_body_is_sent_has_the_last_word(
    tmp_path: Path, status: bytes, option: str
) -> None:
    def converse(link: socket.socket) -> None:
        read_request(link)
        link.sendall(b"HTTP/1.1 %s\r\nConnection: close\r\n" % status + THREE)
        link.shutdown(socket.SHUT_WR)
        while link.recv(65_536):
            pass

    with serving(converse) as port:
        words = ("-sSv", option, "-T", "f", f"http://127.0.0.1:{port}/")
        same(tmp_path, *words, files={"f": "body"}, notes="^[*] (HTTP error|Closing)|^curl|returned")
