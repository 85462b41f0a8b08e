"""Our end of a connection on the user-mode network: interface, port, and what the packets are marked with."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from pycurl_redox.client import Client
from pycurl_redox.dial_options import DialOptions
from pycurl_redox.network import Network, open_network
from tcpip.errors import BindError
from tcpip.wire.address import IPV4_LOOPBACK, IPV6_LOOPBACK, IpAddress
from tests.fakes.beside_curl import needs_curl_7_88
from tests.fakes.commands import CURL, REDOX_CURL, needs_root, redox_curl, run
from tests.fakes.namespaces import in_new_namespace
from tests.fakes.raw_server import read_request, serving

pytestmark = pytest.mark.interop

INTERFACE_MISSING = "no-such-if0"


def say_who(link: socket.socket) -> None:
    """Answer with the address and port of whoever asks."""
    read_request(link)
    text = "{} {}".format(*link.getpeername()[:2]).encode()
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(text) + text)


def free_ports(count: int) -> int:
    """The first of so many ports on 127.0.0.1 that are free, in a row."""
    while True:
        with contextlib.ExitStack() as stack:
            first = socket.create_server(("127.0.0.1", 0))
            stack.enter_context(first)
            port = first.getsockname()[1]
            try:
                for number in range(1, count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port + number)))
            except (OSError, OverflowError):
                continue
            return int(port)


@pytest.fixture
def server() -> Iterator[int]:
    with serving(say_who) as port:
        yield port


@pytest.fixture
def network() -> Iterator[Network]:
    opened = open_network("user")
    yield opened
    opened.close()


@pytest.mark.parametrize("interface", ["127.0.0.5", "host!127.0.0.5", "lo", "if!lo"])
def test_the_server_sees_the_interfaces_address(server: int, interface: str) -> None:
    done = redox_curl(
        "-sS", "--interface", interface, f"http://127.0.0.1:{server}/", "-w", "\n%{local_ip} %{local_port}"
    )
    seen, told = done.out.decode().splitlines()
    assert (done.code, seen) == (0, told)
    assert seen.split()[0] == ("127.0.0.1" if "lo" in interface else "127.0.0.5")


def test_the_first_port_of_the_range_that_is_free_is_taken(server: int) -> None:
    first = free_ports(3)
    with socket.create_server(("127.0.0.1", first)):
        done = redox_curl(
            "-sSv", "--interface", "127.0.0.1", "--local-port", f"{first}-{first + 2}",
            f"http://127.0.0.1:{server}/",
        )  # fmt: skip
    assert (done.code, done.out.decode()) == (0, f"127.0.0.1 {first + 1}")
    assert f"* Bind to local port {first} failed, trying next\n* Local port: {first + 1}\n" in done.err


def test_connections_of_different_ends_are_not_shared(server: int) -> None:
    def keep_open(link: socket.socket) -> None:
        while True:
            read_request(link)
            address = link.getpeername()[0].encode()
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(address) + address)

    with serving(keep_open) as port:
        url = f"http://127.0.0.1:{port}/"
        ends = ["--interface", "127.0.0.7", url, "--next", "-sS", url, "--next", "-sS", url]
        ends += ["--next", "-sS", "--interface", "127.0.0.7", url, "-w", " %{num_connects}"]
        done = redox_curl("-sS", *ends)
    assert done.out == b"127.0.0.7127.0.0.1127.0.0.1127.0.0.7 0"


COMMANDS = [
    ["--interface", "127.0.0.5"],
    ["--interface", "lo"],
    ["--interface", INTERFACE_MISSING],
    ["--interface", f"if!{INTERFACE_MISSING}"],
    ["--interface", "host!localhost"],
    ["--interface", "host!none.invalid"],
    ["--interface", "203.0.113.9"],
    ["--interface", "::1"],
    ["--interface", "if!"],
    ["--local-port", "SERVER"],
    ["--local-port", "0"],
    ["--local-port", "FREE"],
    ["--local-port", "FREE", "--interface", "lo"],
    ["--local-port", "FREE", "--interface", "127.0.0.9"],
]


@needs_curl_7_88
@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_the_notes_errors_and_exit_codes_are_curls(server: int, arguments: list[str], host: str) -> None:
    def lines(command: tuple[str, ...]) -> tuple[int, list[str]]:
        free = free_ports(1)
        words = [word.replace("SERVER", str(server)).replace("FREE", str(free)) for word in arguments]
        done = run(command, "-sSv", *words, f"http://{host}:{server}/")
        text = done.err.replace(str(free), "FREE").replace(str(server), "SERVER")
        text = re.sub(r"after \d+ ms", "after N ms", text)
        kept = [line for line in text.splitlines() if line[:1] in "*c" and "DNS cache" not in line]
        return done.code, kept

    assert CURL is not None
    assert lines(REDOX_CURL) == lines((CURL, "-q"))


@needs_curl_7_88
@pytest.mark.parametrize(
    "interface", ["::1%1", "host!::1%1", "::1%lo", "fe80::1%no-such-if0", "fe80::1", "host!"]
)
def test_a_zone_of_an_interfaces_address_is_read_as_by_curl(interface: str) -> None:
    """RFC 4007 §11: by number for any address, by name for those that are link-local."""
    with serving(say_who, host="::1") as port:
        words = ("-sSv", "-g", "--interface", interface, f"http://[::1]:{port}/")
        both = [run(command, *words) for command in (REDOX_CURL, (str(CURL), "-q"))]
    notes = [re.findall(r"(?m)^.*(?:bind|Name).*$", re.sub(r"after \d+ ms", "", done.err)) for done in both]
    assert (both[0].code, notes[0]) == (both[1].code, notes[1])


@needs_root
@pytest.mark.parametrize("zone", ["lo", "NUMBER"])
def test_a_link_local_address_is_an_end_in_its_zone(zone: str) -> None:
    """curl 7.88.1 takes the zone and does not tell it to the kernel, which refuses (errno 22)."""
    with in_new_namespace():
        for address in ("fe80::77/64", "fd00:77::1/64"):
            subprocess.run(["ip", "-6", "address", "add", address, "dev", "lo", "nodad"], check=True)
        number = str(socket.if_nametoindex("lo"))
        with serving(say_who, host="fd00:77::1") as port:
            words = [
                "--interface",
                f"fe80::77%{zone.replace('NUMBER', number)}",
                f"http://[fd00:77::1]:{port}/",
            ]
            done = run(REDOX_CURL, "-sS", "-g", *words)
    assert (done.code, done.out.split()[0].partition(b"%")[0]) == (0, b"fe80::77")


def test_a_bind_that_fails_is_told_to_the_library(network: Network, server: int) -> None:
    options = DialOptions(interface="203.0.113.9")
    connect = network.connect(IPV4_LOOPBACK, server, network.now() + 5, options)
    with pytest.raises(BindError, match=r"^bind failed with errno 99: Cannot assign requested address$"):
        network.run(connect)
    with Client(interface="127.0.0.6", background=False) as client:
        assert client.get(f"http://127.0.0.1:{server}/").text.startswith("127.0.0.6 ")


@contextlib.contextmanager
def host_half(local: tuple[IpAddress, int]) -> Iterator[socket.socket]:
    """The host's socket of a connection of this process, by its local end."""
    for name in os.listdir("/proc/self/fd"):
        try:
            duplicate = os.dup(int(name))
        except OSError:
            continue
        try:
            half = socket.socket(fileno=duplicate)
        except OSError:
            os.close(duplicate)
            continue
        with half:
            try:
                found = half.getsockname()[:2], bool(half.getpeername())
            except OSError:
                continue
            if found == ((str(local[0]), local[1]), True) and half.type == socket.SOCK_STREAM:
                yield half
                return
    raise AssertionError(f"no socket at {local}")


