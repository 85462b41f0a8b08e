"""The user-mode network on real sockets of this machine, against servers on its loopback."""

from __future__ import annotations

import hashlib
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from tcpip.usernet import (
    HostSockets,
    UserNetConfig,
    UserNetwork,
    host_addresses,
)
from tcpip.usernet.impair import ImpairConfig, Impairment
from tcpip.usernet.sockets import CopyingTcpSocket
from tcpip.wire import icmpv4
from tcpip.wire.address import IpAddress, IpNetwork
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.udp import UdpDatagram
from tests.fakes.bare_client import ALL_OFFLOADS, BareClient

pytestmark = pytest.mark.interop

GATEWAY, GATEWAY6 = IpAddress.parse("10.0.2.2"), IpAddress.parse("fd00:2::2")


class CopyingSockets(HostSockets):
    """As on a kernel before 6.9."""

    def _tcp_socket(self, new):
        return CopyingTcpSocket(new, self._scratch)


@pytest.fixture
def make():
    networks = []

    def build(features=ALL_OFFLOADS, sockets=None, **fields):
        networks.append(UserNetwork(UserNetConfig(**fields), sockets, random_bytes=os.urandom))
        return BareClient(networks[-1], features, now=time.monotonic())

    yield build
    for network in networks:
        network.close()


def run_until(client, condition, seconds=20.0):
    """Drive in real time, waiting as the host's loop does: on the descriptor, until the next deadline."""
    end = time.monotonic() + seconds
    while not condition():
        now = time.monotonic()
        assert now < end, "the condition never came true"
        client.turn(now)
        for connection in list(client.connections.values()):
            connection.handle_timeout()
        if condition():
            return
        timeout = client.network.next_timeout()
        wait = 0.05 if timeout is None else min(max(timeout - now, 0.0), 0.05)
        select.select(client.network.wait_fds(), [], [], wait)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def in_thread(work, *args):
    results = []
    thread = threading.Thread(target=lambda: results.append(work(*args)), daemon=True)
    thread.start()
    return thread, results


def talk(listener, down, size):
    """Accept one connection, send `down`, read `size` octets, close; returns the hash of what was read."""
    peer, name = listener.accept()
    digest, got = hashlib.sha256(), 0
    with peer:
        peer.settimeout(20)
        sender = threading.Thread(target=lambda: (peer.sendall(down), peer.shutdown(socket.SHUT_WR)))
        sender.start()
        while data := peer.recv(1 << 16):
            digest.update(data)
            got += len(data)
        sender.join()
    return digest.hexdigest(), got, name


@pytest.mark.slow
@pytest.mark.parametrize("features", [ALL_OFFLOADS, 0])
@pytest.mark.parametrize("sockets", [None, CopyingSockets])
@pytest.mark.parametrize("bad", [None, Impairment(loss=0.01, delay=0.001, duplicate=0.01)])
def test_octets_arrive_as_sent_in_both_directions_at_once(make, listener, features, sockets, bad):
    size = (20 << 20 if features else 3 << 20) if bad is None else 100_000
    if sockets is not None:
        size //= 4
    impair = None if bad is None else ImpairConfig(3, bad, bad)
    down, up = os.urandom(size), os.urandom(size)
    client = make(features, sockets and sockets(), impair=impair)
    thread, results = in_thread(talk, listener, down, size)
    connection = client.connect(GATEWAY, listener.getsockname()[1])
    connection.window = 1 << 20
    run_until(client, lambda: connection.is_established)
    host = client.network.host_endpoint(50_000, 4)
    connection.send(up)
    connection.finish()
    run_until(client, lambda: connection.at_eof and connection.fin_acked, 40.0)
    thread.join(10)
    digest, got, name = results[0]
    assert connection.received == down
    assert (got, digest) == (size, hashlib.sha256(up).hexdigest())
    assert host == (IpAddress.parse(name[0]), name[1])


