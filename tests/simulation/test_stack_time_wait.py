"""TIME-WAIT between two stacks: who may take its place, and what stays counted when connections are gone."""

from __future__ import annotations

import pytest

from tcpip.seqnum import distance
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.states import State
from tcpip.wire import tcp
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import checksum, ones_sum, pseudo_header_sum
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.protocols import TCP
from tests.fakes.frame_pair import FramePair, static_config
from tests.fakes.lone_stack import LoneStack

OURS, THEIRS = "10.0.2.15", "10.0.2.2"
SERVER = IpAddress.parse(THEIRS)


class Pair(FramePair):
    """A client and a server that listens at port 80."""

    def __init__(self, config: TcpConfig = TcpConfig(), **fields) -> None:  # noqa: B008
        ours, theirs = (static_config(f"{a}/24", tcp=config) for a in (OURS, THEIRS))
        super().__init__(ours, theirs, **fields)
        self.listener = self.b.stack.tcp_listen(80)

    def connect(self):
        client = self.a.stack.tcp_connect(SERVER, 80, self.now, local_port=50_000)
        self.run_until(lambda: client.is_established and bool(self.listener.queue))
        return client, self.listener.accept()

    def close_server_first(self, client, server) -> None:
        self.b.stack.release(server)
        self.run_until(lambda: client.at_eof)
        self.a.stack.release(client)
        self.run_until(lambda: client.is_closed)
        self.run_until(lambda: server.state is State.TIME_WAIT)

    def states_of_server(self) -> list[str]:
        return [connection["state"] for connection in self.b.stack.info()["connections"]]


@pytest.mark.parametrize("timestamps", [True, False])
def test_a_port_can_be_used_again_at_once_while_the_listener_side_is_in_time_wait(timestamps):
    wire = Pair(TcpConfig(timestamps=timestamps), delay=0.001)
    for _ in range(3):
        before = wire.now
        client, server = wire.connect()
        assert wire.now - before < 0.1, "the SYN was not answered at once"
        assert wire.states_of_server() == ["ESTABLISHED"]
        client.send(b"again")
        wire.a.stack.wants_to_send(client)
        wire.run_until(lambda server=server: server.readable == 5)
        assert server.receive() == b"again"
        wire.close_server_first(client, server)
        wire.run_for(0.5)
    wire.run_for(61)
    assert wire.states_of_server() == []


def test_the_new_connection_numbers_its_octets_above_those_of_the_old_one():
    wire = Pair(delay=0.001)
    client, old = wire.connect()
    old.send(bytes(3_000_000))
    wire.b.stack.wants_to_send(old)
    wire.run_until(lambda: bool(client.receive()) and old.has_sent_all)
    while client.receive():
        pass
    wire.close_server_first(client, old)
    last = old.snd_max
    _, new = wire.connect()
    assert distance(last & 0xFFFFFFFF, new.iss & 0xFFFFFFFF) > 65_535
    assert old.error is None


def test_a_full_listener_leaves_time_wait_alone():
    wire = Pair()
    client, server = wire.connect()
    wire.close_server_first(client, server)
    wire.listener.backlog = 0
    wire.a.stack.tcp_connect(SERVER, 80, wire.now, local_port=50_000)
    wire.run_for(0.5)
    assert wire.states_of_server() == ["TIME-WAIT"]


def test_a_syn_to_a_connection_that_lives_is_a_challenge_and_no_new_connection():
    lone = LoneStack(static_config("10.0.2.15/24"))
    lone.stack.tcp_listen(80)
    local, remote = IpAddress.parse(OURS), IpAddress.parse(THEIRS)

    def give(flags: int, sequence: int, acknowledgment: int = 0) -> list[bytes]:
        header = tcp.build_header(50_000, 80, sequence, acknowledgment, flags, 1000)
        total = pseudo_header_sum(remote, local, TCP, len(header)) + ones_sum(header)
        segment = header[:16] + checksum(total).to_bytes(2, "big") + header[18:]
        return lone.receive_packet(Ipv4Packet(remote, local, TCP, segment))

    give(tcp.SYN, 1000)
    (answer,) = lone.answer_arp(THEIRS)
    iss = int.from_bytes(answer[38:42], "big")
    give(tcp.ACK, 1001, iss + 1)
    (challenge,) = give(tcp.SYN, 900_000)
    assert challenge[47] == tcp.ACK and int.from_bytes(challenge[42:46], "big") == 1001
    assert [c["state"] for c in lone.stack.info()["connections"]] == ["ESTABLISHED"]


def test_retransmissions_and_timeouts_are_counted_for_connections_living_and_gone():
    lost: list[bytes] = []

    def lose(frame: bytes) -> bool:
        if b"lost once" in frame and not lost:
            lost.append(frame)
            return True
        return False

    wire = Pair(delay=0.001, lose=lose)
    client, server = wire.connect()
    assert counted(wire) == (0, 0)
    client.send(b"lost once")
    wire.a.stack.wants_to_send(client)
    wire.run_until(lambda: server.readable == 9)
    assert (counted(wire), client.retransmissions) == ((1, 1), 1)
    server.receive()
    wire.close_server_first(client, server)
    wire.run_for(1)
    assert wire.a.stack.info()["connections"] == []
    assert counted(wire) == (1, 1)


def counted(wire: FramePair) -> tuple[int, int]:
    counters = wire.a.stack.info()["counters"]
    return counters["tcp_retransmissions"], counters["tcp_timeouts"]
