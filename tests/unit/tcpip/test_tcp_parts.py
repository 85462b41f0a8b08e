"""The parts of a connection by themselves: buffers, scoreboard, time-out, congestion."""

import pytest

from tcpip.tcp.assembler import Assembler
from tcpip.tcp.congestion import NewReno
from tcpip.tcp.rto import RtoEstimator
from tcpip.tcp.scoreboard import Scoreboard
from tcpip.tcp.send_buffer import SendBuffer


def test_a_send_buffer_hands_out_views_and_lets_go_of_what_is_acknowledged():
    buffer = SendBuffer(100)
    first, second = b"a" * 5000, bytearray(b"b" * 5000)
    buffer.append(first)
    buffer.append(second)
    pieces = buffer.slices(5000, 5200)
    assert [bytes(p) for p in pieces] == [b"a" * 100, b"b" * 100]
    buffer.acknowledge(5150)
    assert (buffer.start, len(buffer)) == (5150, 4950)
    assert b"".join(buffer.slices(5150, 10_100)) == b"b" * 4950
    buffer.acknowledge(10_100)
    assert len(buffer) == 0


def test_a_writer_of_single_octets_makes_few_pieces():
    buffer = SendBuffer(0)
    for i in range(10_000):
        buffer.append(bytes([i & 0xFF]))
    assert len(buffer.slices(0, 10_000)) <= 3
    assert b"".join(buffer.slices(0, 10_000)) == bytes(i & 0xFF for i in range(10_000))


def test_the_first_copy_of_an_octet_wins():
    assembler = Assembler(10)
    assembler.add(10, memoryview(b"AAAA"))
    assembler.add(8, memoryview(b"bbbbbbbb"))
    assert b"".join(assembler.take(8)) == b"bbAAAAbb"
    assert not assembler


def test_an_assembler_keeps_no_more_ranges_than_its_limit():
    assembler = Assembler(3)
    for start in range(0, 100, 10):
        assembler.add(start, memoryview(b"xx"))
    assert assembler.octets == 6
    assembler.add(2, memoryview(bytes(8)))  # joins two of them: room for one more
    assembler.add(90, memoryview(b"xx"))
    assert assembler.octets == 16
    assert sorted(assembler.sack_blocks()) == [(0, 12), (20, 22), (90, 92)]


def test_the_scoreboard_joins_ranges_and_counts_news_once():
    board = Scoreboard(10)
    assert board.add(10, 20) == 10
    assert board.add(30, 40) == 10
    assert board.add(15, 35) == 10
    assert board.add(10, 40) == 0
    assert board.sacked == 30
    assert board.octets_between(0, 25) == 15
    assert board.hole_after(5) == (5, 10)
    assert board.hole_after(12) == (40, None)
    board.forget_below(25)
    assert board.sacked == 15


def test_a_hole_is_lost_below_three_ranges_or_more_than_two_segments():
    board = Scoreboard(10)
    board.add(100, 101)
    board.add(200, 201)
    board.mark_losses(50)
    assert board.loss_edge == 0
    board.add(300, 301)
    board.mark_losses(50)
    assert board.loss_edge == 100
    board.add(401, 502)
    board.mark_losses(50)
    assert board.loss_edge == 401


def test_the_time_out_follows_rfc_6298():
    rto = RtoEstimator(1.0, 0.2, 60.0)
    assert rto.rto == 1.0
    rto.take_sample(0.4)
    assert (rto.srtt, rto.rttvar, rto.rto) == (0.4, 0.2, pytest.approx(1.2))
    rto.take_sample(0.8)
    assert rto.rttvar == pytest.approx(0.25)
    assert rto.srtt == pytest.approx(0.45)
    for _ in range(10):
        rto.back_off()
    assert rto.rto == 60.0
    for _ in range(50):
        rto.take_sample(0.01)
    assert (rto.rto, rto.backoffs) == (0.2, 0)


def test_new_reno_starts_slowly_then_grows_by_a_segment_a_window():
    control = NewReno(1000, 1 << 20)
    assert control.window == 10_000
    control.on_ack(10_000, 10_000, 0.0)
    assert control.window == 20_000
    control.on_loss(20_000, 0.0)
    assert (control.window, control.ssthresh) == (10_000, 10_000)
    for _ in range(10):
        control.on_ack(1000, control.window, 0.0)
    assert 10_900 <= control.window <= 11_000
    control.on_timeout(11_000, 0.0)
    assert (control.window, control.ssthresh) == (1000, 5500)


def test_a_window_that_is_not_used_does_not_grow():
    control = NewReno(1000, 1 << 20)
    control.on_ack(1000, 2000, 0.0)
    assert control.window == 10_000


def test_a_window_never_passes_its_limit():
    control = NewReno(1000, 50_000)
    for _ in range(100):
        control.on_ack(control.window, control.window, 0.0)
    assert control.window == 50_000
