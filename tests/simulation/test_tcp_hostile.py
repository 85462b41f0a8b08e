"""A transfer that somebody disturbs: off the path, on it, or as the other end."""

import random

import pytest

from tcpip.errors import TimedOutError
from tcpip.seqnum import MASK
from tcpip.tcp.config import TcpConfig
from tcpip.wire import tcp
from tests.fakes.tcp_pair import CLIENT_PORT, SERVER_PORT, TcpPair
from tests.fakes.tcp_peer import TcpPeer
from tests.fakes.virtual_wire import Quality

TEXT = random.Random(5).randbytes(120_000)


def inject(pair: TcpPair, header: bytes, payload: bytes = b"") -> None:
    pair.client.accept(header + payload, pair.wire.now)


def test_blind_resets_syns_and_text_do_no_harm():
    """RFC 5961: a stranger who knows the ports guesses numbers and never the exact one."""
    pair = TcpPair(TEXT, TEXT, quality=Quality(delay=0.01, per_second=2000))
    chance = random.Random(1)
    for _ in range(300):
        pair.wire.run_for(0.001)
        c = pair.client.connection
        if not c.is_established:
            continue
        flags = chance.choice(
            [tcp.RST, tcp.SYN, tcp.RST | tcp.ACK, tcp.SYN | tcp.ACK, tcp.ACK, tcp.FIN | tcp.ACK]
        )
        far = chance.random() < 0.5 or flags in (tcp.ACK, tcp.FIN | tcp.ACK)
        offset = chance.randrange(1 << 23, 1 << 31) if far else chance.randrange(1, 1 << 16)
        sequence = (c.rcv_nxt + offset) & MASK
        header = tcp.build_header(SERVER_PORT, CLIENT_PORT, sequence, chance.randrange(1 << 32), flags, 1000)
        inject(pair, header, b"evil" if flags & tcp.ACK else b"")
    pair.run_to_the_end()
    assert b"evil" not in pair.client.received


def test_old_segments_that_come_again_much_later_do_no_harm():
    pair = TcpPair(TEXT, TEXT, quality=Quality(delay=0.01, loss=0.02))
    old: list[tuple[int, bytes]] = []
    pair.wire.watch = lambda direction, item, now: old.append((direction, item))
    chance = random.Random(2)
    for _ in range(200):
        pair.wire.run_for(0.002)
        direction, item = chance.choice(old)
        (pair.client if direction else pair.server).accept(item, pair.wire.now)
    pair.run_to_the_end()


def test_two_ends_do_not_start_an_ack_war_over_a_forged_segment():
    pair = TcpPair(TEXT[:1000], b"")
    pair.establish()
    pair.wire.run_for(1.0)
    before = sum(pair.wire.sent)
    header = tcp.build_header(
        SERVER_PORT, CLIENT_PORT, 99, pair.client.connection.snd_max + 5 & MASK, tcp.ACK, 1000
    )
    inject(pair, header)
    pair.wire.run_for(10.0)
    assert sum(pair.wire.sent) - before <= 2


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("number", range(1, 26))
def test_whichever_one_segment_is_lost_all_text_arrives(direction, number):
    drop = Quality(drop_numbers=frozenset({number}))
    ways = (drop, Quality()) if direction == 0 else (Quality(), drop)
    pair = TcpPair(TEXT[:8000], TEXT[:15_000], quality=ways[0], back=ways[1])
    took = pair.run_to_the_end()
    assert took < 75  # TIME-WAIT, and a few time-outs at most


def test_a_reader_that_never_reads_costs_its_writer_bounded_memory_and_few_probes():
    config = TcpConfig(receive_buffer=10_000, user_timeout=120.0, timestamps=False)
    pair = TcpPair(TEXT, b"", client_config=config, server_config=config)
    pair.server.reads = False
    pair.server.closes_when_written = False
    pair.wire.run_for(1000.0)
    assert pair.client.connection.error is None
    assert pair.server.largest_unread <= 10_000 + 127
    assert pair.wire.sent[0] < 60, "probes back off"
    pair.client.connection.close(pair.wire.now)
    pair.run(lambda: pair.client.connection.error is not None)
    assert isinstance(pair.client.connection.error, TimedOutError)


def test_a_reader_that_pauses_gets_everything():
    config = TcpConfig(receive_buffer=10_000)
    pair = TcpPair(TEXT, b"", client_config=config, server_config=config)
    pair.server.reads = False
    pair.wire.run_for(100.0)
    pair.server.reads = True
    pair.run_to_the_end()


def test_a_tiny_receive_buffer_is_slow_and_right():
    config = TcpConfig(receive_buffer=100)
    pair = TcpPair(TEXT[:5000], TEXT[:5000], client_config=config, server_config=config)
    pair.run_to_the_end()


def test_a_peer_that_acknowledges_what_it_has_not_gets_no_window_for_what_was_not_sent():
    """Optimistic ACKs (RFC 5681 §5): beyond SND.NXT they are refused."""
    peer = TcpPeer.established()
    peer.connection.send(bytes(100_000))
    peer.take()
    window = peer.connection.congestion.window
    for _ in range(50):
        peer.give("A", ack=90_000)
    assert peer.connection.congestion.window == window
    assert peer.connection.snd_una == peer.connection.iss + 1


def test_overlapping_segments_with_other_octets_do_not_change_the_first_copy():
    peer = TcpPeer.established()
    peer.give("A", seq=5, payload=b"FIRST")
    peer.give("A", seq=3, payload=b"xxSECONDyy")
    peer.give("A", seq=1, payload=b"zzxx")
    received = b""
    while chunk := peer.connection.receive():
        received += chunk
    assert received == b"zzxxFIRSTDyy"


def test_a_peer_of_single_octets_makes_the_memory_grow_by_little():
    peer = TcpPeer.established(TcpConfig(timestamps=False))
    for at in range(5000):
        peer.give("A", seq=1 + at, payload=b"x")
    assert len(peer.connection.chunks) < 10


def test_holes_everywhere_keep_a_bounded_number_of_ranges():
    peer = TcpPeer.established(TcpConfig(timestamps=False, out_of_order_ranges=64))
    for at in range(2, 20_000, 2):
        peer.give("A", seq=at, payload=b"x")
        peer.take()
    assert peer.connection.assembler.octets <= 64


def test_a_peer_that_takes_back_what_it_sacked_gets_it_again():
    """Reneging (RFC 2018 §8): the time-out forgets the scoreboard."""
    peer = TcpPeer.established(TcpConfig(timestamps=False))
    peer.connection.send(bytes(5000))
    peer.take()
    peer.give("A", ack=1, blocks=[(1001, 5001)])
    assert [s[1] for s in peer.take()] == [1]
    peer.give("A", ack=1001)
    for ack in (2001, 3001, 4001, 5001):
        peer.jump()
        assert next(s[1] for s in peer.take()) == ack - 1000
        peer.give("A", ack=ack)
    assert peer.connection.has_sent_all
