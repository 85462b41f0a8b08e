"""The faults of the seed notes on the whole path: a fetch over stack, driver, ring, device and gateway.

What one layer alone can show is in `test_seed_notes_virtio.py` and
`test_stack_seed_notes.py`; `docs/conformance-seed-notes.md` has the table of
all, and the last test here keeps it true.
"""

from __future__ import annotations

import ast
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pycurl_redox import Client
from pycurl_redox.network import Network
from pycurl_redox.ping import Options, Ping
from tcpip.errors import TimedOutError, UnreachableError
from tcpip.usernet.config import UserNetConfig
from tcpip.usernet.impair import ImpairConfig, Impairment
from tcpip.wire.address import IPV4_LOOPBACK
from tests.fakes.local_servers import body
from tests.fakes.raw_server import read_request, saying, serving, silent
from tests.fakes.whole_path import GATEWAY, MODES, BadInterrupts, whole_path
from virtio import spec
from virtio.net import VirtioNetConfig

ROOT = Path(__file__).resolve().parents[2]
NOTES = ROOT / "docs" / "conformance-seed-notes.md"

RECHECK = 0.05
SLACK = 0.1
"""Seconds that a busy machine may add to a wait."""
LARGE = body(300_000)
SMALL_RING = VirtioNetConfig(
    ring_size=16, features=spec.ALL_FEATURES & ~(spec.HOST_TSO | spec.GUEST_TSO), receive_buffer_size=2048
)
"""A ring that a transfer goes round many times, one frame of the MTU at a time."""


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """What becomes of the device's interrupts."""
    return str(request.param)


@pytest.fixture
def open_path() -> Iterator[Callable[..., Network]]:
    opened: list[Network] = []

    def open_one(*arguments: object, **settings: object) -> Network:
        opened.append(whole_path(*arguments, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for network in opened:
        network.close()


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """Answers each GET with `LARGE`, and each other request with what it carried."""

    def converse(link: socket.socket) -> None:
        while True:
            head, _, content = read_request(link).partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            while length and len(content) < int(length.group(1)):
                content += link.recv(65_536)
            reply = LARGE if head.startswith(b"GET") else content
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply) + reply)

    with serving(converse) as port:
        yield port


def get(network: Network, port: int, host: str = "10.0.2.2") -> bytes:
    client = Client(network=network, read_timeout=20, connect_timeout=20)
    return client.get(f"http://{host}:{port}/").content


def transport(network: Network) -> BadInterrupts:
    found = network._device._transport
    assert isinstance(found, BadInterrupts)
    return found


def wire(delay: float = 0.0, **more: object) -> UserNetConfig:
    one_way = Impairment(delay=delay, **more)  # type: ignore[arg-type]
    return UserNetConfig(impair=ImpairConfig(from_guest=one_way, to_guest=one_way))


# virtio-netd and virtio-core: completions awaited, wake-ups lost, RX never posted again


@pytest.mark.slow
def test_a_fetch_ends_right_whatever_becomes_of_the_interrupts(
    open_path: Callable[..., Network], server: int, mode: str
) -> None:
    network = open_path(mode)
    assert get(network, server) == LARGE
    rings = network.info()["virtio"]
    assert rings["resets"] == 0 and rings["dropped"] == {} and rings["lies"] == {}
    assert rings["transmit"]["outstanding"] <= 1, "what the device has done with is taken back"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["delayed", "merged", "lost"], indirect=True)
def test_a_lost_interrupt_stalls_a_transfer_for_50_ms_at_most_and_is_counted(
    open_path: Callable[..., Network], server: int, mode: str
) -> None:
    network = open_path(mode, usernet=wire(0.005))  # far enough to have to wait
    assert get(network, server) == LARGE
    assert transport(network).longest_wait < RECHECK + SLACK
    found = network.info()["virtio"]["found_without_interrupt"]
    assert found > 0 or mode != "lost", "one that is only late may still come in time"


