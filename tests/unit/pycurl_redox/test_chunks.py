"""Chunked bodies: what comes out, in pieces, and what is refused."""

from __future__ import annotations

import pytest

from pycurl_redox import errors
from pycurl_redox.chunks import ChunkDecoder, Trailer

END = b"0\r\n\r\n"


def decoded(*pieces: bytes) -> tuple[bytes, list[bytes], int, ChunkDecoder]:
    """Return the body, the trailers and the exit code."""
    decoder = ChunkDecoder()
    body, trailers = b"", []
    try:
        for piece in pieces:
            decoder.receive_data(piece)
            while (event := decoder.next_event()) is not None:
                if isinstance(event, Trailer):
                    trailers.append(event.line)
                else:
                    body += event
    except errors.FetchError as error:
        return body, trailers, error.exit_code, decoder
    return body, trailers, 0, decoder


GOOD = {
    "as usual": b"3\r\nabc\r\n" + END,
    "bare LF": b"3\nabc\n0\n\n",
    "an extension": b"3;x=y\r\nabc\r\n" + END,
    "blanks before an extension": b"3 ;x=y\r\nabc\r\n" + END,
    "anything behind a size": b"3 foo\r\nabc\r\n" + END,
    "sixteen digits": b"0000000000000003\r\nabc\r\n" + END,
    "more than one zero": b"3\r\nabc\r\n00;x\r\n\r\n",
}
BAD = {
    "2^63": (b"8000000000000000\r\nabc", b"", 56),
    "seventeen digits": (b"00000000000000003\r\nabc\r\n" + END, b"", 56),
    "no size": (b"\r\nabc\r\n" + END, b"", 56),
    "a sign": (b"+3\r\nabc\r\n" + END, b"", 56),
    "more than the size": (b"3\r\nabcd\r\n" + END, b"abc", 56),
    "no line end": (b"3\r\nabc" + END, b"abc", 56),
    "a trailer with a bare CR": (b"3\r\nabc\r\n0\r\nA: b\rc\r\n\r\n", b"abc", 56),
    "a trailer that is too long": (b"3\r\nabc\r\n0\r\nA: " + b"b" * 4093 + b"\r\n\r\n", b"abc", 56),
    "no last LF": (b"3\r\nabc\r\n0\r\n\rX", b"abc", 56),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_body_is_read_however_it_is_cut(name: str) -> None:
    octets = GOOD[name]
    for pieces in ([octets], [octets[i : i + 1] for i in range(len(octets))]):
        body, trailers, code, decoder = decoded(*pieces)
        assert (body, trailers, code, decoder.has_ended) == (b"abc", [], 0, True)


@pytest.mark.parametrize("name", BAD)
def test_what_stands_before_a_fault_comes_out_before_it(name: str) -> None:
    octets, body, code = BAD[name]
    for pieces in ([octets], [octets[i : i + 1] for i in range(len(octets))]):
        found = decoded(*pieces)
        assert (found[0], found[2]) == (body, code)


def test_trailers_come_line_by_line_and_what_is_behind_them_is_left() -> None:
    body, trailers, code, decoder = decoded(b"1\r\nx\r\n0\r\nA: b\r\nC:d\r\n e\r\n\r\nmore")
    assert (body, trailers, code) == (b"x", [b"A: b", b"C:d", b" e"], 0)
    assert bytes(decoder.unused) == b"more"


def test_only_the_very_last_line_feed_may_be_missing() -> None:
    assert decoded(b"0\r\n\r")[3].may_end
    assert not decoded(b"0\r\n")[3].may_end
