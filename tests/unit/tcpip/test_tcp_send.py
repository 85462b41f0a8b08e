"""What a connection sends, and when (RFC 9293 §3.8; RFC 6298; RFC 6582; RFC 6675)."""

import random
from itertools import pairwise

import pytest

from tcpip.errors import (
    ConnectionAbortedError,
    ConnectRefusedError,
    TimedOutError,
    UnreachableError,
    UsageError,
)
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.states import State
from tests.fakes.tcp_peer import MSS, TcpPeer

PLAIN = TcpConfig(timestamps=False, quick_acks=0)


# The opening


def test_a_syn_is_repeated_with_doubling_waits_until_the_connect_timeout():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    peer.take()
    waits = []
    while peer.state is State.SYN_SENT:
        waits.append(peer.jump())
        assert peer.take() == ([("S", 0, 0, 0)] if peer.state is State.SYN_SENT else [])
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert peer.now == PLAIN.connect_timeout
    assert isinstance(peer.connection.error, TimedOutError)
    assert peer.connection.is_closed


def test_after_a_repeated_syn_the_time_out_starts_at_three_seconds():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    peer.take()
    peer.jump()
    peer.take()
    peer.give("SA", seq=0, ack=1)
    assert peer.connection.info().rto == 3.0  # RFC 6298 §5.7


def test_a_syn_offers_what_the_config_has():
    peer = TcpPeer(TcpConfig())
    peer.connection.connect(0.0)
    (syn,) = peer.segments()
    assert (syn.mss, syn.window_scale, syn.sack_permitted) == (MSS, 7, True)
    assert syn.ts_value is not None
    peer = TcpPeer(TcpConfig(window_scaling=False, sack=False, timestamps=False))
    peer.connection.connect(0.0)
    (syn,) = peer.segments()
    assert (syn.mss, syn.window_scale, syn.sack_permitted, syn.ts_value) == (MSS, None, False, None)


def test_an_answer_offers_only_what_the_syn_had():
    peer = TcpPeer(TcpConfig())
    peer.connection.listen(0.0)
    peer.give("S", seq=0, mss=600)
    (answer,) = peer.segments()
    assert (answer.mss, answer.window_scale, answer.sack_permitted, answer.ts_value) == (
        MSS,
        None,
        False,
        None,
    )


def test_windows_are_scaled_both_ways_and_a_scale_above_14_counts_as_14():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    peer.take()
    peer.give("SA", seq=0, ack=1, window=1000, scale=99)
    assert peer.connection.snd_wnd == 1000
    assert peer.segments()[0].window << 7 >= PLAIN.receive_buffer
    peer.give("A", seq=1, ack=1, window=3)
    assert peer.connection.snd_wnd == 3 << 14


def test_a_peer_without_scaling_is_offered_at_most_65535():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=bytes(10))
    peer.jump()
    assert peer.segments()[0].window == 0xFFFF


@pytest.mark.parametrize("mss", [0, 1, 48, 215])
def test_a_tiny_mss_counts_as_the_floor(mss):
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    peer.take()
    peer.give("SA", seq=0, ack=1, mss=mss)
    assert peer.connection.eff_mss == PLAIN.min_mss


def test_text_given_while_connecting_waits_for_the_peer():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    assert peer.connection.send(b"early") == 5
    assert peer.take() == [("S", 0, 0, 0)]
    peer.give("SA", seq=0, ack=1)
    assert peer.take() == [("PA", 1, 1, 5)]


# Text, windows, Nagle


def test_text_is_cut_at_the_mss_and_pushed_at_the_end():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(2500))
    assert peer.take() == [("A", 1, 1, 1000), ("A", 1001, 1, 1000), ("PA", 2001, 1, 500)]


def test_a_super_segment_is_left_whole_for_the_device_to_cut():
    peer = TcpPeer.established(PLAIN, gso_max=7500)
    peer.connection.send(bytes(9400))
    out = list(peer.connection.segments_to_send(0.0))
    assert [(s.length, s.gso_size) for s in out] == [(7000, 1000), (2400, 1000)]
    assert peer.connection.info().segments_sent == 2 + 10, "the opening, and what they will be cut into"


