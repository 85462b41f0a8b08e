"""What the user-mode network costs alone: against a bare client, without a ring and without a stack.

    python benchmarks/usernet.py [--seconds 2]

The far end is a second process on loopback.  Printed are wall rate, CPU
seconds of this process per GB, and microseconds of its CPU per connection.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tcpip.usernet import UserNetConfig, UserNetwork
from tcpip.wire.address import IpAddress
from tests.fakes.bare_client import ACK, ALL_OFFLOADS, PSH, BareClient, BareTcp, MemoryPort

GATEWAY = IpAddress.parse("10.0.2.2")


class ReusingPort(MemoryPort):
    """Receive buffers that are used again and again, as those of a ring are; counts and forgets payload."""

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.buffers = [memoryview(bytearray(66_000)) for _ in range(slots)]
        self.filled = 0
        self.last: list[tuple[memoryview, int]] = []

    def rx_room(self, size: int) -> Sequence[memoryview] | None:
        if self.filled >= len(self.buffers):
            return None
        return (self.buffers[self.filled][:size],)

    def rx_done(self, length: int, header: tuple) -> None:
        self.last.append((self.buffers[self.filled], length))
        self.filled += 1

    def forget(self) -> None:
        self.last.clear()
        self.filled = 0


def serve() -> tuple[int, int]:
    """Start the far end: 'S' is answered with zeros for ever, 'R' is read for ever, 'E' echoes once."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = listener.getsockname()[1]
    pid = os.fork()
    if pid:
        listener.close()
        return pid, port
    block, into = bytes(1 << 20), bytearray(1 << 20)
    while True:
        peer, _ = listener.accept()
        try:
            kind = peer.recv(1)
            while kind == b"S":
                peer.sendall(block)
            while kind == b"R" and peer.recv_into(into):
                pass
            if kind == b"E":
                peer.sendall(b"x" * 1_024)
                peer.recv(1)
        except OSError:
            pass
        peer.close()


def report(name: str, octets: int, wall: float, cpu: float) -> None:
    print(f"{name:42} {octets / wall / 1e6:8.0f} MB/s   {cpu / octets * 1e9:6.2f} CPU s/GB")


def open_flow(port: int, features: int) -> tuple[UserNetwork, BareTcp, ReusingPort]:
    network = UserNetwork(UserNetConfig(), random_bytes=os.urandom)
    client = BareClient(network, features, now=time.monotonic())
    connection = client.connect(GATEWAY, port)
    client.turn_until(lambda: connection.is_established)
    fast = ReusingPort(32)
    network.attach(fast, features)
    return network, connection, fast


def measure_download(port: int, features: int, name: str, seconds: float, window: int) -> None:
    network, connection, fast = open_flow(port, features)
    connection.window = window
    connection.emit(connection.snd_nxt, ACK | PSH, b"S")
    connection.snd_nxt += 1
    octets, started, cpu = 0, time.monotonic(), time.process_time()
    while (now := time.monotonic()) - started < seconds:
        network.service(now)
        got = sum(length - 54 for _, length in fast.last)
        fast.forget()
        if got:
            octets += got
            connection.rcv_nxt = connection.rcv_nxt + got & 0xFFFFFFFF
            connection.acknowledge()
    report(name, octets, time.monotonic() - started, time.process_time() - cpu)
    network.close()


def measure_upload(port: int, features: int, name: str, seconds: float, size: int) -> None:
    network, connection, fast = open_flow(port, features)
    connection.emit(connection.snd_nxt, ACK | PSH, b"R")
    una = nxt = connection.snd_nxt + 1 & 0xFFFFFFFF
    edge = una + connection.remote_window
    block = bytes(size)
    octets, started, cpu = 0, time.monotonic(), time.process_time()
    while (now := time.monotonic()) - started < seconds:
        for _ in range(32):
            if edge - nxt & 0xFFFFFFFF >= 1 << 31 or edge - nxt & 0xFFFFFFFF < size:
                break
            connection.emit(nxt, ACK | PSH, block)
            nxt = nxt + size & 0xFFFFFFFF
        network.service(now)
        for frame, _ in fast.last:
            ack, window = int.from_bytes(frame[42:46], "big"), int.from_bytes(frame[48:50], "big") << 8
            octets += ack - una & 0xFFFFFFFF
            una, edge = ack, ack + window & 0xFFFFFFFF
        assert len(fast.last) < 3, "the kernel took less than was announced"
        fast.forget()
    report(name, octets, time.monotonic() - started, time.process_time() - cpu)
    network.close()


class TimedNetwork:
    """A network that adds up the time spent inside; turns that had nothing to do are not counted."""

    def __init__(self, network: UserNetwork) -> None:
        self.attach = network.attach
        self._network = network
        self.spent = 0.0

    def transmit(self, pieces: Sequence[memoryview], header: tuple) -> None:
        started = time.thread_time()
        self._network.transmit(pieces, header)
        self.spent += time.thread_time() - started

    def service(self, now: float) -> None:
        sent = self._network.info().frames_to_guest
        started = time.thread_time()
        self._network.service(now)
        took = time.thread_time() - started
        if self._network.info().frames_to_guest != sent:
            self.spent += took


def measure_flows(port: int, count: int) -> None:
    """Connect, one request, 1 KiB of reply, close: the network's own CPU time, system calls included."""
    network = TimedNetwork(UserNetwork(UserNetConfig(linger_timeout=0.0), random_bytes=os.urandom))
    client = BareClient(network)
    started = time.monotonic()
    for i in range(count):
        connection = client.connect(GATEWAY, port, 20_000 + i % 40_000)
        connection.send(b"E")
        while len(connection.received) < 1_024:
            client.turn(time.monotonic())
        connection.finish()
        while not connection.at_eof:
            client.turn(time.monotonic())
        del client.connections[20_000 + i % 40_000]
    wall = time.monotonic() - started
    inside = network.spent / count
    print(f"{'connect, 1 KiB, close':42} {wall / count * 1e6:8.0f} us     {inside * 1e6:6.0f} us CPU inside")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--window", type=int, default=4 << 20)
    seconds, window = (options := parser.parse_args()).seconds, options.window
    pids, ports = zip(*(serve() for _ in range(6)), strict=True)
    try:
        measure_download(ports[0], ALL_OFFLOADS, "to the guest, 64 KiB frames", seconds, window)
        measure_download(ports[1], 0x3, "to the guest, MTU frames, no checksum", seconds, window)
        measure_download(ports[2], 0, "to the guest, MTU frames, checksums", seconds, window)
        measure_upload(ports[3], ALL_OFFLOADS, "from the guest, 60 000 B frames", seconds, 60_000)
        measure_upload(ports[4], 0x3, "from the guest, MTU frames, no checksum", seconds, 1_460)
        measure_flows(ports[5], 2_000)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
