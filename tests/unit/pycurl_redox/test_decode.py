import gzip
import sys
import zlib

import brotli
import pytest

from pycurl_redox.decode import MAX_PIECE, codings, content_decoder
from pycurl_redox.errors import ContentEncodingError, WriteFailedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

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
        ("br", brotli.compress(TEXT)),
        ("zstd", zstd.compress(TEXT)),
        ("zstd", zstd.compress(TEXT[:100]) + zstd.compress(TEXT[100:])),
        ("br, zstd, gzip", gzip.compress(zstd.compress(brotli.compress(TEXT)))),
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


@pytest.mark.parametrize("coding", ["foo", "chunked"])
def test_an_unknown_coding_is_exit_code_61(coding):
    decoder = content_decoder(coding)
    decoder.finish()  # nothing came
    with pytest.raises(ContentEncodingError) as caught:
        list(decoder.decode(TEXT))
    assert caught.value.report() == (
        "curl: (61) Unrecognized content encoding type. "
        "libcurl understands deflate, gzip, br, zstd content encodings.\n"
    )


def test_more_than_five_codings_are_refused():
    # From curl's test 418.
    with pytest.raises(ContentEncodingError) as caught:
        content_decoder(", ".join(["gzip"] * 6))
    assert caught.value.report() == "curl: (61) Reject response due to more than 5 content encodings\n"


def test_codings_whose_packages_are_missing_are_unknown(monkeypatch):
    codings.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    try:
        assert codings() == ("deflate", "gzip")
        for coding in ("br", "zstd"):
            with pytest.raises(ContentEncodingError, match="understands deflate, gzip content encodings"):
                decoded(coding, TEXT)
    finally:
        codings.cache_clear()


@pytest.mark.parametrize("data", [b"junk", gzip.compress(TEXT), b"\0"])
@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_what_follows_the_end_is_refused_as_curl_refuses_it(coding, compress, data):
    for pieces in ([compress(TEXT) + data], [compress(TEXT), data]):
        with pytest.raises(WriteFailedError):
            decoded(coding, *pieces)


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_garbage_has_curl_s_words(coding):
    with pytest.raises(ContentEncodingError) as caught:
        decoded(coding, b"this is no such coding at all")
    assert caught.value.report() == "curl: (61) Unrecognized or bad HTTP Content or Transfer-Encoding\n"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_garbage_is_named(coding):
    with pytest.raises(ContentEncodingError, match="Error while processing content unencoding: "):
        decoded(coding, b"\xff" * 100)


COMPRESS = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
]


@pytest.mark.parametrize(("coding", "compress"), COMPRESS)
def test_an_end_that_comes_too_early_is_noticed_and_an_empty_body_is_none(coding, compress):
    with pytest.raises(ContentEncodingError):
        decoded(coding, compress(TEXT)[:-1])
    assert decoded(coding) == b""


@pytest.mark.parametrize(("coding", "compress"), COMPRESS)
def test_a_bomb_is_handed_on_in_pieces(coding, compress):
    decoder = content_decoder(coding)
    sizes = [len(piece) for piece in decoder.decode(compress(bytes(20_000_000)))]
    assert max(sizes) <= 2 * MAX_PIECE and sum(sizes) == 20_000_000


@pytest.mark.parametrize("fault", [-5, -1])
@pytest.mark.parametrize("size", [1, 8, 1_000_000])
def test_all_of_a_gzip_member_comes_out_before_its_checksum_is_found_wrong(fault: int, size: int) -> None:
    member = bytearray(gzip.compress(TEXT))
    member[fault] ^= 1
    decoder = content_decoder("gzip")
    out = b""
    with pytest.raises(ContentEncodingError, match=r"incorrect (data|length) check"):
        for at in range(0, len(member), size):
            for piece in decoder.decode(bytes(member[at : at + size])):
                out += piece
    assert out == TEXT


@pytest.mark.parametrize("size", [1, 1000])
def test_the_head_of_a_gzip_member_may_have_all_that_the_format_knows(size: int) -> None:
    plain = gzip.compress(TEXT)
    head = bytes([*plain[:3], 0x1E, *plain[4:10]]) + b"\x03\0abc" + b"name\0" + b"comment\0"
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    member = head + plain[10:]
    assert decoded("gzip", *[member[at : at + size] for at in range(0, len(member), size)]) == TEXT
    wrong = head[:-1] + bytes([head[-1] ^ 1])
    with pytest.raises(ContentEncodingError, match="header crc mismatch"):
        decoded("gzip", wrong + plain[10:])


@pytest.mark.parametrize("is_cut", [False, True])
def test_behind_a_bare_deflate_stream_four_octets_are_passed_over_and_no_fifth(is_cut: bool) -> None:
    stream = zlib.compressobj(wbits=-15)
    content = stream.compress(b"body") + stream.flush()
    for junk, is_taken in ((b"", True), (b"1234", True), (b"12345", False)):
        data = content + junk
        decoder = content_decoder("deflate")
        out = b""
        try:
            for piece in [bytes((octet,)) for octet in data] if is_cut else [data]:
                for part in decoder.decode(piece):
                    out += part
            decoder.finish()
        except WriteFailedError:
            assert not is_taken
        else:
            assert is_taken
        assert out == b"body"