@pytest.mark.slow
def test_more_frames_than_the_ring_holds_go_both_ways(
    open_path: Callable[..., Network], server: int, mode: str
) -> None:
    """After as many frames as the ring has entries the seed's reception ended, and its sending blocked."""
    network = open_path(mode, driver=SMALL_RING)
    content = LARGE[: 100_000 if mode in ("prompt", "spurious") else 30_000]
    response = Client(network=network).post(f"http://10.0.2.2:{server}/", data=content)
    assert response.content == content
    for name in ("receive", "transmit"):
        ring = network.info()["virtio"][name]
        assert ring["size"] == 16 and ring["frames"] > 17
    assert network.info()["virtio"]["receive"]["outstanding"] == 16


@pytest.mark.slow
def test_the_second_of_two_fetches_does_not_wait_for_the_first_one(
    open_path: Callable[..., Network], server: int, mode: str
) -> None:
    """The seed's second frame blocked for ever behind the completion of the first."""
    network = open_path(mode)
    with serving(silent) as mute:

        async def both() -> bytes:
            deadline = network.now() + 10
            first = await network.connect(GATEWAY, mute, deadline)
            await first.write([b"never answered"], deadline)
            second = await network.connect(GATEWAY, server, deadline)
            await second.write([b"GET / HTTP/1.1\r\n\r\n"], deadline)
            received = bytearray()
            while len(received) < len(LARGE):
                received += await second.read(deadline)
            first.abort()
            second.abort()
            return bytes(received)

        assert network.run(both()).endswith(LARGE)


# smolnetd: an application gave up before the SYN-ACK came; "Connection timed out" at 0 ms


@pytest.mark.slow
def test_connects_take_their_time_over_round_trips_of_70_ms_and_of_2_s(
    open_path: Callable[..., Network],
) -> None:
    def fetch(delay: float) -> tuple[bytes, float]:
        network = open_path(usernet=wire(delay / 2))
        response = Client(network=network, connect_timeout=20).get(f"http://10.0.2.2:{port}/")
        return response.content, response.timings.connect

    small = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    with serving(small) as port, ThreadPoolExecutor() as pool:
        for delay, (content, connect) in zip((0.07, 2.0), pool.map(fetch, (0.07, 2.0)), strict=True):
            assert content == b"hello"
            assert connect >= delay


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0.2])
def test_a_connection_times_out_at_its_deadline_and_not_at_0_ms(
    open_path: Callable[..., Network], mode: str, limit: float
) -> None:
    network = open_path(mode, swallow="tcp")
    begin = network.now()
    with pytest.raises(TimedOutError):
        network.run(network.connect(GATEWAY, 80, begin + limit))
    assert limit <= network.now() - begin < limit + RECHECK + SLACK


def test_a_connect_to_nobody_fails_when_the_neighbour_has_been_asked_three_times(
    open_path: Callable[..., Network],
) -> None:
    network = open_path(swallow="all")
    begin = network.now()
    with pytest.raises(UnreachableError):
        network.run(network.connect(GATEWAY, 80, begin + 20))
    assert 2.9 <= network.now() - begin < 4.0


# EthernetLink and ARP: the first packet was queued and then lost


@pytest.mark.slow
def test_the_first_packet_waits_behind_arp_and_is_sent_once(
    open_path: Callable[..., Network], server: int, mode: str
) -> None:
    network = open_path(mode)
    assert network.usernet is not None
    kinds: list[str] = []

    def listen(is_from_guest: bool, pieces: object) -> None:
        frame = b"".join(pieces)  # type: ignore[call-overload]
        if is_from_guest and frame[12:14] == b"\x08\x06" and frame[38:42] == bytes(GATEWAY):
            kinds.append("ARP")
        elif is_from_guest and frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[47] & 0x12 == 0x02:
            kinds.append("SYN")

    network.usernet.capture(listen)
    assert get(network, server) == LARGE
    assert kinds == ["ARP", "SYN"]


# Router: two route tables, the default route in only one