def test_the_short_tail_of_a_super_segment_waits_for_another_short_segment():
    peer = TcpPeer.established(PLAIN, gso_max=60_000)
    peer.connection.send(bytes(500))
    assert peer.take() == [("PA", 1, 1, 500)]
    peer.connection.send(bytes(2300))
    assert peer.take() == [("A", 501, 1, 1000), ("A", 1501, 1, 1000)]
    peer.give("A", seq=1, ack=501)
    assert peer.take() == [("PA", 2501, 1, 300)]


def test_pieces_are_sent_by_reference():
    peer = TcpPeer.established(PLAIN, gso_max=60_000)
    data = bytes(range(256)) * 20
    peer.connection.send(data)
    (segment,) = peer.connection.segments_to_send(0.0)
    assert segment.payload[0] is data


def test_nothing_goes_beyond_the_window():
    peer = TcpPeer.established(PLAIN, window=2500)
    peer.connection.send(bytes(5000))
    assert [s[3] for s in peer.take()] == [1000, 1000]  # 500 more would make the window silly
    peer.give("A", ack=1001, window=2500)
    assert sum(s[3] for s in peer.take()) == 1000


def test_the_initial_window_is_ten_segments():
    peer = TcpPeer.established(PLAIN, window=60_000)
    peer.connection.send(bytes(50_000))
    assert len(peer.take()) == 10


def test_slow_start_doubles_a_round():
    peer = TcpPeer.established(PLAIN, window=60_000)
    peer.connection.send(bytes(80_000))
    peer.take()
    peer.give("A", ack=10_001)
    assert len(peer.take()) == 20


def test_dividing_acknowledgments_gains_nothing():
    peer = TcpPeer.established(PLAIN, window=60_000)
    peer.connection.send(bytes(80_000))
    peer.take()
    for ack in range(2, 1002):
        peer.give("A", ack=ack)
    assert peer.connection.congestion.window <= 11 * MSS


def test_nagle_holds_a_second_short_segment_until_the_first_is_acknowledged():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(b"one")
    assert peer.take() == [("PA", 1, 1, 3)]
    peer.connection.send(b"two")
    assert peer.take() == []
    peer.connection.send(b"three")
    peer.give("A", ack=4)
    assert peer.take() == [("PA", 4, 1, 8)]


def test_nagle_lets_the_tail_of_a_large_write_go():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(1500))
    assert [s[3] for s in peer.take()] == [1000, 500]


def test_nagle_can_be_switched_off():
    peer = TcpPeer.established(PLAIN._replace(nagle=False))
    peer.connection.send(b"one")
    peer.take()
    peer.connection.send(b"two")
    assert peer.take() == [("PA", 4, 1, 3)]


def test_a_silly_window_is_not_filled():
    peer = TcpPeer.established(PLAIN, window=4000)
    peer.connection.send(bytes(8000))
    peer.take()
    peer.give("A", ack=4001, window=10)
    assert peer.take() == []
    assert peer.connection.next_timeout() is not None
    peer.give("A", ack=4001, window=2000)
    assert [s[3] for s in peer.take()] == [1000, 1000]


def test_the_override_timer_sends_what_a_small_window_takes():
    peer = TcpPeer.established(PLAIN, window=4000)
    peer.connection.send(bytes(8000))
    peer.take()
    peer.give("A", ack=4001, window=10)
    peer.take()
    peer.jump()
    assert peer.take() == [("A", 4001, 1, 10)]


