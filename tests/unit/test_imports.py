"""What the product may import, seen from a fresh interpreter."""

import pkgutil
import subprocess
import sys

import pytest

import pycurl_redox
import tcpip
import tls
import virtio

FORBIDDEN = ("ssl", "_ssl", "http.client", "http.cookiejar", "urllib.request", "asyncio")


def every_module() -> list[str]:
    names = []
    for package in (pycurl_redox, tcpip, tls, virtio):
        names += [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return [name for name in names if not name.endswith("__main__")]


@pytest.mark.slow
def test_no_module_of_the_product_brings_in_ssl_or_what_imports_it() -> None:
    code = (
        "import importlib, sys\n"
        f"for name in {every_module()!r}: importlib.import_module(name)\n"
        f"print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
