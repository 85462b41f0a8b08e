"""URLs that chance makes, beside libcurl's own parser: parts, spelling, and the words of a refusal."""

from __future__ import annotations

import ctypes
import ctypes.util
import random

import pytest

from pycurl_redox.errors import UnsupportedProtocolError, UrlError
from pycurl_redox.url import parse_url, resolve_reference

_URL, _GUESS_SCHEME, _ANY_SCHEME, _ENCODE, _ALLOW_SPACE = 0, 1 << 9, 1 << 3, 1 << 7, 1 << 11

# fmt: off
PIECES = [
    "http", "https", "HTTP", ":", "/", "//", "///", "://", "@", "?", "#", "%", "%41", "%2e", "%2E", "%zz",
    "%00",    "%20", "%2f", "..", ".", "./", "../", "a", "b.test", "127.0.0.1", "0x7f.1", "[::1]",
    "[fe80::1%25eth0]", "] ", "1", "80", ":80", ":0", ":65536", ":080", "é", "\udcff", " ", "\t", "\x01",
    "\\", "|", "^", "{", "}", "user", "u:p@", ";", "=", "&", "+", "~", "-", "_", "ftp.", "*", "x" * 30,
]
# fmt: on
BEGINNINGS = [
    "http://",
    "https://",
    "",
    "http:/",
    "http:///",
    "a.test/",
    "http://a.test",
    "file://",
    "file:/",
]
BASES = ["http://h.test/a/b/c?q=1", "http://h.test", "https://u:p@h.test:8443/x/", "http://[::1]:80/p/q"]


class LibCurl:
    """As much of libcurl's URL API as a parser can be compared with."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("curl")
        library = ctypes.CDLL(name) if name else None
        if library is not None:
            library.curl_version.restype = ctypes.c_char_p
        if library is None or b"libcurl/7.88.1" not in library.curl_version():
            pytest.skip("libcurl 7.88.1 is not installed")
        handle, out = ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p)
        library.curl_url.restype = handle
        library.curl_url_set.argtypes = [handle, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
        library.curl_url_get.argtypes = [handle, ctypes.c_int, out, ctypes.c_uint]
        library.curl_url_cleanup.argtypes = [handle]
        library.curl_url_strerror.restype = ctypes.c_char_p
        self._library = library

    def read(self, text: str, flags: int, base: str = "") -> str:
        """Return the URL as libcurl spells it, or why it is none."""
        url = self._library.curl_url()
        shown = ctypes.c_char_p()
        try:
            code = base and self._library.curl_url_set(url, _URL, base.encode(), _GUESS_SCHEME)
            code = code or self._library.curl_url_set(
                url, _URL, text.encode("utf-8", "surrogateescape"), flags
            )
            code = code or self._library.curl_url_get(url, _URL, ctypes.byref(shown), 0)
            if code:
                return str(self._library.curl_url_strerror(code).decode())
            return (shown.value or b"").decode("utf-8", "surrogateescape")
        finally:
            self._library.curl_url_cleanup(url)


@pytest.fixture(scope="module")
def libcurl() -> LibCurl:
    return LibCurl()


def some(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    return [
        chance.choice(BEGINNINGS) + "".join(chance.choices(PIECES, k=chance.randint(0, 7)))
        for _ in range(count)
    ]


@pytest.mark.interop
@pytest.mark.parametrize("seed", range(5))
def test_urls_of_chance_are_read_as_by_libcurl(libcurl: LibCurl, seed: int) -> None:
    for text in some(seed, 3000):
        if text.startswith("file:") or "%2e0x" in text.lower():
            continue  # libcurl looks behind the end of short ones; it decodes after it looked for numbers
        try:
            ours = parse_url(text, allow_file=True, any_scheme=True).text()
        except UrlError as error:
            ours = error.reason
        assert ours == libcurl.read(text, _GUESS_SCHEME | _ANY_SCHEME), text


@pytest.mark.interop
@pytest.mark.parametrize("seed", range(5))
def test_redirects_of_chance_lead_where_libcurl_goes(libcurl: LibCurl, seed: int) -> None:
    # Left out: what RFC 3986 has otherwise, blanks and fragments that curl lets stand as they are, and
    # schemes that only one knows.
    rest = [text.replace(" ", "").partition("#")[0].strip("\t") for text in some(100 + seed, 3000)]
    for index, text in enumerate(rest):
        if not text or "./" in text or text.startswith(("file:", "ftp:")):
            continue
        base = BASES[index % len(BASES)]
        try:
            ours = resolve_reference(parse_url(base), text).text()
        except UrlError as error:
            ours = str(error).removeprefix("The redirect target URL could not be parsed: ")
        except UnsupportedProtocolError:
            continue
        assert ours == libcurl.read(text, _ENCODE | _ALLOW_SPACE, base), (base, text)
