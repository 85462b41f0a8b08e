"""The commands in processes of their own, and the real curl beside them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.fakes import preloaded

REDOX_CURL = (sys.executable, "-m", "pycurl_redox", "-q")
REDOX_PING = (sys.executable, "-c", "from pycurl_redox.ping import main; raise SystemExit(main())")
REDOX_NETCFG = (sys.executable, "-c", "from pycurl_redox.netcfg import main; raise SystemExit(main())")
CURL = shutil.which("curl", path="/usr/bin:/usr/local/bin:/bin")

needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


class Done(NamedTuple):
    code: int
    out: bytes
    err: str
    peak: int
    """Octets of memory at most; 0 where nobody asked."""

    @property
    def message(self) -> str:
        """The line of the error, milliseconds and ports made alike."""
        lines = [line for line in self.err.splitlines() if line.startswith(("curl: ", "redox-"))]
        return re.sub(r"port \d+", "port P", re.sub(r"\d+ (ms|milliseconds)", r"N \1", "\n".join(lines)))


def run(
    command: Sequence[str], *arguments: str, within: str = "", timeout: float = 30, **more: object
) -> Done:
    """Run to the end; `within` is a shell script that makes a network namespace for it."""
    line = [*command, *arguments]
    if within:
        line = ["unshare", "--net", "sh", "-ec", within + '\nexec "$@"', "sh", *line]
    done = subprocess.run(line, capture_output=True, timeout=timeout, **more)  # type: ignore[call-overload]
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Done(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"), 0)


def redox_curl(*arguments: str, timeout: float = 30) -> Done:
    """Our command, and how much memory it took."""
    done = preloaded.run(("-q", *arguments), timeout)
    assert b"Traceback" not in done.err, done.err.decode()
    return Done(done.code, done.out, done.err.decode("utf-8", "replace"), done.peak)


def curl(*arguments: str, **more: object) -> Done:
    assert CURL is not None
    return run((CURL, "-q"), "--http1.1", *arguments, **more)  # type: ignore[arg-type]


def side_by_side(*arguments: str) -> tuple[Done, Done | None]:
    """Ours and curl's ending, of two that ran at the same time; None where there is no curl."""
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(curl, *arguments) if CURL else None
        return redox_curl(*arguments), theirs.result() if theirs else None
