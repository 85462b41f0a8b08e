"""The whole of our network on QEMU's own virtio-net-pci: DHCP, ping and a GET, by qtest."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pycurl_redox.network import Network, NicSpec
from tcpip.config import StackConfig
from tcpip.host import Host
from tcpip.stack import Stack
from tcpip.wire.address import IpAddress
from tests.fakes.local_servers import body
from tests.fakes.qtest import QEMU, QemuMachine, qtest_transport
from virtio.net import VirtioNet

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(QEMU is None, reason="qemu-system-x86_64 is not installed (qemu-system-x86)"),
]

GATEWAY = IpAddress.parse("10.0.2.2")  # what QEMU's user network makes of the host's loopback
BODY = body(300_000)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def network() -> Iterator[Network]:
    with QemuMachine() as machine:
        device = VirtioNet(qtest_transport(machine))
        stack = Stack(StackConfig(), device.mac, device.mtu, device.offloads, os.urandom)
        opened = Network(Host(stack, device), device, NicSpec("qtest"), random_bytes=os.urandom)
        yield opened
        opened.close()


def test_an_address_comes_by_dhcp(network: Network) -> None:
    assert network.run(network.host.configured(4, network.now() + 10))
    state = network.info()
    lease = state["dhcp"]["lease"]
    assert (lease["address"], lease["routers"], lease["dns_servers"]) == (
        "10.0.2.15",
        ["10.0.2.2"],
        ["10.0.2.3"],
    )


def test_the_gateway_answers_pings(network: Network) -> None:
    async def ping() -> list[int]:
        socket = await network.echo(GATEWAY)
        answered = []
        for sequence in (1, 2, 3):
            socket.send(sequence, 56, 64)
            reply = await socket.reply(network.now() + 5)
            assert reply is not None and not reply.error
            answered.append(reply.sequence)
        socket.close()
        return answered

    assert network.run(ping()) == [1, 2, 3]


def test_a_get_brings_the_body_whole(network: Network, server_port: int) -> None:
    from pycurl_redox import Client

    with Client(network=network) as client:
        response = client.get(f"http://10.0.2.2:{server_port}/")
        assert response.status == 200 and response.content == BODY
    rings = network.info()["virtio"]
    assert rings["receive"]["octets"] > len(BODY) and rings["dropped"] == {} and rings["resets"] == 0
