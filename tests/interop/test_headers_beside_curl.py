"""`-H` and `--proxy-header` of every form, and uploads in chunks: octet for octet what curl 7.88.1 sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.exchanges import same_exchange

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

OK = (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",)
URL = "http://127.0.0.1:@PORT@/x"

LINES = [
    "A:b", "A: b", "A:  b", "A:\tb", "A: b ", "A:", "A: ", "A;", "A; ", "A;;", "A;b", "A;b:c", "A", "", ";",
    ":", ":b", " A:b", "A :b", "A b:c", "A:b;", "A:\xe4", "Host:x", "host: x", "Host:", "host:", "Host: ",
    "Host;", "Host :x", "User-Agent:z", "User-Agent:", "User-Agent;", "Accept:q", "Accept;x", "Cookie:a=b",
    "Referer:r", "Connection:close", "Connection;", "TE:x", "Content-Type:x", "Content-Type;", "Date:x",
]  # fmt: skip
WITH_BODY = [
    "Content-Length:5",
    "Content-Type:x",
    "Content-Type:",
    "Transfer-Encoding:chunked",
    "Expect:",
    "Expect;",
]
PAIRS = [
    ("A:b", "A:c"), ("A:", "A:b"), ("Host:x", "Host:y"), ("Host:", "Host:y"), ("Host:y", "Host:"),
    ("Accept:", "Accept:x"), ("Cookie:a=b", "Cookie:c=d"), ("Content-Type:a", "Content-Type:b"),
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_a_header_goes_out_as_it_is_typed(tmp_path: Path, line: str) -> None:
    same_exchange(tmp_path, "-sSv", "-H", line, URL, scripts=[OK])


@pytest.mark.parametrize("line", WITH_BODY)
@pytest.mark.parametrize("how", ["-d hello", "-T f", "-0 -d hello"])
def test_a_header_of_the_body_goes_out_as_it_is_typed(tmp_path: Path, line: str, how: str) -> None:
    same_exchange(tmp_path, "-sSv", "-H", line, *how.split(), URL, scripts=[OK], files={"f": "hello"})


@pytest.mark.parametrize("pair", PAIRS)
def test_the_same_header_twice_goes_out_twice(tmp_path: Path, pair: tuple[str, str]) -> None:
    one, other = pair
    same_exchange(tmp_path, "-sSv", "-H", one, "-H", other, "-d", "x", URL, scripts=[OK])


def test_two_equal_lengths_are_not_made_one(tmp_path: Path) -> None:
    length = ("-H", "Content-Length: 5")
    done = same_exchange(tmp_path, "-sSv", *length, *length, "-d", "hello", URL, scripts=[OK])
    assert done.said[0].count(b"Content-Length") == 2


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("option", ["-H", "--proxy-header"])
def test_a_proxy_gets_both_kinds_of_headers_as_typed(tmp_path: Path, line: str, option: str) -> None:
    words = ("-x", "http://127.0.0.1:@PORT@", option, line, "http://h.test/x")
    same_exchange(tmp_path, "-sSv", *words, scripts=[OK])


@pytest.mark.parametrize("line", [line for line in LINES if line.lower() != "host: "])
def test_a_tunnel_is_asked_for_with_the_proxys_headers_only(tmp_path: Path, line: str) -> None:
    words = ("-p", "-x", "http://127.0.0.1:@PORT@", "--proxy-header", line, "http://h.test/x")
    same_exchange(tmp_path, "-sSv", *words, scripts=[(b"HTTP/1.1 200 OK\r\n\r\n", *OK)])


@pytest.mark.parametrize("line", ["A:b", "Host:x", "Cookie:a=b", "Authorization:x"])
def test_a_redirect_to_another_host_takes_along_what_curl_takes_along(tmp_path: Path, line: str) -> None:
    moved = b"HTTP/1.1 302 No\r\nLocation: http://localhost:@PORT@/y\r\nContent-Length: 0\r\n\r\n"
    same_exchange(tmp_path, "-4sSvL", "-H", line, URL, scripts=[(moved,), OK])


@pytest.mark.parametrize(
    "words",
    ["-T -", "-T - -H Expect:", "-T f -H Transfer-Encoding:chunked", "-F a=b -H Transfer-Encoding:chunked",
     "-d hello -H Transfer-Encoding:chunked", "-d hello -H Transfer-Encoding:chunked -H Expect:100-continue"],
)  # fmt: skip
@pytest.mark.parametrize("shown", ["-v -w %{size_upload}", "--trace-ascii t -A cur"])
def test_chunks_are_shown_and_counted_with_their_framing(tmp_path: Path, words: str, shown: str) -> None:
    same_exchange(tmp_path, "-sS", *shown.split(), *words.split(), URL, scripts=[OK], files={"f": "octets"})