@pytest.mark.parametrize("sack", [True, False])
def test_a_zero_window_is_probed_with_doubling_waits_as_long_as_the_peer_answers(sack):
    peer = TcpPeer.established(PLAIN._replace(user_timeout=100.0, sack=sack), window=1000)
    peer.connection.send(bytes(3000))
    peer.take()
    peer.give("A", ack=1001, window=0)
    waits = []
    while peer.now < 1000.0:
        assert all(s == ("A", 1001, 1, 1) for s in peer.take())
        peer.give("A", ack=1001, window=0)
        peer.take()
        waits.append(peer.jump())
    assert waits[1] == pytest.approx(2 * waits[0])
    assert max(waits) == pytest.approx(60)
    peer.give("A", ack=1001, window=5000)
    assert peer.state is State.ESTABLISHED
    assert [s[1:] for s in peer.take()] == [(1001, 1, 1000), (2001, 1, 1000)]


def test_a_zero_window_whose_probes_nobody_answers_ends_at_the_user_timeout():
    peer = TcpPeer.established(PLAIN._replace(user_timeout=100.0), window=1000)
    peer.connection.send(bytes(3000))
    peer.take()
    peer.give("A", ack=1001, window=0)
    peer.take()
    while peer.state is State.ESTABLISHED:
        peer.jump()
        sent = peer.take()
    assert isinstance(peer.connection.error, TimedOutError)
    assert peer.now <= 200.0
    assert sent[0][0] == "RA"


def test_a_zero_window_does_not_hold_a_connection_that_was_closed_here():
    peer = TcpPeer.established(PLAIN._replace(user_timeout=100.0), window=1000)
    peer.connection.send(bytes(3000))
    peer.take()
    peer.give("A", ack=1001, window=0)
    peer.connection.close(peer.now)
    while peer.state is not State.CLOSED:
        peer.take()
        peer.give("A", ack=1001, window=0)
        peer.jump()
    assert peer.now <= 200.0


def test_a_probe_that_was_taken_moves_the_stream_on():
    peer = TcpPeer.established(PLAIN, window=1000)
    peer.connection.send(bytes(3000))
    peer.take()
    peer.give("A", ack=1001, window=0)
    peer.take()
    peer.jump()
    assert peer.take() == [("A", 1001, 1, 1)]
    peer.give("A", ack=1002, window=5000)
    assert [s[1:] for s in peer.take()] == [(1002, 1, 1000), (2002, 1, 999)]


def test_a_full_send_buffer_takes_no_more():
    peer = TcpPeer.established(PLAIN._replace(send_buffer=5000), window=1000)
    assert peer.connection.send(bytes(4000)) == 4000
    assert peer.connection.send_room == 1000
    assert peer.connection.send(bytes(4000)) == 1000
    assert peer.connection.send(b"x") == 0
    peer.take()
    peer.give("A", ack=1001)
    assert peer.connection.send_room == 1000


# Acknowledgments


def test_a_first_segment_waits_for_the_delay_a_second_does_not():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=b"a")
    assert peer.take() == []
    assert peer.connection.next_timeout() == PLAIN.delayed_ack
    peer.give("A", seq=2, payload=b"b")
    assert peer.take() == [("A", 1, 3, 0)]
    assert peer.connection.next_timeout() is None
    peer.give("A", seq=3, payload=b"c")
    assert peer.jump() == PLAIN.delayed_ack
    assert peer.take() == [("A", 1, 4, 0)]


def test_text_carries_the_acknowledgment():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=b"a")
    peer.connection.send(b"reply")
    assert peer.take() == [("PA", 1, 2, 5)]
    assert peer.connection.ack_deadline == float("inf")


def test_the_first_arrivals_are_acknowledged_at_once():
    peer = TcpPeer.established(PLAIN._replace(quick_acks=2))
    answers = []
    for at in range(1, 4):
        peer.give("A", seq=at, payload=b"a")
        answers.append(len(peer.take()))
    assert answers == [1, 1, 0]


def test_one_merged_segment_waits_shortly():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=bytes(30_000))
    assert peer.take() == []
    assert peer.jump() == PLAIN.merged_ack_delay
    assert peer.take() == [("A", 1, 30_001, 0)]