def test_a_slow_reader_closes_the_window_and_nothing_is_lost(make, listener):
    client = make()
    connection = client.connect(GATEWAY, listener.getsockname()[1])
    run_until(client, lambda: connection.is_established)
    peer, _ = listener.accept()
    total = 12 << 20
    connection.send(bytes(range(256)) * (total // 256))
    end = time.monotonic() + 0.3
    turns = 0
    while time.monotonic() < end:
        client.turn(time.monotonic())
        turns += 1
        timeout = client.network.next_timeout()
        wait = 0.05 if timeout is None else min(max(timeout - time.monotonic(), 0.0), 0.05)
        select.select(client.network.wait_fds(), [], [], wait)
    sent = total - len(connection.unacked)
    assert 0 < sent < total, "the host's buffers take less than all of it"
    assert turns < 500, "a closed window must not spin"
    digest, got = hashlib.sha256(), 0
    peer.setblocking(False)

    def read():
        nonlocal got
        try:
            while data := peer.recv(1 << 16):
                digest.update(data)
                got += len(data)
        except BlockingIOError:
            pass
        return got == total

    run_until(client, read)
    assert digest.digest() == hashlib.sha256(bytes(range(256)) * (total // 256)).digest()
    peer.close()


@pytest.mark.parametrize(
    ("address", "gateway"),
    [("127.0.0.1", GATEWAY), ("127.0.0.77", GATEWAY), ("::1", GATEWAY6), ("::1", GATEWAY)],
)
def test_a_loopback_rule_reaches_exactly_that_address(make, address, gateway):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        client = make()
        port = server.getsockname()[1]
        client.network.forward(50_000, (IpAddress.parse(address), port))
        connection = client.connect(gateway, port)
        run_until(client, lambda: connection.is_established)
        peer, name = server.accept()
        assert peer.getsockname()[0] == address
        assert client.network.host_endpoint(50_000, gateway.version) == (IpAddress.parse(name[0]), name[1])
        peer.close()


def test_a_port_where_nobody_listens_is_refused(make):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = make()
        connection = client.connect(GATEWAY, unused.getsockname()[1])
        run_until(client, lambda: connection.is_reset)
    assert client.network.info().host_errors == {"ECONNREFUSED": 1}


def test_a_host_without_a_route_is_unreachable_at_once(make):
    client = make()
    client.connect(IpAddress.parse("240.0.0.1"), 80)  # never a host; refused without asking the kernel
    client.connect(IpAddress.parse("0.1.2.3"), 80, 50_001)
    run_until(
        client, lambda: len(client.segments) + sum(c.is_reset for c in client.connections.values()) == 2
    )


def test_a_reset_of_the_server_and_of_the_client_pass(make, listener):
    client = make()
    first = client.connect(GATEWAY, listener.getsockname()[1], 50_001)
    second = client.connect(GATEWAY, listener.getsockname()[1], 50_002)
    run_until(client, lambda: first.is_established and second.is_established)
    peers = {}
    for _ in range(2):
        peer, name = listener.accept()
        peers[name[1]] = peer
    one = peers[client.network.host_endpoint(50_001, 4)[1]]
    two = peers[client.network.host_endpoint(50_002, 4)[1]]
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
    run_until(client, lambda: first.is_reset)
    second.emit(second.snd_nxt, 0x04)
    two.settimeout(5)
    with pytest.raises(ConnectionResetError):
        two.recv(1)
    two.close()


def test_an_idle_network_does_not_spin(make, listener):
    client = make()
    connection = client.connect(GATEWAY, listener.getsockname()[1])
    run_until(client, lambda: connection.is_established)
    peer, _ = listener.accept()
    peer.sendall(b"x" * 100_000)
    run_until(client, lambda: len(connection.received) == 100_000)
    for _ in range(5):
        client.turn(time.monotonic())
    assert select.select(client.network.wait_fds(), [], [], 0) == ([], [], [])
    assert client.network.next_timeout() > time.monotonic() + 1.0
    peer.sendall(b"y")
    assert select.select(client.network.wait_fds(), [], [], 1)[0]
    peer.close()


def test_udp_reaches_the_hosts_loopback_and_a_closed_port_is_told(make):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        port = server.getsockname()[1]
        client = make()
        client.send_udp(GATEWAY, port, b"ping")
        data, name = server.recvfrom(100)
        server.sendto(data + b"!" * 3_000, name)
        parts = []
        run_until(client, lambda: parts.extend(client.packets) or client.packets.clear() or len(parts) == 3)
        whole = parts[0].reassembled(b"".join(bytes(part.payload) for part in parts))
        datagram = UdpDatagram.parse(whole.payload, whole.source, whole.destination)
        assert datagram.payload == b"ping" + b"!" * 3_000
    client.send_udp(GATEWAY, port, b"anybody?", source_port=4_001)
    run_until(client, lambda: client.packets)
    message = Icmpv4Message.parse(client.packets.popleft().payload)
    assert (message.type, message.code) == (icmpv4.DESTINATION_UNREACHABLE, icmpv4.PORT_UNREACHABLE)
    assert icmpv4.parse_quoted(message.body).destination_port == port


def test_when_descriptors_run_out_new_connections_are_reset_and_old_ones_go_on(make, listener):
    import resource

    client = make()
    first = client.connect(GATEWAY, listener.getsockname()[1], 50_000)
    run_until(client, lambda: first.is_established)
    peer, _ = listener.accept()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        second = client.connect(GATEWAY, listener.getsockname()[1], 50_001)
        client.turn(time.monotonic())
        assert second.is_reset
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert client.network.info().host_errors == {"EMFILE": 1}
    peer.sendall(b"still here")
    run_until(client, lambda: first.received == b"still here")
    peer.close()


def test_the_hosts_own_networks_are_found():
    networks = host_addresses()
    assert IpNetwork.parse("127.0.0.0/8") in networks
    assert all(isinstance(network, IpNetwork) for network in networks)


def in_namespace(group_range: str, user: int) -> str:
    """Run the pinging guest as `user` in a namespace where 192.0.2.1 is a host beyond the gateway."""
    script = (
        "ip link set lo up && ip addr add 192.0.2.1/32 dev lo && ip -6 addr add 2001:db8::1/128 dev lo nodad"
        f' && sysctl -qw net.ipv4.ping_group_range="{group_range}"'
        f" && exec setpriv --reuid {user} --regid {user} --clear-groups --bounding-set=-all --inh-caps=-all"
        f" {sys.executable} {os.path.join(os.path.dirname(__file__), 'usernet_ping.py')}"
    )
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.privileged
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")
@pytest.mark.parametrize(
    ("group_range", "user", "expected"),
    [
        ("0 2147483647", 65_534, "reply reply6 None\n"),  # ICMP datagram sockets
        ("1 0", 0, "prohibited prohibited6 net.ipv4.ping_group_range\n"),  # root without capabilities
        ("1 0", 65_534, "prohibited prohibited6 net.ipv4.ping_group_range\n"),
    ],
)
def test_echo_beyond_the_gateway_works_where_the_host_allows_it(group_range, user, expected):
    assert in_namespace(group_range, user) == expected


@pytest.mark.privileged
@pytest.mark.skipif(os.geteuid() != 0, reason="opens a raw socket")
@pytest.mark.parametrize("target", ["127.0.0.1", "::1"])
def test_a_raw_socket_serves_where_datagram_ones_are_not_allowed(make, target):
    sockets = HostSockets()
    echo = sockets.echo_connect(IpAddress.parse(target))
    try:
        kind = 8 if "." in target else 128
        message = struct.pack("!BBHHH", kind, 0, 0, 0x4242, 7) + b"data"
        if kind == 8:
            message = Icmpv4Message.echo(0x4242, 7, b"data").build()
        echo.send((message,), 33)
        assert select.select([sockets.fileno], [], [], 5)[0]
        buffer = memoryview(bytearray(2_000))
        start, end, hop_limit = echo.receive(buffer)
        reply = bytes(buffer[start:end])
        assert reply[0] == (0 if kind == 8 else 129) and reply[6:] == b"\0\7data"
        assert hop_limit > 0
        assert echo.receive(buffer) is None
    finally:
        echo.close()
        sockets.close()
