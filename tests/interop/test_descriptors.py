"""Too few descriptors: transfers wait for each other, and whoever cannot wait says what is lacking."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.commands import REDOX_CURL
from tests.fakes.raw_server import saying, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"

LIBRARY = """
import os, resource, sys
import pycurl_redox, pycurl_redox.network, pycurl_redox.binding, tcpip.usernet.local_end
with pycurl_redox.Client(background=False) as client:
    client.get(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken = []
    while len(taken) < 64:
        try:
            taken.append(os.dup(0))
        except OSError:
            break
    for url in (sys.argv[1], "http://name.test/"):
        try:
            client.get(url)
        except pycurl_redox.FetchError as error:
            print(error.exit_code, str(error).partition("Too many")[1:])
"""


def with_limit(limit: int, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, cwd=cwd)


def test_side_by_side_as_many_run_as_have_descriptors(tmp_path: Path) -> None:
    with serving(saying(OK)) as port:
        url = f"http://127.0.0.1:{port}/[1-100]"
        words = (
            "-s",
            "-Z",
            "--no-progress-meter",
            "--parallel-max",
            "100",
            "-o",
            "f#1",
            "-w",
            r"%{http_code}\n",
        )
        done = with_limit(64, *REDOX_CURL, *words, url, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n" * 100, "")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"hi"] * 100


def test_one_without_a_descriptor_says_so(tmp_path: Path) -> None:
    with serving(saying(OK)) as port:
        done = with_limit(5, *REDOX_CURL, "-s", f"http://127.0.0.1:{port}/", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "curl: Too many open files: this process may have 5 (ulimit -n)\n"


def test_connections_and_names_that_lack_a_descriptor_name_the_limit(tmp_path: Path) -> None:
    with serving(saying(OK)) as port:
        done = with_limit(1024, sys.executable, "-c", LIBRARY, f"http://127.0.0.1:{port}/", cwd=tmp_path)
    why = ("Too many", " open files: this process may have 64 (ulimit -n)")
    assert (done.stdout, done.stderr) == (f"7 {why}\n6 {why}\n", "")