def test_text_out_of_order_is_answered_at_once_with_the_latest_block_first():
    peer = TcpPeer.established(PLAIN)
    seen = []
    for seq in (101, 301, 501, 701, 901, 301):
        peer.give("A", seq=seq, payload=bytes(100))
        (answer,) = peer.segments()
        assert peer.read(answer) == ("A", 1, 1, 0)
        seen.append([(start - peer.irs) & 0xFFFFFFFF for start, _ in answer.sack_blocks])
    assert seen[0] == [101]
    assert seen[1] == [301, 101]
    assert seen[4] == [901, 701, 501, 301]
    assert seen[5][0] == 301


def test_a_reader_that_makes_room_opens_the_window():
    peer = TcpPeer.established(PLAIN._replace(receive_buffer=8000))
    for at in range(8):
        peer.give("A", seq=1 + at * 1000, payload=bytes([at]) * 1000)
    assert peer.segments()[-1].window == 0
    windows = []
    while peer.connection.receive():
        windows += [s.window for s in peer.segments()]
    assert windows[0] >= MSS
    assert len(windows) < 8
    assert windows == sorted(windows)


def test_a_reader_of_small_pieces_opens_no_silly_window():
    peer = TcpPeer.established(PLAIN._replace(receive_buffer=2000))
    edges = []
    for at in range(0, 3600, 300):
        peer.give("A", seq=1 + at, payload=bytes(300))
        peer.connection.receive()
        peer.jump()
        edges += [s.acknowledgment + s.window for s in peer.segments()]
    steps = [after - before for before, after in pairwise(edges)]
    assert len(edges) >= 12 and max(steps) > 0
    assert all(step == 0 or step >= 1000 for step in steps)


def test_small_chunks_are_joined_for_the_reader_within_a_bound():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    peer.take()
    peer.give("SA", seq=0, ack=1, scale=7)
    peer.take()
    text = random.Random(1).randbytes(1000 * 100)
    for at in range(0, len(text), 2000):
        peer.give("A", seq=1 + at, payload=text[at : at + 2000])
        peer.take()
    chunks = []
    while chunk := peer.connection.receive():
        chunks.append(chunk)
    assert [len(chunk) for chunk in chunks] == [64_000, 36_000]
    assert b"".join(chunks) == text and peer.connection.readable == 0


# Loss


def test_the_time_out_repeats_the_first_segment_and_doubles():
    peer = TcpPeer.established(PLAIN._replace(user_timeout=50.0))
    peer.connection.send(bytes(3000))
    peer.take()
    waits = []
    while peer.state is State.ESTABLISHED:
        waits.append(peer.jump())
        if peer.state is State.ESTABLISHED:
            assert peer.take() == [("A", 1, 1, 1000)]
    assert waits[:3] == pytest.approx([waits[0], 2 * waits[0], 4 * waits[0]])
    assert peer.now == 50.0
    assert isinstance(peer.connection.error, TimedOutError)


def test_an_acknowledgment_restarts_the_timer_and_the_last_one_stops_it():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(2000))
    peer.take()
    peer.now = 0.1
    peer.give("A", ack=1001)
    assert peer.connection.next_timeout() == pytest.approx(0.1 + peer.connection.info().rto)
    peer.give("A", ack=2001)
    assert peer.connection.next_timeout() is None


def test_three_duplicates_bring_fast_retransmit_and_halve_the_window():
    peer = TcpPeer.established(PLAIN._replace(sack=False))
    peer.connection.send(bytes(10_000))
    peer.take()
    peer.give("A", ack=1)
    peer.give("A", ack=1)
    assert peer.take() == []
    peer.give("A", ack=1)
    assert peer.take() == [("A", 1, 1, 1000)]
    assert peer.connection.info().ssthresh == 5000


def test_without_sack_a_partial_acknowledgment_repeats_the_next_hole():
    peer = TcpPeer.established(PLAIN._replace(sack=False))
    peer.connection.send(bytes(10_000))
    peer.take()
    for _ in range(3):
        peer.give("A", ack=1)
    peer.take()
    peer.give("A", ack=4001)
    assert peer.take()[0] == ("A", 4001, 1, 1000)
    peer.give("A", ack=10_001)
    assert peer.connection.info().fast_recoveries == 1
    assert not peer.connection.in_recovery


