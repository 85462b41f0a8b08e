"""`--trace`, `--trace-ascii` and `-v` beside curl 7.88.1, octet for octet but for what differs each time."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycurl_redox.version import USER_AGENT
from tests.fakes.commands import curl, needs_curl, redox_curl
from tests.fakes.raw_server import serving

pytestmark = pytest.mark.interop

OK = b"HTTP/1.1 200 OK\r\nX-A: \xff\x01b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n"

LINES = """\
B/
-I B/head
-d abc B/
-d @F/small B/
-T F/small B/
-T F/empty B/
-F a=b B/
B/chunked
-i B/chunked
-f B/missing
-f -i B/missing
-L B/moved
-p -x B http://host.test:8080/
-x B http://host.test/
-e http://a/long/long/long/long/long/long/long/long/long/long/long/long/long/referer B/
--http0.9 B/
-e from -b a=b -r 0-4 B/
"""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    def converse(link):
        """Read what was announced before the answer, so that one is not cut by the other."""
        file = link.makefile("rb")

        def next_head() -> bytes:
            lines = []
            while (line := file.readline()) not in (b"\r\n", b""):
                lines.append(line)
            return b"".join(lines)

        while head := next_head():
            announced = re.search(rb"(?i)content-length: (\d+)", head)
            if b"100-continue" in head:
                link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            file.read(int(announced[1]) if announced else 0)
            if head.startswith(b"CONNECT"):
                link.sendall(b"HTTP/1.1 200 Established\r\nX-Proxy: a\r\n\r\n")
            elif b"/chunked" in head:
                link.sendall(CHUNKED)
            elif b"/head" in head:
                link.sendall(OK.removesuffix(b"hello"))
            elif b"/missing" in head:
                link.sendall(b"HTTP/1.1 404 N\r\nContent-Length: 3\r\n\r\nabc")
            elif b"/moved" in head:
                link.sendall(b"HTTP/1.1 302 F\r\nLocation: /there\r\nContent-Length: 3\r\n\r\nabc")
            else:
                link.sendall(OK)

    with serving(converse) as port:
        yield f"http://127.0.0.1:{port}"


def traced(client, kind: str, line: str, base: str, folder: Path) -> tuple[int, str]:
    file = folder / "trace"
    words = [word.replace("B", base, 1).replace("F/", f"{folder}/") for word in line.split()]
    options = ("-v", "--stderr", str(file)) if kind == "-v" else (kind, str(file))
    done = client("-s", "-A", USER_AGENT, "-o", str(folder / "out"), *options, *words)
    text = file.read_text("latin-1")
    text = re.sub(r"0x[0-9a-f]{8,}", "0xADDRESS", text)
    text = re.sub(r"-{24}[0-9a-f]{16}", "BOUNDARY", text)
    return done.code, text


@needs_curl
@pytest.mark.parametrize("line", LINES.splitlines())
@pytest.mark.parametrize("kind", ["--trace-ascii", "--trace", "-v"])
def test_a_trace_has_curls_lines(base: str, tmp_path: Path, kind: str, line: str) -> None:
    (tmp_path / "small").write_bytes(b"one\ntwo\r\nthree")
    (tmp_path / "empty").write_bytes(b"")
    if kind != "-v" and "-F" in line:
        pytest.skip("the boundary differs each time, and is cut into lines")
    assert traced(redox_curl, kind, line, base, tmp_path) == traced(curl, kind, line, base, tmp_path)


def test_times_and_numbers_stand_before_each_line(base: str, tmp_path: Path) -> None:
    plain = ("-s", "-o", "/dev/null", "-v")
    done = redox_curl(*plain, "--trace-time", "--trace-ids", base, base, "-o", "/dev/null")
    lines = done.err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{6} \[[01]-0\] [*<>{] ?", line) for line in lines), lines
    assert [line for line in lines if "[0-0] > GET" in line] and [
        line for line in lines if "[1-0] > GET" in line
    ]


@pytest.mark.parametrize(
    ("names", "beginning"),
    [
        ("ids", r"\[0-0\] \*"),
        ("time", r"\d\d:\d\d:\d\d\.\d{6} \*"),
        ("all", r"\d\d:\d\d:\d\d\.\d{6} \[0-0\] \*"),
        ("all,-time", r"\[0-0\] \*"),
        ("tcp,+http/2 ,nonsense", r"\*"),
    ],
)
def test_what_a_trace_says_is_chosen_by_names(base: str, names: str, beginning: str) -> None:
    done = redox_curl("-s", "-o", "/dev/null", "-v", "--trace-config", names, base)
    assert done.code == 0
    assert re.match(beginning, done.err)
