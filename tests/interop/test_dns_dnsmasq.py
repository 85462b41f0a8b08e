"""Lookups from dnsmasq, over the kernel's sockets on loopback."""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import pytest

from tcpip.device import Buffer
from tcpip.dns import Cache, ResolverConfig
from tcpip.errors import NameNotFoundError, ResolveError, TimedOutError
from tcpip.lookup import lookup
from tcpip.scheduler import Scheduler
from tcpip.wire.address import IPV4_LOOPBACK, IpAddress

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="no dnsmasq program to ask"),
]

MANY = [f"10.0.{n // 8}.{n % 8}" for n in range(80)]  # more than 512 octets
RECORDS = [
    "--host-record=www.test,192.0.2.80,2001:db8::80",
    "--cname=alias.test,other.test",
    "--cname=other.test,www.test",
    "--local=/test/",
    *(f"--host-record=many.test,{address}" for address in MANY),
]


class Arrived(NamedTuple):
    data: bytes
    address: IpAddress
    port: int


class KernelUdp:
    def __init__(self, host: KernelHost) -> None:
        self.host = host
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.on_change: Callable[[], None] = lambda: None

    def send_datagram(self, data: bytes, address: IpAddress, port: int, now: float) -> None:
        assert port == 53
        self.socket.sendto(data, (str(address), self.host.port))

    def receive_datagram(self) -> Arrived | None:
        try:
            data, (address, port) = self.socket.recvfrom(65_535)
        except BlockingIOError:
            return None
        assert port == self.host.port
        return Arrived(data, IpAddress.parse(address), 53)

    def next_error(self) -> None:
        return None

    def close(self) -> None:
        self.host.open.remove(self)
        self.socket.close()


class KernelStream:
    """Blocks, which does no harm with one lookup at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.settimeout(5)

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        self.connection.sendall(b"".join(map(bytes, pieces)))

    async def read(self, deadline: float | None) -> Buffer:
        return self.connection.recv(100)

    def abort(self) -> None:
        self.connection.close()


class KernelHost:
    """Fits `DnsHost`; port 53 is where this test's dnsmasq listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open: list[KernelUdp] = []
        self.connections = 0

    def now(self) -> float:
        return time.monotonic()

    def open_udp(self) -> KernelUdp:
        self.open.append(KernelUdp(self))
        return self.open[-1]

    async def open_tcp(self, address: IpAddress, port: int, deadline: float) -> KernelStream:
        self.connections += 1
        return KernelStream(socket.create_connection((str(address), self.port), timeout=5))

    def look(self, name: str, family: int = 0, cache: Cache | None = None) -> list[str]:
        config = ResolverConfig(servers=(IPV4_LOOPBACK,), search=("test",), timeout=2.0)
        cache = Cache() if cache is None else cache
        scheduler, deadline = Scheduler(), self.now() + 10
        task = scheduler.spawn(lookup(self, config, cache, chance, name, family, deadline))
        while not task.is_done:
            if not scheduler.run_ready():
                timeout = scheduler.next_timeout()
                wait = 0.1 if timeout is None else min(max(timeout - self.now(), 0), 0.1)
                ready, _, _ = select.select([each.socket for each in self.open], [], [], wait)
                for each in self.open:
                    if each.socket in ready:
                        each.on_change()
                scheduler.handle_timeout(self.now())
        return [str(address) for address in task.result]


def chance(size: int) -> bytes:
    import os

    return os.urandom(size)


@pytest.fixture(scope="module")
def host() -> Iterator[KernelHost]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]
    command += [f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", *RECORDS]
    server = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        host = KernelHost(port)
        for _ in range(100):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None:
                assert server.stderr is not None
                pytest.fail(f"dnsmasq ended: {server.stderr.read().decode()}")
            time.sleep(0.05)
        yield host
    finally:
        server.terminate()
        server.wait(5)
        assert server.stderr is not None
        server.stderr.close()


def test_both_families_are_found(host: KernelHost) -> None:
    assert host.look("www.test") == ["2001:db8::80", "192.0.2.80"]
    assert host.look("www.test", 4) == ["192.0.2.80"]
    assert host.open == []


def test_aliases_are_followed(host: KernelHost) -> None:
    assert host.look("ALIAS.test") == ["2001:db8::80", "192.0.2.80"]


def test_the_search_list_completes_a_short_name(host: KernelHost) -> None:
    assert host.look("www") == ["2001:db8::80", "192.0.2.80"]


def test_a_long_answer_comes_over_tcp(host: KernelHost) -> None:
    before = host.connections
    assert sorted(host.look("many.test", 4)) == sorted(MANY)
    assert host.connections == before + 1


def test_a_name_that_is_not_there_is_not_found(host: KernelHost) -> None:
    with pytest.raises(NameNotFoundError):
        host.look("none.test")


def test_a_name_without_an_address_of_the_family_is_not_found(host: KernelHost) -> None:
    with pytest.raises(NameNotFoundError):
        host.look("many.test", 6)


def test_a_server_that_refuses_is_named(host: KernelHost) -> None:
    with pytest.raises(ResolveError, match=r"127\.0\.0\.1 answered REFUSED") as caught:
        host.look("www.example.")
    assert not isinstance(caught.value, NameNotFoundError | TimedOutError)