def test_with_sack_each_hole_is_repeated_once():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(10_000))
    peer.take()
    peer.give("A", ack=1, blocks=[(1001, 3001), (4001, 10_001)])
    assert [s[1] for s in peer.take()] == [1, 3001]
    peer.give("A", ack=1, blocks=[(1001, 3001), (4001, 10_001)])
    assert peer.take() == []
    peer.give("A", ack=10_001)
    assert peer.connection.has_sent_all


def test_after_a_time_out_what_the_peer_has_is_not_repeated():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(5000))
    peer.take()
    peer.jump()
    assert peer.take() == [("A", 1, 1, 1000)]
    peer.give("A", ack=1001, blocks=[(2001, 4001)])
    assert [s[1] for s in peer.take()] == [1001, 4001]


@pytest.mark.parametrize(
    "block", [(5000, 60_000), (3000, 2000), (0, 3), (-3000, 3000), (1, 2000), (2001, 2001), (1 << 31, 5)]
)
def test_sack_lies_and_duplicate_reports_change_nothing(block):
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(5000))
    peer.take()
    for _ in range(5):
        peer.give("A", ack=1, blocks=[block])
    assert peer.take() == []
    assert not peer.connection.scoreboard


def test_a_thousand_holes_keep_the_scoreboard_bounded():
    peer = TcpPeer.established(PLAIN._replace(sack_ranges=50, send_buffer=1 << 20))
    peer.connection.send(bytes(10_000))
    peer.take()
    for start in range(2, 5000, 4):
        peer.give("A", ack=1, blocks=[(start, start + 1)])
    assert peer.connection.scoreboard.sacked == 50
    peer.give("A", ack=10_001)
    assert peer.connection.has_sent_all
    assert not peer.connection.scoreboard


def test_a_repeated_segment_gives_no_round_trip_sample():
    peer = TcpPeer.established(PLAIN)
    before = peer.connection.info().srtt
    peer.connection.send(bytes(500))
    peer.take()
    peer.jump()
    peer.take()
    peer.now += 0.9
    peer.give("A", ack=501)
    assert peer.connection.info().srtt == before


# Keepalive


def test_keepalive_probes_a_silent_peer_and_gives_up():
    peer = TcpPeer.established(
        PLAIN._replace(keepalive_idle=60.0, keepalive_interval=5.0, keepalive_probes=3)
    )
    waits = []
    while peer.state is State.ESTABLISHED:
        waits.append(peer.jump())
        if peer.state is State.ESTABLISHED:
            assert peer.take() == [("A", 0, 1, 0)]
    assert waits == [60, 5, 5, 5]
    assert isinstance(peer.connection.error, TimedOutError)


def test_an_answer_to_a_keepalive_begins_the_silence_anew():
    peer = TcpPeer.established(PLAIN._replace(keepalive_idle=60.0))
    peer.jump()
    peer.take()
    peer.give("A")
    assert peer.jump() == 60.0


def test_without_keepalive_an_idle_connection_has_no_deadline():
    assert TcpPeer.established(PLAIN).connection.next_timeout() is None


# The end


def test_shutdown_sends_the_fin_with_the_last_text():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(b"bye")
    peer.connection.shutdown(0.0)
    assert peer.take() == [("FPA", 1, 1, 3)]
    peer.connection.shutdown(0.0)
    with pytest.raises(UsageError):
        peer.connection.send(b"more")


def test_a_fin_that_is_lost_is_repeated_and_the_wait_ends():
    peer = TcpPeer.established(PLAIN._replace(user_timeout=20.0))
    peer.connection.shutdown(0.0)
    assert peer.take() == [("FA", 1, 1, 0)]
    peer.jump()
    assert peer.take() == [("FA", 1, 1, 0)]
    while peer.state is not State.CLOSED:
        peer.jump()
    assert peer.now == 20.0


