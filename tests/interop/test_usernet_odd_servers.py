"""The splice on real sockets, against servers that do what few do."""

from __future__ import annotations

import os
import select
import socket
import time

import pytest

from tcpip.usernet import HostSockets, UserNetConfig, UserNetwork
from tcpip.wire.address import IpAddress
from tests.fakes.bare_client import BareClient

pytestmark = pytest.mark.interop

GATEWAY = IpAddress.parse("10.0.2.2")
LOOPBACK = IpAddress.parse("127.0.0.1")


@pytest.fixture
def client():
    network = UserNetwork(UserNetConfig(), random_bytes=os.urandom)
    yield BareClient(network, now=time.monotonic())
    network.close()


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


def run_until(client, condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        now = time.monotonic()
        assert now < end, "the condition never came true"
        client.turn(now)
        if not condition():
            select.select(client.network.wait_fds(), [], [], 0.02)


def accepted(client, listener):
    connection = client.connect(GATEWAY, listener.getsockname()[1])
    run_until(client, lambda: connection.is_established)
    return connection, listener.accept()[0]


def test_urgent_octets_arrive_among_the_others(client, listener):
    connection, peer = accepted(client, listener)
    with peer:
        peer.sendall(b"before ")
        peer.send(b"!", socket.MSG_OOB)
        peer.sendall(b" after")
        run_until(client, lambda: connection.received == b"before ! after")
        peer.send(b"?", socket.MSG_OOB)
        run_until(client, lambda: connection.received.endswith(b"?"))
        peer.sendall(bytes(300_000))
        run_until(client, lambda: len(connection.received) == 300_015)
        assert client.network.info().tcp_flows[0].in_flight == 0
    run_until(client, lambda: connection.at_eof)


def test_an_answer_before_a_reset_reaches_a_guest_that_still_sends(client, listener):
    connection, peer = accepted(client, listener)
    connection.send(bytes(1_000))
    run_until(client, lambda: not connection.unacked)
    answer = b"413 too large" + bytes(100_000)
    peer.sendall(answer)
    peer.close()  # over octets that it did not read: a reset
    time.sleep(0.05)
    connection.send(bytes(1_000))  # before the network has looked at the socket again
    run_until(client, lambda: connection.is_reset)
    assert connection.received == answer
    assert not client.network.info().tcp_flows


def test_more_than_there_is_cannot_be_discarded(listener):
    sockets = HostSockets()
    try:
        ours = sockets.tcp_connect(LOOPBACK, listener.getsockname()[1])
        peer, _ = listener.accept()
        peer.sendall(b"12345")
        peer.close()
        while not ours.peek([memoryview(bytearray(5))]):
            time.sleep(0.001)
        with pytest.raises(OSError, match="fewer"):
            ours.discard(6)
        ours.close()
    finally:
        sockets.close()
