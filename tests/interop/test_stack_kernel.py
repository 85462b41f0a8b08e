"""The stack on a TAP with the kernel, and dnsmasq for DHCP and router advertisements, at the other end.

The test runs this file as a program in a network namespace of its own, and judges what it prints.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

SETUP = """
ip link set lo up
ip tuntap add tap0 mode tap vnet_hdr
ip link set tap0 up
ip addr add 192.0.2.1/24 dev tap0
ip addr add fd77::1/64 dev tap0 nodad
"""
DNSMASQ = [
    "dnsmasq",
    "--no-daemon",
    "--conf-file=/dev/null",
    "--port=0",
    "--interface=tap0",
    "--bind-dynamic",
    "--leasefile-ro",
    "--enable-ra",
    "--dhcp-range=192.0.2.50,192.0.2.60,1h",
    "--dhcp-range=fd77::,ra-only",
    "--dhcp-option=option:dns-server,192.0.2.53",
    "--dhcp-option=option:mtu,1400",
    "--domain=example.test",
]


@pytest.mark.interop
@pytest.mark.privileged
@pytest.mark.slow
def test_the_kernel_and_dnsmasq_agree_with_the_stack():
    if os.geteuid() != 0:
        pytest.skip("needs root for a network namespace and a TAP")
    for tool in ("unshare", "ip", "dnsmasq", "ping"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, __file__],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["lease"]["server"] == "192.0.2.1"
    assert told["lease"]["address"].startswith("192.0.2.5") or told["lease"]["address"] == "192.0.2.60"
    assert told["lease"]["dns_servers"] == ["192.0.2.53"]
    assert told["lease"]["domain"] == "example.test"
    assert told["lease"]["mtu"] == 1400
    assert told["slaac"].startswith("fd77::")
    assert told["replies"] == [["192.0.2.1", 3000, ""], ["fd77::1", 3000, ""]]
    assert told["kernel pings us"] == [0, 0], "echo requests of 4 000 octets, in fragments"
    assert told["kernel asks a closed port"] == ["ConnectionRefusedError"] * 2
    assert told["routers"], "the router of the advertisement"


def main() -> None:
    import socket
    import time

    from pycurl_redox.network import open_network
    from tcpip.scheduler import sleep_until
    from tcpip.sockets import EchoSocket
    from tcpip.wire.address import IpAddress

    for line in SETUP.strip().splitlines():
        subprocess.run(line.split(), check=True)
    dnsmasq = subprocess.Popen(DNSMASQ, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    network = open_network("tap:tap0")
    stack = network.host.stack
    told: dict[str, object] = {}

    async def until(condition, seconds: float = 15.0) -> None:
        end = network.now() + seconds
        while not condition():
            assert network.now() < end, f"never came to be: {stack.info()}"
            await sleep_until(network.now() + 0.02)

    async def converse() -> None:
        await until(lambda: stack.is_configured(4) and stack.is_configured(6))
        info = stack.info()
        told["lease"] = info["dhcp"]["lease"]
        addresses = [a for i in info["interfaces"] for a in i["addresses"]]
        told["slaac"] = next(a["address"] for a in addresses if a["origin"] == "slaac")
        told["routers"] = [r["gateway"] for r in info["routes"] if r["destination"] == "::/0"]
        replies = []
        for peer in ("192.0.2.1", "fd77::1"):
            echo = EchoSocket(network.host, IpAddress.parse(peer))
            echo.send(1, 3000, 64)
            reply = await echo.reply(network.now() + 5)
            replies.append([str(reply.source), reply.size, reply.error] if reply else None)
        told["replies"] = replies
        ours = [told["lease"]["address"], told["slaac"]]
        codes = []
        for address in ours:
            ping = subprocess.Popen(
                ["ping", "-c2", "-i0.2", "-W3", "-s4000", address], stdout=subprocess.DEVNULL
            )
            await until(lambda ping=ping: ping.poll() is not None)
            codes.append(ping.returncode)
        told["kernel pings us"] = codes
        refused = []
        for address in ours:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as asker:
                asker.setblocking(False)
                asker.connect((address, 4321))
                asker.send(b"anybody?")
                end = network.now() + 3
                while network.now() < end:
                    error = asker.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if error:
                        refused.append(type(OSError(error, "")).__name__)
                        break
                    await sleep_until(network.now() + 0.02)
        told["kernel asks a closed port"] = refused

    try:
        network.run(converse())
    finally:
        network.close()
        dnsmasq.terminate()
        dnsmasq.wait()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