def test_abort_resets():
    peer = TcpPeer.established(PLAIN)
    peer.connection.abort(0.0)
    assert peer.take() == [("RA", 1, 1, 0)]
    assert isinstance(peer.connection.error, ConnectionAbortedError)
    assert peer.connection.is_closed


def test_abort_while_connecting_sends_nothing():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    peer.take()
    peer.connection.abort(0.0)
    assert peer.take() == []


def test_close_with_unread_text_resets():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=b"unread")
    peer.connection.close(0.0)
    assert peer.take()[0][0] == "RA"


def test_text_after_close_is_answered_by_a_reset():
    peer = TcpPeer.established(PLAIN)
    peer.connection.close(0.0)
    peer.take()
    peer.give("A", seq=1, ack=2, payload=b"late")
    assert peer.take()[0][0] == "RA"
    assert peer.state is State.CLOSED


def test_after_close_the_wait_for_the_peers_fin_ends():
    peer = TcpPeer.established(PLAIN)
    peer.connection.close(0.0)
    peer.take()
    peer.give("A", ack=2)
    assert peer.state is State.FIN_WAIT_2
    assert peer.jump() == PLAIN.fin_wait_2_timeout
    assert (peer.state, peer.connection.error) == (State.CLOSED, None)


def test_half_closed_and_still_read_there_is_no_such_wait():
    peer = TcpPeer.established(PLAIN)
    peer.connection.shutdown(0.0)
    peer.take()
    peer.give("A", ack=2)
    assert (peer.state, peer.connection.next_timeout()) == (State.FIN_WAIT_2, None)


# ICMP (RFC 5927)


def test_while_connecting_an_icmp_error_ends_it():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    peer.take()
    peer.connection.receive_icmp_error(ConnectRefusedError("port"), peer.iss, 0.0)
    assert isinstance(peer.connection.error, ConnectRefusedError)


def test_an_established_connection_takes_it_as_a_hint():
    peer = TcpPeer.established(PLAIN._replace(user_timeout=5.0))
    peer.connection.send(b"hello")
    peer.take()
    peer.connection.receive_icmp_error(UnreachableError("no route"), (peer.iss + 1) & 0xFFFFFFFF, 0.0)
    assert peer.state is State.ESTABLISHED
    while peer.state is not State.CLOSED:
        peer.jump()
    assert isinstance(peer.connection.error, UnreachableError)


@pytest.mark.parametrize("offset", [-1, 6, 1000, 1 << 31])
def test_an_icmp_error_that_quotes_nothing_under_way_is_ignored(offset):
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(b"hello")
    peer.take()
    peer.connection.receive_packet_too_big(600, (peer.iss + 1 + offset) & 0xFFFFFFFF, 0.0)
    peer.connection.receive_icmp_error(UnreachableError("x"), (peer.iss + 1 + offset) & 0xFFFFFFFF, 0.0)
    assert peer.connection.soft_error is None
    assert peer.connection.eff_mss == MSS


def test_packet_too_big_cuts_anew_without_touching_the_congestion_window():
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(2000))
    peer.take()
    window = peer.connection.congestion.window
    peer.connection.receive_packet_too_big(600, (peer.iss + 1) & 0xFFFFFFFF, 0.0)
    assert [s[1:] for s in peer.take()] == [(1, 1, 600), (601, 1, 600), (1201, 1, 600), (1801, 1, 200)]
    assert peer.connection.congestion.window == window


@pytest.mark.parametrize(("mss", "expected"), [(0, 512), (100, 512), (2000, MSS)])
def test_packet_too_big_has_a_floor_and_never_raises(mss, expected):
    peer = TcpPeer.established(PLAIN)
    peer.connection.send(bytes(2000))
    peer.take()
    peer.connection.receive_packet_too_big(mss, (peer.iss + 1) & 0xFFFFFFFF, 0.0)
    assert peer.connection.eff_mss == expected
