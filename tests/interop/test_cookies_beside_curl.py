"""Cookies beside the real curl: what is taken, told of, written, and sent back."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.fakes.beside_curl import needs_curl_7_88, same
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl_7_88]

SET: list[tuple[str, list[str]]] = [
    (
        "http://www.a.co.uk/x/y",
        [
            "a=1; Domain=co.uk",
            "b=2; domain=a.co.uk",
            "c=3; domain=.uk",
            "d=4; domain=www.a.co.uk",
            "e=5; domain=b.a.co.uk",
            "f=6; domain=",
            "g=7; domain=.",
            "h=8; domain=..a.co.uk",
            "i=9; domain=A.CO.UK",
            "j=10; domain=a.co.uk.",
            'k=11;domain="a.co.uk"',
        ],
    ),
    ("http://co.uk/", ["a=1; domain=co.uk", "b=2"]),
    ("http://a.b.ck/", ["a=1; domain=b.ck", "b=2;domain=ck"]),
    ("http://x.www.ck/", ["a=1; domain=www.ck"]),
    ("http://x.unknowntld/", ["a=1; domain=unknowntld", "b=2; domain=x.unknowntld"]),
    ("http://unknowntld/", ["a=1; domain=unknowntld", "b=1"]),
    ("http://x.localhost/", ["a=1; domain=localhost"]),
    ("http://localhost/", ["a=1; domain=localhost; secure", "b=2;domain=.localhost"]),
    ("http://foo.github.io/", ["a=1; domain=github.io", "b=2; domain=foo.github.io"]),
    (
        "http://www.食狮.公司.cn/",
        ["a=1; domain=公司.cn", "b=2; domain=xn--55qx5d.cn", "c=3; domain=xn--85x722f.xn--55qx5d.cn"],
    ),
    ("http://127.0.0.1/", ["a=1; domain=127.0.0.1", "b=2; domain=0.0.1", "c=3;domain=1"]),
    ("http://[::1]/", ["a=1; domain=[::1]", "b=2;domain=::1", "c=3"]),
    ("http://a.test./", ["a=1", "b=2; domain=a.test", "c=3; domain=a.test."]),
    (
        "http://A.Test/p/q/",
        [
            "__Host-a=1; secure; path=/",
            "__Secure-b=1",
            "__secure-c=1; secure",
            "__HOST-d=1;path=/",
            "__Host-e=1; secure; path=/x",
            "f=1; SameSite=None",
            "g=1; samesite=strict; secure",
        ],
    ),
    (
        "http://a.test/p/q",
        [
            "a",
            "=b",
            "a=",
            "a==b",
            "  a  =  b  ",
            'a="b;c"; path=/',
            "a=b\tc",
            "a\tb=c",
            "a=b; path=x",
            'c=d; path="/p"',
            "d=e; PATH=/p/; path=/p",
            "e=f; max-age=0",
            "f=g; max-age=-1",
            'g=h; max-age="99999999999999999999"',
            "h=i; max-age=x",
            "h2=i; max-age=",
            "h3=i; max-age=; expires=Wed, 01-Jan-2098 00:00:00 GMT",
            "h4=i; max-age",
            "i=j; max-age=999999999999999999999",
            "j=k; expires=Wed, 01-Jan-2098 00:00:00 GMT",
            "k=l; expires=foo",
            "l=m; expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "m=n; expires=Wed, 01 Jan 1969 00:00:00 GMT",
            "n=o; expires=2098-01-01",
            "o=p; expires=Jan 1 2098",
            'p=q; expires="Wed, 01 Jan 2098 00:00:00 GMT"; max-age=""',
            "q=r; httponly; Secure",
            "r=s; HttpOnly=1; version=1; comment=x",
            "s=t;; ; path=/p ;",
            "t=u; expires",
            "u=v; expires=Wed, 32 Jan 2098 00:00:00 GMT",
            "v=w; expires=Wed, 31 Feb 2098 25:00:00 GMT",
            "w=x;expires=Wed, 01 Jan 98 00:00:00 GMT",
            "x=y;expires=Wed, 01 Jan 2098 00:00:00 +0200",
            "y=z; expires=1 1 2098",
            "z=ä",
            "ä=z",
            "A=upper",
            "a=lower",
        ],
    ),
    (
        "http://a.test/p/q",
        [
            "a=" + "x" * 4094,
            "b=" + "x" * 4095,
            "c" * 4094 + "=",
            "d" * 4095 + "=x",
            "e" * 2048 + "=" + "y" * 2048,
            "f" * 2048 + "=" + "y" * 2049,
            "g=" + "x" * 5000,
            "h=1; foo=" + "x" * 4900,
        ],
    ),
]


def setting(cookies: list[str]) -> object:
    """A proxy that sets these for its first request, and tells what came with the others."""
    head = "".join(f"Set-Cookie: {cookie}\r\n" for cookie in cookies).encode()

    def converse(link: socket.socket) -> None:
        request = read_request(link)
        lines = b"\n".join(re.findall(rb"(?mi)^(?:host|cookie):[^\r]*", request)) + b"\n"
        length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(lines)
        link.sendall(b"HTTP/1.1 200 OK\r\n" + (head if b"X-First" in request else b"") + length + lines)

    return converse


@pytest.mark.parametrize(("url", "cookies"), SET)
def test_cookies_are_taken_written_and_sent_back_alike(tmp_path: Path, url: str, cookies: list[str]) -> None:
    with serving(setting(cookies)) as port:  # type: ignore[arg-type]
        proxy = ["-gs", "-x", f"http://127.0.0.1:{port}"]
        again = [url, "http://" + ("sub." if url[7].isalpha() else "") + url[7:]]
        left = same(
            tmp_path, "-v", *proxy, "-H", "X-First: yes", "-c", "jar", url,
            "--next", *proxy, "-b", "jar", *again,
            notes="cookie",
        )  # fmt: skip
        reread = same(tmp_path, *proxy, "-b", "jar", *again)
    assert "# Netscape" in left.files["jar"] and "Host" in reread.out


FILE = """# comment
#HttpOnly_.a.test\tTRUE\t/\tFALSE\t4000000000\thttponly\tv
.a.test\tTRUE\t/\tFALSE\t0\tsession\tv
a.test\tFALSE\t/p\tTRUE\t4000000000\tsecure\tv
www.a.test\tFALSE\t/\tFALSE\t1\told\tv
a.test\tTRUE\tFALSE\t4000000000\tnopath\tv
a.test\tTRUE\t/\tFALSE\t4000000000\tnovalue
a.test\tTRUE\t/\tFALSE\tx\tnonumber\tv
a.test TRUE / FALSE 0 blanks v
co.uk\tTRUE\t/\tFALSE\t0\twide\tv
Set-Cookie: header=v; domain=a.test; path=/
set-cookie: nodomain=v
"""


@pytest.mark.parametrize(
    "words", ["-b file", "-j -b file", "-b file -j", "-b k=v -b file", "-b file -c other"]
)
def test_files_are_read_alike(tmp_path: Path, words: str) -> None:
    with serving(setting([])) as port:  # type: ignore[arg-type]
        urls = ["http://a.test/p/q", "http://www.a.test/", "http://127.0.0.1/", "http://b.co.uk/"]
        same(tmp_path, "-s", "-x", f"http://127.0.0.1:{port}", *words.split(), *urls, files={"file": FILE})


@pytest.mark.parametrize("count", [50, 150, 151, 4000])
def test_many_cookies_are_cut_off_alike(tmp_path: Path, count: int) -> None:
    lines = [
        f"a.test\tFALSE\t/\tFALSE\t0\tname{n % 2999:05}\t{'x' * (40 if count > 151 else n % 60)}\n"
        for n in range(count)
    ]
    with serving(setting([])) as port:  # type: ignore[arg-type]
        left = same(
            tmp_path, "-sv", "-x", f"http://127.0.0.1:{port}", "-b", "file", "http://a.test/",
            files={"file": "".join(lines)}, notes="cookie",
        )  # fmt: skip
    assert left.out.count("name") == min(count, 150)


@pytest.mark.parametrize(
    "words",
    [
        "-b file URL --next -sx PROXY URL",
        "-b file URL --next -sx PROXY -b k=v URL",
        "-b file URL --next -sx PROXY -c - URL",
        "-b file URL --next -sx PROXY URL --next -sx PROXY -b none URL",
        "URL --next -sx PROXY -b file URL",
        "-b file -H Cookie:h=1 URL",
        "-b file -H Cookie: URL",
        "-b file -H Cookie; -b k=v URL",
        "-b k=v -H Cookie: URL",
    ],
)
def test_the_jar_is_for_operations_that_ask_for_it_and_stands_beside_ones_own(
    tmp_path: Path, words: str
) -> None:
    with serving(setting(["new=1; path=/"])) as port:  # type: ignore[arg-type]
        proxy = f"http://127.0.0.1:{port}"
        line = words.replace("PROXY", proxy).replace("URL", "http://a.test/").replace("Cookie:h", "Cookie: h")
        same(
            tmp_path, "-sx", proxy, "-H", "X-First: y", *re.split(r" (?!h=1)", line), files={"file": FILE}
        )  # fmt: skip
