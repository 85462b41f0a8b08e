"""Content and transfer codings beside the real curl; and bombs."""

from __future__ import annotations

import gzip
import sys
import zlib
from pathlib import Path

import brotli
import pytest

from tests.fakes.beside_curl import needs_curl_7_88, same
from tests.fakes.commands import redox_curl
from tests.fakes.raw_server import Conversation, saying, serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = [pytest.mark.interop, pytest.mark.slow]

TEXT = b"hello " * 1000
GZIP, ZLIB, BROTLI, ZSTD = (
    gzip.compress(TEXT, mtime=0),
    zlib.compress(TEXT),
    brotli.compress(TEXT),
    zstd.compress(TEXT),
)


def whole(body: bytes, *codings: str) -> Conversation:
    lines = "".join(f"Content-Encoding: {coding}\r\n" for coding in codings).encode()
    length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    return saying(b"HTTP/1.1 200 OK\r\n" + lines + length + body)


def chunked(body: bytes, *lines: str) -> Conversation:
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines, "Connection: close", ""))
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    return saying(head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n")


CHUNKED = "Transfer-Encoding: chunked"
SAID = {
    "gzip": whole(GZIP, "gzip"),
    "x-gzip": whole(GZIP, "x-gzip"),
    "deflate": whole(ZLIB, "deflate"),
    "bare deflate": whole(zlib.compress(TEXT, wbits=-15), "deflate"),
    "br": whole(BROTLI, " BR "),
    "zstd": whole(ZSTD, "zstd"),
    "two members": whole(GZIP + GZIP, "gzip"),
    "junk behind": whole(GZIP + b"junk", "gzip"),
    "junk behind deflate": whole(ZLIB + b"junk", "deflate"),
    "junk behind zstd": whole(ZSTD + b"junk", "zstd"),
    "two frames": whole(ZSTD + ZSTD, "zstd"),
    **{
        f"bad {name}": whole(b"this is no such coding at all", name)
        for name in ("gzip", "deflate", "br", "zstd")
    },
    "identity": whole(TEXT, "identity"),
    "none": whole(TEXT, "none"),
    "commas": whole(GZIP, ",gzip,,"),
    "two": whole(gzip.compress(GZIP), "gzip, gzip"),
    "two headers": whole(gzip.compress(ZLIB), "deflate", "gzip"),
    "br in gzip": whole(gzip.compress(BROTLI), "br, gzip"),
    "six": whole(TEXT, "gzip,gzip,gzip,gzip,gzip,gzip"),
    "six headers": whole(TEXT, *["gzip"] * 6),
    "six of nothing": whole(TEXT, ",".join(["identity"] * 6)),
    "chunked": chunked(GZIP, "Content-Encoding: gzip", CHUNKED),
    "transfer": chunked(GZIP, "Transfer-Encoding: gzip, chunked"),
    "transfer in two headers": chunked(GZIP, "Transfer-Encoding: gzip", CHUNKED),
    "transfer br": chunked(BROTLI, "Transfer-Encoding: br, chunked"),
    "both": chunked(gzip.compress(ZLIB), "Content-Encoding: deflate", "Transfer-Encoding: gzip, chunked"),
    "transfer unknown": chunked(TEXT, "Transfer-Encoding: foo, chunked"),
    "no content": saying(b"HTTP/1.1 204 No\r\nContent-Encoding: gzip\r\n\r\n"),
    "empty": whole(b"", "gzip"),
}


@needs_curl_7_88
@pytest.mark.parametrize(
    "words", ["--compressed", "", "--raw", "--tr-encoding", "--compressed --tr-encoding -I"]
)
@pytest.mark.parametrize("name", SAID)
def test_codings_come_off_or_are_refused_alike(tmp_path: Path, name: str, words: str) -> None:
    if name.startswith("six") and "-I" in words:
        pytest.skip("curl shows no head that it refuses while it reads it")
    with serving(SAID[name]) as port:
        told = ["-w", "%{errormsg}|%{exitcode}", "-H", "User-Agent:"]
        same(
            tmp_path, "-sSv", *told, *words.split(), f"http://127.0.0.1:{port}/", notes="curl:|> |Rej|Err|Unr"
        )


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "gzip, gzip"])
def test_a_gigabyte_out_of_a_small_body_takes_little_memory(coding: str) -> None:
    zeros, count = bytes(1 << 20), 1024
    if coding == "zstd":
        body = zstd.compress(zeros) * count
    elif coding == "br":
        compressor = brotli.Compressor(quality=1)
        body = b"".join(compressor.process(zeros) for _ in range(count)) + compressor.finish()
    else:
        deflating = zlib.compressobj(wbits=31)
        body = b"".join(deflating.compress(zeros) for _ in range(count)) + deflating.flush()
        body = gzip.compress(body) if coding != "gzip" else body
    with serving(whole(body, coding)) as port:
        done = redox_curl("-sS", "--compressed", "-o", "/dev/null", f"http://127.0.0.1:{port}/", timeout=120)
    assert (done.code, done.err) == (0, "")
    assert done.peak < 150 << 20


def test_a_cut_coding_is_an_error_where_curl_says_nothing() -> None:
    for name, body in (("gzip", GZIP), ("deflate", ZLIB), ("br", BROTLI), ("zstd", ZSTD)):
        with serving(whole(body[:-1], name)) as port:
            done = redox_curl("-sS", "--compressed", f"http://127.0.0.1:{port}/")
        assert (done.code, done.message) == (61, "curl: (61) the compressed content ends too early")
