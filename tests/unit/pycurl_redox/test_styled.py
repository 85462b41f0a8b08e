"""Header lines on a terminal, as curl 7.88.1 writes them."""

from __future__ import annotations

import pytest

from pycurl_redox.styled import styled
from pycurl_redox.url import parse_url

BASE = parse_url("http://a.test/d/e")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 302 Found\r\n"),
        (b"\r\n", b"\r\n"),
        (b"X-A: b: c\r\n", b"\x1b[1mX-A\x1b[0m: b: c\r\n"),
        (
            b"Location: /x?a=b\r\n",
            b"\x1b[1mLocation\x1b[0m:\x1b]8;;http://a.test/x?a=b\x1b\\ /x?a=b\r\n\x1b]8;;\x1b\\",
        ),
        (b"location: gopher://x/\r\n", b"\x1b[1mlocation\x1b[0m: gopher://x/\r\n"),
        (b"Location: \xff\r\n", b"\x1b[1mLocation\x1b[0m: \\xff\r\n"),
        (b"Location: /\x1b\\\r\n", b"\x1b[1mLocation\x1b[0m: /\\x1b\\\r\n"),
    ],
)
def test_names_are_bold_and_redirects_are_links(line: bytes, shown: bytes) -> None:
    assert styled(line, BASE) == shown
