"""Standard streams that are closed, full or gone: named, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.servers import Servers
from tests.fakes.local_servers import body, needs_nginx, nginx

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_nginx]

COMMANDS = {
    "redox-curl": ("cli", "-sS {url}", 23),
    "redox-curl -V": ("cli", "-V", 0),
    "redox-ping": ("ping", "-c 1 127.0.0.1", 2),
    "redox-netcfg": ("netcfg", "", 2),
}


@pytest.fixture(scope="module")
def local() -> Iterator[Servers]:
    with nginx(page=body(100_000)) as running:
        yield running


def run(local: Servers, name: str, redirection: str) -> tuple[subprocess.CompletedProcess[bytes], int]:
    module, words, write_failed = COMMANDS[name]
    code = f"from pycurl_redox.{module} import main; raise SystemExit(main())"
    command = f"{sys.executable} -c '{code}' {words.format(url=local.http + '/page')} {redirection}"
    return subprocess.run(["bash", "-c", command], capture_output=True, timeout=60), write_failed


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", "| true; exit ${PIPESTATUS[0]}"])
@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_takes_nothing_has_its_exit_code(local: Servers, name: str, redirection: str) -> None:
    done, write_failed = run(local, name, redirection)
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    if name in ("redox-curl", "redox-netcfg") or "true" not in redirection:
        assert done.returncode == write_failed
    else:  # a few octets may be in the pipe before its reader has gone
        assert done.returncode in (0, write_failed)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&-"])
@pytest.mark.parametrize("name", COMMANDS)
def test_other_streams_do_not_matter(local: Servers, name: str, redirection: str) -> None:
    done, _ = run(local, name, redirection)
    assert done.returncode == 0 and done.stdout and b"Traceback" not in done.stderr
