"""`-w` beside curl 7.88.1, on a server whose answers have what it can ask for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycurl_redox.version import USER_AGENT
from tests.fakes.commands import curl, needs_curl, redox_curl
from tests.fakes.raw_server import Conversation, read_request, serving

pytestmark = [pytest.mark.interop, needs_curl]

ANSWERS = {
    b"/moved": b"HTTP/1.1 302 F\r\nLocation: /there?x=1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    b"Content-Length: 3\r\n\r\nabc",
    b"/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
    b"3\r\nabc\r\n0\r\nX-T: v\r\n\r\n",
    b"/short": b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\nConnection: close\r\n\r\nabc",
    b"/missing": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"": b"HTTP/1.0 200 OK\r\nX-Dup: 1\r\nx-dup:2\r\nContent-Type: text/x; charset=a\r\n"
    b"Content-Length: 5\r\n\r\nhello",
}
NAMES = """
certs content_type errormsg exitcode filename_effective ftp_entry_path http_code http_connect http_version
local_ip method num_certs num_connects num_headers num_redirects proxy_ssl_verify_result redirect_url referer
remote_ip remote_port response_code scheme size_download size_header size_request size_upload
ssl_verify_result time_appconnect url url_effective urlnum
"""
ALL = "|".join(f"%{{{name}}}" for name in NAMES.split())
FORMATS = (
    r"a%{http_code}b|%%{http_code}|%a|%{HTTP_CODE}",
    "%",
    "x\\",
    r"\n\r\t\\\q",
    "%{http_code",
    "%{nope}",
    "%{}",
    "%header{x-dup}|%header{X-DUP}|%header{nope}|%header{location}|%header{set-cookie}",
    "%header{server",
    "%{header_json}",
    "%{stderr}err%{stdout}out",
    "a%{onerror}x%{exitcode}",
    ALL,
)
# B is where the server is, F a folder.
LINES = (
    "B/",
    "-I B/",
    "-d abc B/",
    "-X PURGE -e from B/",
    "B/moved",
    "-L B/moved",
    "B/chunked",
    "B/short",
    "-f B/missing",
    "-x B http://host.test/",
    "-o F/out B/",
    "B/ B/",
    "http://127.0.0.1:1/",
    "http://[/",
    "foo://host/",
)


def answering() -> Conversation:
    def converse(link):
        while True:
            head = read_request(link)
            target = head.split()[1].removeprefix(b"http://host.test")
            found = next(answer for path, answer in ANSWERS.items() if target.startswith(path))
            link.sendall(found.partition(b"abc")[0] if head.startswith(b"HEAD") else found)
            if b"HTTP/1.0" in found or b"close" in found:
                return

    return converse


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving(answering()) as port:
        yield f"http://127.0.0.1:{port}"


def told(client, line: str, template: str, base: str, folder: Path) -> tuple[int, bytes, str]:
    words = [word.replace("B", base).replace("F/", f"{folder}/") for word in line.split()]
    # The same name for both: it is a part of what is counted.
    done = client("-sS", "-A", USER_AGENT, "-w", template, *words)
    return done.code, re.sub(rb"after \d+ ms", b"after N ms", done.out), done.message


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("template", FORMATS, ids=lambda text: text[:20])
def test_the_same_is_told(base: str, tmp_path: Path, line: str, template: str) -> None:
    if line.startswith("foo") and template == ALL:
        line = line.replace("foo://host/", "foo://host/x")
    assert told(redox_curl, line, template, base, tmp_path) == told(curl, line, template, base, tmp_path)


def test_a_format_comes_from_a_file(base: str, tmp_path: Path) -> None:
    (tmp_path / "format").write_bytes(b"line %{http_code}\ntab\\t\\n%{method}\r\n")
    assert told(redox_curl, "B/", f"@{tmp_path}/format", base, tmp_path) == told(
        curl, "B/", f"@{tmp_path}/format", base, tmp_path
    )


def test_later_variables_are_told(base: str) -> None:
    done = redox_curl(
        *("-s", "-o", "/dev/null", f"{base}/chunked", f"{base}/chunked"),
        *("-o", "/dev/null", "-w", "%{conn_id} %{xfer_id} %{size_delivered} %{num_retries} %{proxy_used} "),
        *("-w", "%{conn_id} %{xfer_id} %{size_delivered} %{num_retries} %{proxy_used} %{tls_earlydata}\\n"),
    )
    assert done.out == b"0 0 3 0 0 0\n0 1 3 0 0 0\n"


def test_the_steps_of_a_transfer_are_told_in_their_order(base: str) -> None:
    names = ("namelookup", "connect", "pretransfer", "posttransfer", "starttransfer", "total")
    done = redox_curl(
        "-s", "-o", "/dev/null", "-d", "x", "-w", " ".join(f"%{{time_{name}}}" for name in names), base
    )
    times = [float(text) for text in done.out.split()]
    assert times == sorted(times) and times[3] > times[2] > 0


def test_output_goes_to_files(base: str, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"before ")
    redox_curl(
        *("-s", "-o", "/dev/null", base),
        *("-w", f"%output{{{tmp_path}/a}}%{{method}}%output{{>>{tmp_path}/b}}%{{http_code}}"),
    )
    assert (tmp_path / "a").read_bytes() == b"GET"
    assert (tmp_path / "b").read_bytes() == b"before 200"
