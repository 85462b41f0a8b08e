"""The other side of a TAP: the kernel with servers of both families, and dnsmasq for DHCP, DNS and RA.

Run as a program in a network namespace of its own.  It says `ready`, reads
command lines as JSON, runs each in the namespace, and says how it ended:

    unshare --net python -m tests.fakes.tap_world FOLDER

FOLDER has `cert.pem`, `key.pem` and the bodies to serve.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TAP = "rtap0"
ADDRESS, ADDRESS6 = "192.0.2.1", "fd77::1"
HTTP, HTTPS = 8080, 8443
MISSING = [tool for tool in ("unshare", "ip", "dnsmasq") if shutil.which(tool) is None]

SETUP = f"""
ip link set lo up
ip tuntap add {TAP} mode tap vnet_hdr
sysctl -qw net.ipv6.conf.{TAP}.accept_dad=0
ip link set {TAP} up
ip addr add {ADDRESS}/24 dev {TAP}
ip addr add {ADDRESS6}/64 dev {TAP} nodad
"""
DNSMASQ = [
    "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--leasefile-ro",
    "--no-ping",
    f"--interface={TAP}", "--bind-dynamic", "--enable-ra", "--dhcp-range=fd77::,ra-only",
    "--dhcp-range=192.0.2.50,192.0.2.200,1h", "--domain=example.test", "--local=/test/",
    f"--host-record=both.test,{ADDRESS},{ADDRESS6}", f"--host-record=four.test,{ADDRESS}",
    f"--host-record=six.test,{ADDRESS6}", "--cname=alias.test,both.test",
]  # fmt: skip


class World:
    """A namespace with servers, driven from outside."""

    def __init__(self, folder: Path) -> None:
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-m", "tests.fakes.tap_world", str(folder)],
            cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._read() == "ready\n"

    def run(self, *command: str) -> tuple[int, bytes, str]:
        """Exit code, stdout and stderr of a command run there."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        code, out, err = json.loads(self._read())
        return code, base64.b64decode(out), err

    def close(self) -> None:
        self._process.communicate(timeout=10)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextlib.contextmanager
def tap_world(folder: Path) -> Iterator[World]:
    world = World(folder)
    try:
        yield world
    finally:
        world.close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4, mapped
    daemon_threads = True


def _serve(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    for port, tls in ((HTTP, None), (HTTPS, context)):
        server = _Server(("::", port), lambda *a: _Handler(*a, directory=str(folder)))  # type: ignore[misc]
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()


def _await_dns() -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection((ADDRESS, 53), 1):
            return
        time.sleep(0.02)
    raise TimeoutError("dnsmasq did not come up")


def main() -> None:
    for line in SETUP.strip().splitlines():
        subprocess.run(line.split(), check=True)
    dnsmasq = subprocess.Popen(DNSMASQ, stderr=subprocess.DEVNULL)
    try:
        _serve(Path(sys.argv[1]))
        _await_dns()
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(_run(json.loads(line))), flush=True)
    finally:
        dnsmasq.terminate()
        dnsmasq.wait()


def _run(command: list[str]) -> list[Any]:
    done = subprocess.run(command, capture_output=True, timeout=40, stdin=subprocess.DEVNULL, env=os.environ)
    return [done.returncode, base64.b64encode(done.stdout).decode(), done.stderr.decode()]


if __name__ == "__main__":
    main()
