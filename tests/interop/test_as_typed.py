"""Command lines as people type them, ours beside curl 7.88.1: output, errors, files, exit code, requests."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.cases.as_typed import FILES, LINES
from tests.fakes.commands import CURL, REDOX_CURL, needs_curl
from tests.fakes.raw_server import saying, serving
from tests.fakes.web_site import WebSite, web_site

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_curl]

ROOT = str(Path(__file__).parents[2])


class World(NamedTuple):
    site: WebSite
    ca: str
    free: int


class Ended(NamedTuple):
    code: int
    out: str
    err: str
    files: dict[str, bytes]
    requests: list[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    ca = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    with serving(saying()) as free:
        pass  # nobody listens there any more
    with web_site(context) as site:
        yield World(site, str(ca), free)


@pytest.mark.parametrize("line", LINES.splitlines())
def test_it_does_what_curl_does(world: World, tmp_path: Path, line: str) -> None:
    theirs = ended(world, tmp_path / "curl", f"{CURL} -q --http1.1".split(), line)
    ours = ended(world, tmp_path / "ours", list(REDOX_CURL), line)
    assert ours == theirs


def ended(world: World, folder: Path, client: list[str], line: str) -> Ended:
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    hostport = world.site.http.removeprefix("http://")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | {
        "PYTHONPATH": ROOT,
        "http": world.site.http,
        "https": world.site.https,
        "hostport": hostport,
        "port": hostport.partition(":")[2],
        "ca": world.ca,
        "free": str(world.free),
        "key": folder.name,
        "COLUMNS": "80",
    }
    words = " ".join(f"'{word}'" for word in client)
    script = f'curl() {{ {words} "$@"; }}; curl=curl; set -o pipefail; {line}'
    world.site.take()
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        timeout=60,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return Ended(
        done.returncode,
        alike(done.stdout),
        alike(done.stderr),
        {name: alike(content).encode() for name, content in files.items() if files[name] != FILES.get(name)},
        sorted(alike(request) for request in world.site.take()),
    )


def alike(octets: bytes) -> str:
    """Without what differs from run to run."""
    text = octets.decode("utf-8", "backslashreplace")
    for pattern, stand_in in (
        (r"curl/[\w.-]+", "curl/VERSION"),
        (r"\d+ (ms|milliseconds)", r"N \1"),
        (r"[0-9a-f]{16}", "HEX"),
        (r'cnonce="[^"]*"', "cnonce"),
        (r'response="[^"]*"', "response"),
        (r"/flaky/(ours|curl)", "/flaky/KEY"),
        (r"(Accept-Encoding: deflate, gzip).*", r"\1"),  # brotli and zstd are extras
        (r"(?m)^(127\.0\.0\.1\t.*\t)\d{10}\t", r"\1EXPIRY\t"),
        (r"(curl: \((35|60)\)) (?s:.*)", r"\1"),  # what is wrong with TLS is told in words of our own
        (r"port \d+", "port P"),
        (r":\d{5}\b", ":P"),
        (r"0x[0-9a-f]+|^[0-9a-f]{4}: ", "0x"),
        (r"(?m)^[\r \d.kM]+(--|\d+):.*$", "METER"),
    ):
        text = re.sub(pattern, stand_in, text)
    return text
