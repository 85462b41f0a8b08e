#!/usr/bin/env python3
"""TCP alone: our stack and driver on a TAP, the kernel's TCP at the other end, in a namespace made here.

    benchmarks/tap.py [--json]        # as root

Receives and sends at MTU 1500 without offload, with checksum offload, and
with segmentation offload; then connect, 1 KB request, 1 KB answer, close.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

OURS, THEIRS = "10.9.0.2", "10.9.0.1"
MODES = ("no offload", "checksum offload", "TSO and merged segments")
VOLUME = {
    "no offload": 150_000_000,
    "checksum offload": 250_000_000,
    "TSO and merged segments": 3_000_000_000,
}
EXCHANGES = 400


def kernel_server() -> tuple[int, int]:
    """Serve in a process of its own: first octet b"R": send for ever; b"S": take all; else 1 KB for 1 KB."""
    listener = socket.create_server((THEIRS, 0), backlog=64)
    port = listener.getsockname()[1]
    child = os.fork()
    if child:
        listener.close()
        return port, child
    buffer, piece = bytearray(1 << 20), os.urandom(1 << 20)
    while True:
        link, _ = listener.accept()
        with link:
            try:
                match link.recv(1):
                    case b"R":
                        while True:
                            link.sendall(piece)
                    case b"S":
                        while link.recv_into(buffer):
                            pass
                        link.sendall(b"!")
                    case _:
                        got = 1
                        while got < 1024 and (count := link.recv_into(buffer)):
                            got += count
                        link.sendall(piece[:1024])
            except OSError:
                pass


def measure(mode: str, port: int) -> dict[str, float]:
    from pycurl_redox.network import open_network
    from tcpip.wire.address import IpAddress

    server = IpAddress.parse(THEIRS)
    without = {MODES[0]: "checksum", MODES[1]: "segmentation", MODES[2]: ""}[mode]
    network = open_network(f"tap:tap0,address={OURS}/24" + (f",without={without}" if without else ""))
    volume = VOLUME[mode]

    async def receive() -> None:
        stream = await network.connect(server, port, None)
        await stream.write([b"R"], None)
        got = 0
        while got < volume:
            got += len(await stream.read(network.now() + 10))
        stream.abort()

    async def send() -> None:
        stream = await network.connect(server, port, None)
        await stream.write([b"S"], None)
        piece = os.urandom(1 << 16)  # the checksum of zeros is cheap
        for _ in range(volume // len(piece)):
            await stream.write([piece], network.now() + 10)
        stream.end_sending()
        assert await stream.read(network.now() + 10)

    async def exchange() -> float:
        begin = time.perf_counter()
        stream = await network.connect(server, port, None)
        await stream.write([bytes(1024)], None)
        got = 0
        while got < 1024:
            got += len(await stream.read(network.now() + 10))
        seconds = time.perf_counter() - begin
        await stream.close(None)
        return seconds

    row: dict[str, float] = {}
    for name, job in (("received", receive), ("sent", send)):
        cpu, begin = _cpu(), time.perf_counter()
        network.run(job())
        seconds = time.perf_counter() - begin
        row[f"MB/s {name}"] = volume / 1e6 / seconds
        row[f"CPU s/GB {name}"] = (_cpu() - cpu) / volume * 1e9
    times = [network.run(exchange()) for _ in range(EXCHANGES)]
    row["connect + 1 KB, ms (median)"] = statistics.median(times) * 1000
    network.close()
    return row


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def inside() -> None:
    for command in ("tuntap add dev tap0 mode tap", f"addr add {THEIRS}/24 dev tap0", "link set tap0 up"):
        subprocess.run(["ip", *command.split()], check=True)
    port, child = kernel_server()
    try:
        print(json.dumps({mode: measure(mode, port) for mode in MODES}))
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def main() -> None:
    if "--inside" in sys.argv:
        inside()
        return
    namespace = f"redox-bench-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        command = ["ip", "netns", "exec", namespace, sys.executable, __file__, "--inside"]
        rows = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    finally:
        subprocess.run(["ip", "netns", "del", namespace], check=True)
    if "--json" in sys.argv:
        print(json.dumps(rows))
        return
    for mode, row in rows.items():
        print(mode + ": " + ", ".join(f"{name} {value:,.2f}" for name, value in row.items()))


if __name__ == "__main__":
    assert threading.active_count() == 1  # it forks
    main()