@pytest.mark.slow
def test_fetch_ping_and_lookup_go_by_the_one_route_table(
    open_path: Callable[..., Network], server: int
) -> None:
    network = open_path()
    get(network, server)
    network.run(ping(network, "10.0.2.2", packets=1))
    with pytest.raises(Exception, match="name"):
        network.run(network.resolve("name.invalid.test", 4, network.now() + 2))
    state = network.info()
    (default,) = [route for route in state["routes"] if route["destination"] == "0.0.0.0/0"]
    assert default["gateway"] == "10.0.2.2"
    assert "route_tables" not in state and isinstance(state["routes"], list)
    known = {neighbor["address"] for neighbor in state["neighbors"]}
    assert known <= {"10.0.2.2", "10.0.2.3", "fe80::2"}, "everything else goes by the gateway"


# ICMP and ping: replies received and never delivered; 127.0.0.1 hung


async def ping(network: Network, host: str, **settings: object) -> tuple[Ping, str]:
    lines: list[str] = []
    run = Ping(network, Options(host, **settings), lines.append)  # type: ignore[arg-type]
    await run.run()
    return run, "".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.0.2.2"])
def test_each_ping_reply_is_delivered(open_path: Callable[..., Network], mode: str, host: str) -> None:
    network = open_path(mode)
    run, text = network.run(ping(network, host, packets=3, interval=0.01, timeout=5.0, has_timeout=True))
    assert (run.statistics.sent, run.statistics.received) == (3, 3)
    assert [f"icmp_seq={n} " in text for n in (1, 2, 3)] == [True] * 3


@pytest.mark.slow
def test_ping_replies_that_come_after_later_requests_are_counted(open_path: Callable[..., Network]) -> None:
    network = open_path(usernet=wire(0.2))
    run, text = network.run(
        ping(network, "10.0.2.2", packets=5, interval=0.05, timeout=5.0, has_timeout=True)
    )
    assert (run.statistics.sent, run.statistics.received, run.statistics.duplicates) == (5, 5, 0)
    assert "icmp_seq=5 " in text and run.statistics.longest >= 0.4


# Waits that nothing ended: schemes whose opens blocked, processes that kill -9 could not end


@pytest.mark.slow
def test_every_call_has_a_deadline_on_a_device_that_delivers_nothing(
    open_path: Callable[..., Network], mode: str
) -> None:
    network = open_path(mode, swallow="all", dhcp=True)
    calls = {
        "connect": network.connect(GATEWAY, 80, network.now() + 0.1),
        "resolve": network.resolve("name.test", 4, network.now() + 0.2),
        "configured": network.configured(network.now() + 0.3),
    }
    for name, call in calls.items():
        begin = network.now()
        with pytest.raises((TimedOutError, UnreachableError)):
            network.run(call)
        assert network.now() - begin < 0.3 + SLACK, name


@pytest.mark.slow
def test_loopback_needs_no_device(open_path: Callable[..., Network]) -> None:
    network = open_path(swallow="all")
    from tcpip.sockets import TcpListener

    listener = TcpListener(network.host, network.host.stack.tcp_listen(8080))

    async def talk() -> bytes:
        deadline = network.now() + 2
        near = await network.connect(IPV4_LOOPBACK, 8080, deadline)
        far = await listener.accept(deadline)
        await near.write([b"to myself"], deadline)
        return bytes(await far.read(deadline))

    assert network.run(talk()) == b"to myself"


# QEMU's user networking: the same addresses


@pytest.mark.slow
def test_the_addresses_are_those_of_qemu(open_path: Callable[..., Network], mode: str) -> None:
    network = open_path(mode, dhcp=True)
    network.run(network.configured(network.now() + 5))
    lease = network.info()["dhcp"]["lease"]
    assert (lease["address"], lease["prefix_length"]) == ("10.0.2.15", 24)
    assert (lease["routers"], lease["dns_servers"]) == (["10.0.2.2"], ["10.0.2.3"])


# The table itself


def test_each_row_of_the_seed_notes_names_tests_that_exist() -> None:
    rows = re.findall(r"(?m)^\| (?!row|---)(.+?) \| (.+?) \| (.+) \|$", NOTES.read_text(encoding="utf-8"))
    assert len(rows) >= 17
    for row, _, tests in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        assert named, f"no test for {row}"
        for path, name in named:
            assert name in names_in(ROOT / path), f"{path} has no {name}"


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
