import gzip
import zlib

import pytest

from pycurl_redox.decode import MAX_PIECE, content_decoder
from pycurl_redox.errors import ContentEncodingError

TEXT = b"some text " * 1000
BARE = zlib.compress(TEXT)[2:-4]


def decoded(coding, *pieces):
    decoder = content_decoder(coding)
    out = b"".join([bytes(piece) for data in pieces for piece in decoder.decode(data)])
    decoder.finish()
    return out


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("GZIP, identity", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", BARE),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
        ("gzip", gzip.compress(TEXT) + b"trailing junk"),
    ],
)
def test_codings_come_off_however_they_are_cut(coding, data):
    assert decoded(coding, data) == TEXT
    assert decoded(coding, *[data[at : at + 1] for at in range(len(data))]) == TEXT


def test_content_as_it_is_needs_no_decoder():
    assert content_decoder("identity") is None
    assert content_decoder("") is None
    assert content_decoder("chunked", transfer=True) is None
    assert content_decoder("gzip, chunked", transfer=True) is not None


@pytest.mark.parametrize("coding", ["br", "foo", "chunked"])
def test_an_unknown_coding_is_exit_code_61(coding):
    with pytest.raises(ContentEncodingError) as caught:
        content_decoder(coding)
    assert caught.value.report() == (
        "curl: (61) Unrecognized content encoding type. "
        "libcurl understands deflate, gzip content encodings.\n"
    )


def test_more_than_five_codings_are_refused():
    # From curl's test 418.
    with pytest.raises(ContentEncodingError) as caught:
        content_decoder(", ".join(["gzip"] * 6))
    assert caught.value.report() == "curl: (61) Reject response due to more than 5 content encodings\n"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_garbage_is_named(coding):
    with pytest.raises(ContentEncodingError, match="Error while processing content unencoding: "):
        decoded(coding, b"\xff" * 100)


def test_an_end_that_comes_too_early_is_noticed_and_an_empty_body_is_none():
    with pytest.raises(ContentEncodingError):
        decoded("gzip", gzip.compress(TEXT)[:-9])
    assert decoded("gzip") == b""


def test_a_bomb_is_handed_on_in_pieces():
    decoder = content_decoder("gzip")
    sizes = [len(piece) for piece in decoder.decode(gzip.compress(bytes(20_000_000)))]
    assert max(sizes) <= MAX_PIECE and sum(sizes) == 20_000_000
