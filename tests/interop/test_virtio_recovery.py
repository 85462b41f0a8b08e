"""A TCP connection on the default network lives through resets, lies and lost interrupts of its device."""

import socket
import threading

import pytest

from pycurl_redox import network as network_module
from pycurl_redox.network import open_network
from tcpip.wire.address import IpAddress
from virtio.device.net import NetDevice
from virtio.transport.inprocess import InProcessTransport

pytestmark = [pytest.mark.interop, pytest.mark.slow]

BODY = bytes(i * 7 % 251 for i in range(251)) * 32_000  # 8 MB


class ResettingDevice(NetDevice):
    """Asks for a reset every fifth turn, whatever is on its way."""

    turns = 0

    def service(self, now):
        super().service(now)
        self.turns += 1
        if self.turns % 5 == 0:
            self.need_reset("by order of the test")


class LyingDevice(NetDevice):
    """Now and then completes what was never posted."""

    turns = 0

    def service(self, now):
        super().service(now)
        self.turns += 1
        if self.turns % 5 == 0 and self._running:
            self._receive_queue.push(self.queue_size + 7, 1)
            self._publish()


class WithoutInterrupts(InProcessTransport):
    """The device works; its interrupts never come."""

    waits = threading.Event()
    """The client's rings are armed: what comes now is found without an interrupt."""

    def take_interrupts(self):
        super().take_interrupts()
        return 0

    def next_timeout(self):
        self.waits.set()
        return super().next_timeout()


class LateInterrupts(InProcessTransport):
    """Each comes one turn later, merged with the next."""

    late = 0

    def take_interrupts(self):
        now, self.late = self.late, super().take_interrupts()
        return now


@pytest.fixture
def server():
    """Sends BODY to whoever sends BODY; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    failures = []

    def serve():
        try:
            connection, _ = listener.accept()
            connection.settimeout(30)
            with connection:
                left = len(BODY)
                received = bytearray()
                while left and (data := connection.recv(65536)):
                    received += data
                    left -= len(data)
                if received != BODY:
                    failures.append(f"{len(received)} octets came, or wrong ones")
                connection.sendall(BODY[:1])
                if network_module.InProcessTransport is WithoutInterrupts:
                    # A client that always finds work need never arm its rings.
                    WithoutInterrupts.waits.clear()
                    WithoutInterrupts.waits.wait(30)
                connection.sendall(BODY[1:])
        except OSError as error:
            failures.append(repr(error))

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(30)
    listener.close()
    assert not failures


async def exchange(network, port):
    deadline = network.now() + 25
    stream = await network.connect(IpAddress.parse("127.0.0.1"), port, deadline)
    await stream.write([BODY], deadline)
    received = bytearray()
    while len(received) < len(BODY) and (data := await stream.read(deadline)):
        received += data
    await stream.close(deadline)
    return bytes(received)


def fetch(port):
    network = open_network("user")
    try:
        received = network.run(exchange(network, port))
        return received, network.info()["virtio"]
    finally:
        network.close()


def test_a_connection_lives_through_device_needs_reset(server, monkeypatch):
    monkeypatch.setattr(network_module, "NetDevice", ResettingDevice)
    received, driver = fetch(server)
    assert received == BODY
    assert driver["resets"] >= 3
    assert driver["lies"] == {"needs reset": driver["resets"]}


def test_a_connection_lives_through_a_device_that_lies(server, monkeypatch):
    monkeypatch.setattr(network_module, "NetDevice", LyingDevice)
    received, driver = fetch(server)
    assert received == BODY
    assert driver["resets"] >= 3
    assert sum(driver["lies"].values()) == driver["resets"]
    assert set(driver["lies"]) <= {"id out of range", "used index jumps"}, "jumps: when the ring was full"


@pytest.mark.parametrize("transport", [WithoutInterrupts, LateInterrupts])
def test_a_connection_needs_no_interrupt(server, monkeypatch, transport):
    monkeypatch.setattr(network_module, "InProcessTransport", transport)
    received, driver = fetch(server)
    assert received == BODY
    assert driver["resets"] == 0
    if transport is WithoutInterrupts:
        assert driver["interrupts"] == 0
        assert driver["found_without_interrupt"] > 0
