"""Bursts of full segments without TSO: cut in the stack, taken by the device as it has room."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from tcpip import device
from tcpip.flows import BURST
from tcpip.stack import Frame, Stack
from tcpip.tcp.connection import TcpConnection
from tcpip.wire.address import IpAddress
from tests.fakes.frame_pair import FramePair, as_received, static_config

MSS = 1448
SERVER = IpAddress.parse("10.0.2.2")


def two_stacks(offloads: int) -> tuple[FramePair, list[TcpConnection], list[TcpConnection]]:
    """Two connections from one stack to the other, with their congestion windows wide open."""
    wire = FramePair(
        static_config("10.0.2.15/24"), static_config("10.0.2.2/24"), offloads_a=offloads, offloads_b=offloads
    )
    listener = wire.b.stack.tcp_listen(80)
    clients, servers = [], []
    for _ in range(2):
        client = wire.a.stack.tcp_connect(SERVER, 80, wire.now)
        wire.run_until(lambda client=client: client.is_established and bool(listener.queue))
        server = listener.accept()
        assert server is not None
        client.congestion.window = 1 << 20
        client.snd_wnd = 1 << 20
        clients.append(client)
        servers.append(server)
    return wire, clients, servers


def give(stack: Stack, frame: Frame, now: float) -> None:
    whole = b"".join(map(bytes, frame.pieces))
    for part, flags, gso_size in as_received(whole, frame, 0):
        stack.receive_frame(memoryview(part), flags, gso_size, now)


@pytest.mark.parametrize("offloads", [0, device.TX_CHECKSUM | device.RX_CHECKSUM])
@pytest.mark.parametrize("room", [1, 7, BURST, 50])
def test_a_device_that_takes_a_few_frames_at_a_time_gets_every_octet_once_and_in_order(offloads, room):
    wire, (client, _), (server, _) = two_stacks(offloads)
    text = random.Random(1).randbytes(40 * MSS + 77)
    client.send(text)
    wire.a.stack.wants_to_send(client)
    sent: list[Frame] = []
    while taken := list(islice(wire.a.stack.frames_to_send(wire.now), room)):
        assert len(taken) <= room
        sent += taken
    assert len(sent) == 41
    got = bytearray()
    for frame in sent:
        give(wire.b.stack, frame, wire.now)
        got += server.receive()
    assert bytes(got) == text
    assert client.retransmissions == 0


def test_connections_take_turns_by_bursts():
    wire, clients, _ = two_stacks(0)
    for client in clients:
        client.send(bytes(3 * BURST * MSS))
        wire.a.stack.wants_to_send(client)
    ports = [int.from_bytes(frame.pieces[0][34:36], "big") for frame in wire.a.stack.frames_to_send(wire.now)]
    turns = [ports[at : at + BURST] for at in range(0, len(ports), BURST)]
    assert [set(turn) for turn in turns[:4]] == [{c.local_port} for c in clients * 2]
    assert len(ports) == 6 * BURST


def test_what_is_counted_is_what_the_device_was_given():
    wire, (client, _), _ = two_stacks(0)
    counters = wire.a.stack.counters
    frames, octets = counters.frames_sent, counters.octets_sent
    client.send(bytes(40 * MSS))
    wire.a.stack.wants_to_send(client)
    sent = list(wire.a.stack.frames_to_send(wire.now))
    assert counters.frames_sent - frames == len(sent) == 40
    assert counters.octets_sent - octets == sum(len(piece) for frame in sent for piece in frame.pieces)
