"""The default network as a whole, in this process: the loop, threads, names, loopback, faults on the wire."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from pycurl_redox.network import Network, NetworkError, NicSpec, open_network
from tcpip.errors import ConnectRefusedError, NameNotFoundError, TimedOutError
from tcpip.scheduler import CancelledError, sleep_until
from tcpip.usernet.impair import ImpairConfig, Impairment
from tcpip.wire.address import IPV4_ANY, IPV4_LOOPBACK, IPV6_LOOPBACK, IpAddress

pytestmark = pytest.mark.interop


@pytest.fixture
def network() -> Iterator[Network]:
    opened = open_network("user")
    yield opened
    opened.close()


@pytest.fixture
def echo() -> Iterator[int]:
    """A server on 127.0.0.1 and ::1 that says its peer's port and then echoes."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    server6 = socket.create_server(("::1", port), family=socket.AF_INET6)

    def converse(link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            link.sendall(b"%d\n" % link.getpeername()[1])
            while data := link.recv(65_536):
                link.sendall(data)

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(link,), daemon=True).start()

    for listener in (server, server6):
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    yield port
    for listener in (server, server6):
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


async def exchange(network: Network, address: IpAddress, port: int, data: bytes) -> tuple[bytes, int]:
    """What came back, and the port that the server saw."""
    deadline = network.now() + 20
    stream = await network.connect(address, port, deadline)
    await stream.write([data], deadline)
    got = bytearray()
    while len(got.partition(b"\n")[2]) < len(data):
        piece = await stream.read(deadline)
        assert piece, "the server closed early"
        got += piece
    assert stream.local[1] == int(got.partition(b"\n")[0])
    stream.abort()
    return bytes(got.partition(b"\n")[2]), stream.local[1]


@pytest.mark.parametrize("address", [IPV4_LOOPBACK, IPV6_LOOPBACK, IPV4_ANY], ids=str)
def test_a_loopback_address_is_the_users_machine(network: Network, echo: int, address: IpAddress) -> None:
    data = bytes(range(256)) * 1000
    assert network.run(exchange(network, address, echo, data))[0] == data


def test_a_listener_of_our_own_stack_comes_before_the_users_machine(network: Network, echo: int) -> None:
    from tcpip.sockets import TcpListener

    listener = TcpListener(network.host, network.host.stack.tcp_listen(echo))

    async def both() -> bytes:
        stream = await network.connect(IPV4_LOOPBACK, echo, network.now() + 5)
        other = await listener.accept(network.now() + 5)
        await stream.write([b"to ourselves"], None)
        return bytes(await other.read(network.now() + 5))

    assert network.run(both()) == b"to ourselves"


def test_refused_is_refused_at_once(network: Network) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ConnectRefusedError):
        network.run(network.connect(IPV4_LOOPBACK, port, network.now() + 10))


def test_threads_share_one_network(network: Network, echo: int) -> None:
    results: list[bytes] = []

    def fetch(i: int) -> None:
        data = bytes([i]) * 50_000
        for _ in range(5):
            results.append(network.run(exchange(network, IPV4_LOOPBACK, echo, data))[0])

    threads = [threading.Thread(target=fetch, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(set(results)) == [bytes([i]) * 50_000 for i in range(8)] and len(results) == 40


def test_an_interrupted_thread_leaves_the_others_running(network: Network, echo: int) -> None:
    cleaned = threading.Event()

    async def interrupted() -> None:
        try:
            await sleep_until(network.now() + 0.01)
            raise KeyboardInterrupt
        finally:
            cleaned.set()

    outcome: list[object] = []

    def other() -> None:
        outcome.append(network.run(exchange(network, IPV4_LOOPBACK, echo, b"still here"))[0])

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises((KeyboardInterrupt, CancelledError)):
        network.run(interrupted())
    thread.join(10)
    assert cleaned.is_set() and outcome == [b"still here"]


def test_a_device_that_delivers_nothing_ends_at_the_deadline() -> None:
    lossy = open_network("user", impair=ImpairConfig(to_guest=Impairment(loss=1.0)))
    try:
        with pytest.raises((TimedOutError, Exception)) as caught:
            lossy.run(lossy.connect(IPV4_LOOPBACK, 9, lossy.now() + 0.2))
        assert "no address" in str(caught.value) or isinstance(caught.value, TimedOutError)
    finally:
        lossy.close()


def test_ten_percent_loss_both_ways_loses_no_octet(echo: int) -> None:
    bad = Impairment(loss=0.1, jitter=0.001)
    lossy = open_network("user", impair=ImpairConfig(seed=7, from_guest=bad, to_guest=bad))
    try:
        data = bytes(range(251)) * 4000
        assert lossy.run(exchange(lossy, IPV4_LOOPBACK, echo, data))[0] == data
    finally:
        lossy.close()


def test_localhost_needs_no_resolver_and_invalid_names_have_none(network: Network) -> None:
    found = network.run(network.resolve("localhost", 0, network.now() + 1))
    assert set(found) == {IPV4_LOOPBACK, IPV6_LOOPBACK}
    with pytest.raises(NameNotFoundError):
        network.run(network.resolve("nosuch.invalid", 0, network.now() + 1))


@pytest.mark.parametrize(
    "nic", ["wifi", "tap", "user:x", "tap:t0,colour=red", "tap:t0,address=10.0.0.300/24"]
)
def test_a_nic_that_makes_no_sense_is_named(nic: str) -> None:
    with pytest.raises(NetworkError, match="--nic"):
        NicSpec.parse(nic)


def test_a_tap_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(NetworkError, match="a-name-far-too-long"):
        open_network("tap:a-name-far-too-long")


def test_connecting_that_is_cancelled_leaves_nothing_behind(network: Network, echo: int) -> None:
    assert network.usernet is not None

    async def cancels() -> None:
        for pause in (0.0, 0.0, 0.0001, 0.001) * 10:
            task = network.spawn(network.connect(IPV4_LOOPBACK, echo, network.now() + 5))
            await sleep_until(network.now() + pause)
            if task.is_done:
                task.result.abort()
            task.cancel()
        await sleep_until(network.now() + 0.05)

    network.run(cancels())
    info = network.usernet.info()
    assert info.forwards == len([flow for flow in info.tcp_flows if flow.state != "LINGERING"]) == 0
