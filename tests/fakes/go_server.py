"""The TLS server of `tests/peers/go`, compiled once for all tests of a run."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "peers" / "go" / "main.go"
# As it is started by the environment's own name, `.venv/bin/pytest`, the environment need not be on the path.
GO = shutil.which("go") or shutil.which("go", path=os.path.dirname(sys.executable))

needs_go = pytest.mark.skipif(GO is None, reason="no Go on this machine (pip install 'redox-curl[peers]')")


class GoServer(NamedTuple):
    """A server on 127.0.0.1; `ech_configs` is its ECHConfigList in base64."""

    port: int
    ech_configs: str


@cache
def _program() -> str:
    folder = tempfile.mkdtemp(prefix="redox-go-")
    environment = os.environ | {"GO111MODULE": "off", "GOFLAGS": "", "GODEBUG": ""}
    environment.setdefault("GOCACHE", os.path.join(folder, "cache"))
    program = os.path.join(folder, "server")
    done = subprocess.run(
        [str(GO), "build", "-o", program, str(SOURCE)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return program


@contextlib.contextmanager
def go_server(certificate: Path, key: Path, *options: str) -> Iterator[GoServer]:
    """Run it; with `tlsmlkem=1` Go offers its hybrid group to programs without a module, too."""
    command = [_program(), "-cert", str(certificate), "-key", str(key), *options]
    environment = os.environ | {"GODEBUG": "tlsmlkem=1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        address, configs = process.stdout.readline().split()
        yield GoServer(int(address.rpartition(":")[2]), configs)
    finally:
        process.kill()
        process.communicate()
