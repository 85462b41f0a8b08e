"""Each example runs as its first lines say, and is short."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.local_servers import body, needs_nginx, nginx

pytestmark = [pytest.mark.interop, pytest.mark.slow]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_short_and_run_here() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lengths.keys() == {"get.py", "lossy_wire.py", "capture.py"}
    assert all(length < 80 for length in lengths.values()), lengths


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("get.py", "usage: python examples/get.py https://example.com/ [CA-FILE]\n"),
        ("capture.py", "usage: python examples/capture.py https://example.com/ request.pcapng [CA-FILE]\n"),
    ],
)
def test_without_arguments_an_example_says_how_it_is_used(name: str, usage: str) -> None:
    done = subprocess.run([sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", usage)


def test_two_hosts_on_a_lossy_wire_lose_nothing() -> None:
    output = run("lossy_wire.py")
    assert output.startswith("1048576 octets in ") and "segments sent again" in output
    assert output == run("lossy_wire.py"), "the same seed, the same story"


@needs_nginx
def test_a_get_tells_about_its_way() -> None:
    with nginx(page=body(5000)) as local:
        output = run("get.py", f"{local.https}/page", local.ca)
    assert output.startswith("200 OK, 5000 octets from 127.0.0.1\n")
    assert "TLSv1.3, TLS_AES_256_GCM_SHA384" in output and "CN=bench.test" in output


@needs_nginx
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_a_capture_can_be_read_with_the_keys_inside(tmp_path: Path) -> None:
    capture = tmp_path / "request.pcapng"
    with nginx(page=body(5000)) as local:
        output = run("capture.py", f"{local.https}/page", str(capture), local.ca)
        port = local.https.rsplit(":", 1)[1]
    assert output.startswith("200 OK: ")
    command = ["tshark", "-n", "-r", str(capture), "-d", f"tcp.port=={port},tls", "-Y", "http"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "GET /page HTTP/1.1" in shown and "200 OK" in shown
