"""The command with its imports done once: a process that forks itself for each command line.

`redox_curl(*arguments)` runs `cli.main` in a process of its own, with its own
descriptors and exit code, for a tenth of what a fresh interpreter costs.
What a fresh one does is tested in `test_whole_path.py`.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "cli command job fetch http1 network client tls_settings tls_stream incoming reporter decode redirect"
)


class Ended(NamedTuple):
    code: int
    out: bytes
    err: bytes
    peak: int
    """Octets of memory at most."""


def run(arguments: tuple[str, ...], timeout: float) -> Ended:
    """Run the command; TimeoutError when it does not end."""
    link = _server()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        socket.send_fds(link, [json.dumps(arguments).encode()], [out.fileno(), err.fileno()])
        link.settimeout(timeout)
        try:
            code, peak = json.loads(link.recv(100))
        except TimeoutError:
            _server.cache_clear()
            raise
        out.seek(0)
        err.seek(0)
        return Ended(code, out.read(), err.read(), peak * 1024)


@functools.cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.fakes.preloaded", str(theirs.fileno())]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()

    def stop() -> None:
        ours.close()
        process.kill()
        process.wait()

    atexit.register(stop)
    return ours


def serve(link: socket.socket) -> None:
    from importlib import import_module

    for name in MODULES.split():
        import_module(f"pycurl_redox.{name}")
    while True:
        data, descriptors, *_ = socket.recv_fds(link, 1 << 16, 2)
        if not data:
            return
        child = os.fork()
        if not child:
            link.close()
            for number, descriptor in enumerate(descriptors, 1):
                os.dup2(descriptor, number)
            os._exit(_command(json.loads(data)))
        for descriptor in descriptors:
            os.close(descriptor)
        _, status, usage = os.wait4(child, 0)
        link.send(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss]).encode())


def _command(arguments: list[str]) -> int:
    from pycurl_redox.cli import main

    try:
        code = main(arguments)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
