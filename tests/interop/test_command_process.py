"""The command as a process among others: pipes, its other name, what it holds in memory."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes.commands import REDOX_CURL, redox_curl
from tests.fakes.raw_server import read_request, saying, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SCRIPT = Path(sys.executable).with_name("redox-curl")
MIB = 1 << 20


def flood(link: socket.socket) -> None:
    """256 MiB, as many as anybody takes."""
    read_request(link)
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (256 * MIB))
    for _ in range(256):
        link.sendall(bytes(MIB))


@pytest.mark.parametrize("options", ["-sS", "-sSN"])
def test_what_has_come_is_in_the_pipe_while_the_rest_is_still_out(options: str) -> None:
    go_on = threading.Event()

    def converse(link: socket.socket) -> None:
        read_request(link)
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        go_on.wait(10)
        link.sendall(b"def")

    with serving(converse) as port:
        command = [*REDOX_CURL, options, f"http://127.0.0.1:{port}/"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            assert process.stdout.read(100) == b"abc"
            go_on.set()
            assert process.stdout.read(100) == b"def"
            assert process.wait(10) == 0


def test_a_reader_that_goes_away_is_exit_23_with_curls_words() -> None:
    with serving(flood) as port:
        command = [*REDOX_CURL, "-sS", f"http://127.0.0.1:{port}/"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            assert len(process.stdout.read(10)) == 10
            process.stdout.close()
            assert process.wait(20) == 23
            assert process.stderr.read() == b"curl: (23) Failure writing output to destination\n"


@pytest.mark.skipif(
    not os.access(SCRIPT, os.X_OK), reason="the command is not installed beside the interpreter"
)
def test_the_module_is_the_command_by_another_name() -> None:
    for arguments in (["-V"], ["--no-such-option"], ["-sS", "http://127.0.0.1:1/"]):
        both = [
            subprocess.run([*command, *arguments], capture_output=True, timeout=20)
            for command in ([str(SCRIPT)], [sys.executable, "-m", "pycurl_redox"])
        ]
        assert both[0].returncode == both[1].returncode
        assert both[0].stdout == both[1].stdout
        errors = [re.sub(rb"\d+ ms", b"N ms", done.stderr) for done in both]
        assert errors[0] == errors[1]


def test_a_long_download_leaves_memory_flat(tmp_path: Path) -> None:
    with serving(flood) as port:
        long = redox_curl("-sS", "-o", "/dev/null", f"http://127.0.0.1:{port}/", timeout=60)
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")) as port:
        short = redox_curl("-sS", "-o", "/dev/null", f"http://127.0.0.1:{port}/")
    assert long.code == short.code == 0
    assert long.peak < short.peak + 30 * MIB and long.peak < 100 * MIB