def read_options(
    network: Network, address: IpAddress, options: DialOptions | None, tune: Callable[..., None] | None = None
) -> Callable[[int, int], int]:
    """A reader of the options of the host's half of a new connection."""
    found: dict[tuple[int, int], int] = {}
    with serving(lambda link: link.recv(1) and None, host=str(address)) as port:
        stream = network.run(network.connect(address, port, network.now() + 5, options))
        if tune is not None:
            tune(stream)
        with host_half(stream.local) as half:
            for level, names in (
                (socket.SOL_SOCKET, (socket.SO_KEEPALIVE, socket.SO_PRIORITY)),
                (socket.IPPROTO_TCP, (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)),
                (socket.IPPROTO_TCP, (socket.TCP_NODELAY,)),
                (socket.IPPROTO_IP, (socket.IP_TOS,)),
                (socket.IPPROTO_IPV6, (socket.IPV6_TCLASS,)),
            ):
                for name in names:
                    with contextlib.suppress(OSError):
                        found[level, name] = half.getsockopt(level, name)
        stream.abort()
    return lambda level, name: found[level, name]


def test_keepalive_and_nagle_reach_the_hosts_half(network: Network) -> None:
    tcp = socket.IPPROTO_TCP
    read = read_options(
        network, IPV4_LOOPBACK, None, lambda stream: stream.tune(nagle=True, keepalive=21.0, probes=4)
    )
    assert read(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert (read(tcp, socket.TCP_KEEPIDLE), read(tcp, socket.TCP_KEEPINTVL)) == (21, 21)
    assert (read(tcp, socket.TCP_KEEPCNT), read(tcp, socket.TCP_NODELAY)) == (4, 0)
    read = read_options(network, IPV4_LOOPBACK, None, lambda s: s.tune(nagle=False, keepalive=None))
    assert (read(socket.SOL_SOCKET, socket.SO_KEEPALIVE), read(tcp, socket.TCP_NODELAY)) == (0, 1)


@pytest.mark.parametrize(
    ("address", "level", "name"),
    [
        (IPV4_LOOPBACK, socket.IPPROTO_IP, socket.IP_TOS),
        (IPV6_LOOPBACK, socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    ],
    ids=["IPv4", "IPv6"],
)
def test_the_type_of_service_is_in_our_headers_and_on_the_hosts_socket(
    address: IpAddress, level: int, name: int
) -> None:
    octets: list[int] = []

    def see(is_from_guest: bool, pieces: object) -> None:
        head = bytes(pieces[0])  # type: ignore[index]
        if is_from_guest and head[12:14] == b"\x08\x00" and head[23] == 6 and head[47] == 0x02:  # SYN
            octets.append(head[15])

    network = open_network("user", capture=see)
    try:
        read = read_options(network, address, DialOptions(traffic_class=0xB8))
        assert read(level, name) == 0xB8
        assert octets == [0xB8]
        read = read_options(network, address, None)
        assert (read(level, name), octets) == (0, [0xB8, 0])
    finally:
        network.close()


def test_the_vlan_priority_is_the_priority_of_the_hosts_queue(network: Network) -> None:
    read = read_options(network, IPV4_LOOPBACK, DialOptions(priority=5))
    assert read(socket.SOL_SOCKET, socket.SO_PRIORITY) == 5


@pytest.mark.privileged
@needs_root
def test_the_second_connection_to_a_server_opens_fast() -> None:
    """The first one gets the cookie; the kernel counts connections whose SYN carried data."""

    def count() -> int:
        with open("/proc/self/net/netstat") as file:
            names, values = [line.split() for line in file if line.startswith("TcpExt:")]
        return int(dict(zip(names, values, strict=True))["TCPFastOpenActive"])

    with in_new_namespace():
        with open("/proc/sys/net/ipv4/tcp_fastopen", "w") as file:
            file.write("3")
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        network = open_network("user")

        async def converse(text: bytes) -> bytes:
            deadline = network.now() + 5
            address, port = IPV4_LOOPBACK, listener.getsockname()[1]
            stream = await network.connect(address, port, deadline, DialOptions(fast_open=True))
            await stream.write([text], deadline)
            stream.end_sending()
            got = b""
            while data := await stream.read(deadline):
                got += bytes(data)
            return got

        import threading

        def serve() -> None:
            for _ in range(2):
                link, _ = listener.accept()
                with link:
                    got = b""
                    while data := link.recv(100):
                        got += data
                    link.sendall(got)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()  # a new thread is in the namespace of the one that starts it
        try:
            before = count()
            assert network.run(converse(b"one")) == b"one"
            assert count() == before
            assert network.run(converse(b"two")) == b"two"
            assert count() == before + 1
        finally:
            network.close()
            thread.join(5)
            listener.close()
