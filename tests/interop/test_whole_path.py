"""redox-curl in a process of its own, over its own ring, against nginx."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.servers import Servers
from tests.fakes.local_servers import body, needs_nginx, nginx

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_nginx]

COMMAND = [sys.executable, "-m", "pycurl_redox"]
SIZES = {"empty": 0, "one": 1, "odd": 65_537, "megabyte": 1 << 20}


@pytest.fixture(scope="module")
def local() -> Iterator[Servers]:
    with nginx(**{name: body(size) for name, size in SIZES.items()}) as running:
        yield running


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_body_is_right_to_the_octet(local: Servers, scheme: str, name: str) -> None:
    base = local.https if scheme == "https" else local.http
    done = run("-sS", "--cacert", local.ca, f"{base}/{name}")
    assert done.stderr == b"" and done.returncode == 0
    assert done.stdout == body(SIZES[name])


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_who_has_no_privilege_at_all_fetches_the_same(local: Servers) -> None:
    without = ["setpriv", "--no-new-privs", "--inh-caps=-all"]
    if os.geteuid() == 0:
        without.append("--bounding-set=-all")
    command = [*without, *COMMAND, "-sS", "--cacert", local.ca, f"{local.https}/megabyte"]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.stderr == b"" and done.stdout == body(1 << 20)


def test_several_urls_share_one_connection(local: Servers) -> None:
    done = run("-sSv", "--cacert", local.ca, f"{local.https}/one", f"{local.https}/odd")
    assert done.stdout == body(1) + body(65_537)
    assert done.stderr.count(b"* Connected to ") == 1
    assert b"Re-using existing connection" in done.stderr


def normalised(stderr: str) -> list[str]:
    stderr = re.sub(r"curl/[\w.-]+", "curl/V", stderr)
    stderr = re.sub(r"port \d+|:\d{2,5}\b", "PORT", stderr)
    stderr = re.sub(r"(?m)^< Date:.*$|^< (Last-Modified|ETag):.*$", "< DATE", stderr)
    stderr = re.sub(r"\w{3} +\d+ \d\d:\d\d:\d\d \d{4} GMT", "DATE", stderr)
    stderr = re.sub(r"(?m)^\*  CApath:.*$", "*  CApath", stderr)
    stderr = re.sub(r"(?m)^([{}]) \[\d+ bytes data\]$", r"\1 [N bytes data]", stderr)
    lines = [re.sub(r".*\r", "", line) for line in stderr.splitlines()]
    return [line for line in lines if not re.match(r" *%? ?(Total|Dload)|^ +(% Total|Dload)", line)]


def test_verbose_output_is_curls_line_for_line(local: Servers) -> None:
    port = local.https.rsplit(":", 1)[1]
    arguments = ["-s", "-v", "-4", "--cacert", local.ca, f"https://localhost:{port}/one", "-o", "/dev/null"]
    ours = run(*arguments)
    theirs = subprocess.run(["curl", "--http1.1", *arguments], capture_output=True, timeout=60)
    assert ours.returncode == theirs.returncode == 0
    assert normalised(ours.stderr.decode()) == normalised(theirs.stderr.decode())


FAILURES = [
    (["http://127.0.0.1:1/"], 7, b"Failed to connect to 127.0.0.1 port 1 after"),
    (["http://nosuch.invalid/"], 6, b"Could not resolve host: nosuch.invalid"),
    (["ftpx://localhost/"], 1, b'Protocol "ftpx" not supported or disabled in libcurl'),
    (["--nosuchoption"], 2, b"curl: option --nosuchoption: is unknown"),
    (
        ["https://127.0.0.1:{https}/one"],
        60,
        b"SSL certificate problem: unable to get local issuer certificate",
    ),
    (["-f", "{http_base}/none"], 22, b"The requested URL returned error: 404"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), FAILURES)
def test_a_failure_has_curls_code_and_message(
    local: Servers, arguments: list[str], code: int, message: bytes
) -> None:
    places = {"https": local.https.rsplit(":", 1)[1], "http_base": local.http}
    done = run("-sS", *(word.format(**places) for word in arguments))
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert b"Traceback" not in done.stderr
