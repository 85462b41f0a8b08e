"""Real servers on loopback for the tests of the whole path: nginx with TLS 1.3, and what to ask of it."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.servers import Servers, servers

NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def body(size: int) -> bytes:
    """Octets without a pattern, the same each time."""
    out = bytearray()
    counter = 0
    while len(out) < size:
        out += hashlib.sha512(counter.to_bytes(8, "big")).digest()
        counter += 1
    return bytes(out[:size])


@contextlib.contextmanager
def nginx(**bodies: bytes) -> Iterator[Servers]:
    """Serve `/NAME` for each body, over http and https."""
    with servers(0) as local:
        for name, content in bodies.items():
            (local.root / "www" / name).write_bytes(content)
        yield local
