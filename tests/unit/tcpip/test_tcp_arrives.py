"""RFC 9293 §3.10.7, an item a test, and what other RFCs changed in it."""

import pytest

from tcpip.errors import ConnectRefusedError, PeerResetError, UnreachableError
from tcpip.seqnum import MASK
from tcpip.tcp import arrives
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.states import TRANSITIONS, State
from tcpip.wire import tcp
from tests.fakes.tcp_peer import MSS, TcpPeer

PLAIN = TcpConfig(timestamps=False, quick_acks=0)
WITH_TIMESTAMPS = TcpConfig(quick_acks=0)


def listening(config: TcpConfig = PLAIN) -> TcpPeer:
    peer = TcpPeer(config)
    peer.connection.listen(0.0)
    return peer


def opening(config: TcpConfig = PLAIN) -> TcpPeer:
    peer = TcpPeer(config)
    peer.connection.connect(0.0)
    assert peer.take() == [("S", 0, 0, 0)]
    return peer


# §3.10.7.1 CLOSED


def parsed(flags: int, payload: bytes = b"") -> tcp.Segment:
    return tcp.Segment.parse(memoryview(tcp.build_header(1, 2, MASK, 77, flags, 0) + payload))


def test_closed_answers_a_segment_with_an_ack_by_a_reset_the_sender_takes():
    reply = arrives.reset_for(parsed(tcp.ACK))
    segment = tcp.Segment.parse(memoryview(reply.header))
    assert segment[:5] == (2, 1, 77, 0, tcp.RST)


def test_closed_answers_a_segment_without_an_ack_by_a_reset_that_acknowledges_it():
    reply = arrives.reset_for(parsed(tcp.SYN, b"ab"))
    segment = tcp.Segment.parse(memoryview(reply.header))
    assert segment[:5] == (2, 1, 0, 2, tcp.RST | tcp.ACK)


def test_closed_does_not_answer_a_reset():
    assert arrives.reset_for(parsed(tcp.RST)) is None
    assert arrives.reset_for(parsed(tcp.RST | tcp.ACK)) is None


def test_a_closed_connection_answers_by_a_reset():
    peer = TcpPeer(PLAIN)
    peer.give("A", seq=5, ack=9)
    assert peer.take() == [("R", 9, 0, 0)]


# §3.10.7.2 LISTEN


def test_listen_ignores_a_reset():
    peer = listening()
    peer.give("R")
    assert (peer.take(), peer.state) == ([], State.LISTEN)


def test_listen_answers_an_ack_by_a_reset():
    peer = listening()
    peer.give("A", ack=9)
    assert (peer.take(), peer.state) == ([("R", 9, 0, 0)], State.LISTEN)


def test_listen_answers_a_syn_and_an_ack_establishes():
    peer = listening()
    peer.give("S", seq=0)
    assert (peer.take(), peer.state) == ([("SA", 0, 1, 0)], State.SYN_RECEIVED)
    peer.give("A", seq=1, ack=1)
    assert peer.state is State.ESTABLISHED


def test_listen_drops_what_is_neither():
    peer = listening()
    peer.give("F")
    assert (peer.take(), peer.state) == ([], State.LISTEN)


# §3.10.7.3 SYN-SENT


@pytest.mark.parametrize("ack", [0, 2, -5])
def test_syn_sent_first_an_ack_of_what_was_not_sent_is_answered_by_a_reset(ack):
    peer = opening()
    peer.give("SA", seq=0, ack=ack)
    assert (peer.take(), peer.state) == ([("R", ack & MASK, 0, 0)], State.SYN_SENT)


def test_syn_sent_second_a_reset_with_a_good_ack_refuses():
    peer = opening()
    peer.give("RA", seq=0, ack=1)
    assert peer.state is State.CLOSED
    assert isinstance(peer.connection.error, ConnectRefusedError)
    assert peer.take() == []


def test_syn_sent_second_a_blind_reset_is_ignored():
    peer = opening()
    peer.give("R", seq=0)
    peer.give("RA", seq=0, ack=7)
    assert (peer.take(), peer.state) == ([], State.SYN_SENT)


def test_syn_sent_fourth_a_syn_ack_establishes_and_is_acknowledged():
    peer = opening()
    peer.give("SA", seq=0, ack=1, mss=500)
    assert (peer.take(), peer.state) == ([("A", 1, 1, 0)], State.ESTABLISHED)
    assert peer.connection.eff_mss == 500


def test_syn_sent_fourth_a_bare_syn_opens_from_both_sides():
    peer = opening()
    peer.give("S", seq=0)
    assert (peer.take(), peer.state) == ([("SA", 0, 1, 0)], State.SYN_RECEIVED)
    peer.give("SA", seq=0, ack=1)
    assert peer.state is State.ESTABLISHED


def test_syn_sent_fifth_neither_syn_nor_reset_is_dropped():
    peer = opening()
    peer.give("A", seq=0, ack=1)
    assert (peer.take(), peer.state) == ([], State.SYN_SENT)


def test_text_and_fin_that_come_with_the_syn_ack_are_taken():
    peer = opening()
    peer.give("SAF", seq=0, ack=1, payload=b"hello")
    assert peer.connection.receive() == b"hello"
    assert peer.connection.at_eof
    assert (peer.take(), peer.state) == ([("A", 1, 7, 0)], State.CLOSE_WAIT)


# §3.10.7.4 first, the sequence number


def test_first_text_in_order_is_taken():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=b"abc")
    assert peer.connection.receive() == b"abc"


@pytest.mark.parametrize("seq", [-10, 5_000_000, 1 << 31])
def test_first_text_outside_the_window_is_answered_by_an_ack_and_dropped(seq):
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=seq, payload=b"abc")
    assert (peer.take(), peer.connection.readable) == ([("A", 1, 1, 0)], 0)


def test_first_what_overlaps_the_left_edge_is_cut():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=b"abc")
    peer.give("A", seq=2, payload=b"bcde")
    assert peer.connection.receive() == b"abcde"


def test_first_what_overlaps_the_right_edge_is_cut():
    peer = TcpPeer.established(PLAIN._replace(receive_buffer=2000))
    peer.give("A", seq=1, payload=bytes(1999))
    peer.give("A", seq=2000, payload=b"xyz")
    assert peer.connection.readable == 2000


def test_first_the_ack_of_a_probe_of_a_zero_window_counts_its_text_does_not():
    peer = TcpPeer.established(PLAIN._replace(receive_buffer=2000))
    peer.connection.send(b"request")
    peer.take()
    peer.give("A", seq=1, payload=bytes(2000))
    peer.jump()
    assert peer.segments()[-1].window == 0
    peer.give("A", seq=2001, ack=8, payload=b"x")
    assert peer.connection.readable == 2000
    assert peer.connection.has_sent_all
    assert peer.take() == [("A", 8, 2001, 0)]


def test_first_an_ack_from_the_right_edge_counts():
    peer = TcpPeer.established(PLAIN._replace(receive_buffer=2000))
    peer.connection.send(b"request")
    peer.take()
    peer.give("A", seq=2001, ack=8)
    assert peer.connection.has_sent_all


def test_first_paws_drops_an_old_duplicate_and_answers():
    peer = TcpPeer.established(WITH_TIMESTAMPS, ts=100)
    peer.give("A", seq=1, payload=b"abc", ts=99)
    assert (peer.take(), peer.connection.readable) == ([("A", 1, 1, 0)], 0)
    peer.give("A", seq=1, payload=b"abc", ts=100)
    assert peer.connection.readable == 3


def test_first_paws_lets_a_reset_pass():
    peer = TcpPeer.established(WITH_TIMESTAMPS, ts=100)
    peer.give("R", seq=1, ts=1)
    assert peer.state is State.CLOSED


def test_first_paws_forgets_after_24_days():
    peer = TcpPeer.established(WITH_TIMESTAMPS, ts=100)
    peer.now = 25 * 86400.0
    peer.give("A", seq=1, payload=b"abc", ts=99)
    assert peer.connection.readable == 3


def test_first_a_segment_without_the_timestamps_agreed_on_is_dropped_without_an_answer():
    peer = TcpPeer.established(WITH_TIMESTAMPS)
    peer.give("A", seq=1, payload=b"abc")
    assert (peer.take(), peer.connection.readable) == ([], 0)


def test_timestamps_echo_the_segment_that_moved_the_left_edge():
    peer = TcpPeer.established(WITH_TIMESTAMPS, ts=100)
    peer.give("A", seq=3, payload=b"cd", ts=120)
    peer.take()
    peer.give("A", seq=1, payload=b"ab", ts=110)
    assert peer.segments()[-1].ts_echo == 110


# second, the reset


def test_second_a_reset_at_exactly_rcv_nxt_ends_the_connection_and_delivered_text_stays():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, payload=b"abc")
    peer.give("R", seq=4)
    assert isinstance(peer.connection.error, PeerResetError)
    assert peer.connection.receive() == b"abc"
    assert not peer.connection.at_eof
    with pytest.raises(PeerResetError):
        peer.connection.send(b"x")
    assert peer.connection.next_timeout() is None


def test_second_a_reset_elsewhere_in_the_window_is_challenged():
    peer = TcpPeer.established(PLAIN)
    peer.give("R", seq=2)
    assert (peer.take(), peer.state) == ([("A", 1, 1, 0)], State.ESTABLISHED)


def test_second_a_reset_outside_the_window_is_ignored():
    peer = TcpPeer.established(PLAIN)
    peer.give("R", seq=-1)
    assert (peer.take(), peer.state) == ([], State.ESTABLISHED)


def test_second_in_syn_received_a_reset_refuses_who_connected():
    peer = opening()
    peer.give("S", seq=0)
    peer.take()
    peer.give("R", seq=1)
    assert isinstance(peer.connection.error, ConnectRefusedError)


def test_second_time_wait_ignores_resets():
    peer = in_time_wait()
    peer.give("R", seq=2, ack=2)
    assert peer.state is State.TIME_WAIT


# fourth, the SYN


@pytest.mark.parametrize("seq", [0, 1, 500, -70_000])
def test_fourth_a_syn_is_challenged_wherever_it_lies(seq):
    peer = TcpPeer.established(PLAIN)
    peer.give("S", seq=seq)
    assert (peer.take(), peer.state) == ([("A", 1, 1, 0)], State.ESTABLISHED)


def test_fourth_a_repeated_syn_is_answered_by_the_same_syn_ack():
    peer = listening()
    peer.give("S", seq=0)
    first = peer.take()
    peer.give("S", seq=0)
    assert peer.take() == first


def test_challenges_stop_at_the_budget_and_begin_again():
    peer = TcpPeer.established(PLAIN._replace(challenge_acks=3, challenge_period=5.0))
    answers = []
    for _ in range(10):
        peer.give("S", seq=500)
        answers += peer.take()
    assert len(answers) == 3
    peer.now = 6.0
    peer.give("S", seq=500)
    assert len(peer.take()) == 1


def test_two_ends_that_disagree_do_not_answer_each_other_for_ever():
    peer = TcpPeer.established(PLAIN)
    answers = 0
    for _ in range(100):
        peer.give("A", seq=-50_000, ack=1)
        answers += len(peer.take())
    assert answers == PLAIN.challenge_acks


# fifth, the ACK


def test_fifth_without_an_ack_the_segment_is_dropped():
    peer = TcpPeer.established(PLAIN)
    peer.give("P", seq=1, payload=b"abc")
    assert (peer.take(), peer.connection.readable) == ([], 0)


def test_fifth_in_syn_received_a_wrong_ack_is_answered_by_a_reset():
    peer = listening()
    peer.give("S", seq=0)
    peer.take()
    peer.give("A", seq=1, ack=9)
    assert (peer.take(), peer.state) == ([("R", 9, 0, 0)], State.SYN_RECEIVED)


def test_fifth_an_ack_of_what_was_not_sent_is_answered_and_the_text_dropped():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, ack=100, payload=b"abc")
    assert (peer.take(), peer.connection.readable) == ([("A", 1, 1, 0)], 0)


def test_fifth_an_ack_older_than_the_largest_window_is_challenged():
    peer = TcpPeer.established(PLAIN, window=1000)
    peer.give("A", seq=1, ack=-2000, payload=b"abc", window=1000)
    assert (peer.take(), peer.connection.readable) == ([("A", 1, 1, 0)], 0)


def test_fifth_an_old_ack_within_the_window_is_ignored_but_its_text_is_taken():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=1, ack=-200, payload=b"abc")
    assert peer.connection.readable == 3


def test_fifth_a_window_from_an_older_segment_is_not_believed():
    peer = TcpPeer.established(PLAIN, window=5000)
    peer.give("A", seq=5, ack=1, window=7000, payload=b"e")
    assert peer.connection.snd_wnd == 7000
    peer.give("A", seq=1, ack=1, window=100, payload=b"a")
    assert peer.connection.snd_wnd == 7000


# sixth and seventh, urgent and text


def test_sixth_urgent_text_is_read_like_any_other():
    peer = TcpPeer.established(PLAIN)
    peer.give("AU", seq=1, payload=b"abc")
    assert peer.connection.receive() == b"abc"


def test_seventh_text_out_of_order_is_kept_until_the_gap_is_filled():
    peer = TcpPeer.established(PLAIN)
    peer.give("A", seq=4, payload=b"def")
    assert peer.connection.readable == 0
    peer.give("A", seq=1, payload=b"abc")
    assert peer.connection.receive() == b"abcdef"


def test_seventh_text_after_the_fin_is_ignored():
    peer = TcpPeer.established(PLAIN)
    peer.give("FA", seq=1)
    peer.give("A", seq=2, payload=b"late")
    assert peer.connection.readable == 0


# eighth, the FIN


def test_eighth_a_fin_ends_the_stream_and_is_acknowledged():
    peer = TcpPeer.established(PLAIN)
    peer.give("FA", seq=1, payload=b"bye")
    assert (peer.take(), peer.state) == ([("A", 1, 5, 0)], State.CLOSE_WAIT)
    assert not peer.connection.at_eof
    assert peer.connection.receive() == b"bye"
    assert peer.connection.at_eof


def test_eighth_a_fin_that_comes_before_the_text_waits_for_it():
    peer = TcpPeer.established(PLAIN)
    peer.give("FA", seq=4, payload=b"def")
    assert peer.state is State.ESTABLISHED
    peer.give("A", seq=1, payload=b"abc")
    assert peer.state is State.CLOSE_WAIT
    assert peer.connection.receive() == b"abcdef"


def in_fin_wait_1() -> TcpPeer:
    peer = TcpPeer.established(PLAIN)
    peer.connection.shutdown(peer.now)
    assert (peer.take(), peer.state) == ([("FA", 1, 1, 0)], State.FIN_WAIT_1)
    return peer


def in_time_wait() -> TcpPeer:
    peer = in_fin_wait_1()
    peer.give("FA", seq=1, ack=2)
    assert (peer.take(), peer.state) == ([("A", 2, 2, 0)], State.TIME_WAIT)
    return peer


def test_fin_wait_1_goes_to_fin_wait_2_by_an_ack_and_takes_text_there():
    peer = in_fin_wait_1()
    peer.give("A", seq=1, ack=2)
    assert peer.state is State.FIN_WAIT_2
    peer.give("A", seq=1, ack=2, payload=b"still")
    assert peer.connection.receive() == b"still"
    peer.give("FA", seq=6, ack=2)
    assert peer.state is State.TIME_WAIT


def test_both_close_at_once():
    peer = in_fin_wait_1()
    peer.give("FA", seq=1, ack=1)
    assert peer.state is State.CLOSING
    peer.give("A", seq=2, ack=2)
    assert peer.state is State.TIME_WAIT


def test_the_side_that_closes_last_needs_no_time_wait():
    peer = TcpPeer.established(PLAIN)
    peer.give("FA", seq=1)
    peer.take()
    peer.connection.shutdown(peer.now)
    assert (peer.take(), peer.state) == ([("FA", 1, 2, 0)], State.LAST_ACK)
    peer.give("A", seq=2, ack=2)
    assert peer.state is State.CLOSED
    assert peer.connection.error is None
    assert peer.connection.next_timeout() is None


def test_time_wait_acknowledges_a_repeated_fin_and_begins_anew():
    peer = in_time_wait()
    peer.now = 50.0
    peer.give("FA", seq=1, ack=2)
    assert peer.take() == [("A", 2, 2, 0)]
    assert peer.jump() == PLAIN.time_wait
    assert peer.state is State.CLOSED
    assert peer.connection.is_closed


def test_time_wait_can_be_skipped():
    peer = TcpPeer.established(PLAIN._replace(time_wait=0.0))
    peer.connection.shutdown(peer.now)
    peer.take()
    peer.give("FA", seq=1, ack=2)
    assert (peer.state, peer.connection.error) == (State.CLOSED, None)


@pytest.mark.parametrize(
    ("flags", "seq", "answer"), [("S", 5000, True), ("S", 1, False), ("S", -9, False), ("SA", 5000, False)]
)
def test_time_wait_gives_way_to_a_syn_of_a_new_connection_only(flags, seq, answer):
    peer = in_time_wait()
    header = tcp.build_header(
        80, 40000, (peer.irs + seq) & MASK, 0, sum({"S": tcp.SYN, "A": tcp.ACK}[f] for f in flags), 1000
    )
    assert peer.connection.may_be_replaced_by(tcp.Segment.parse(memoryview(header))) is answer


def test_an_error_of_this_side_ends_the_opening():
    peer = TcpPeer(PLAIN)
    peer.connection.connect(0.0)
    assert peer.connection.local_error(UnreachableError("no way"), 0.0) == 0
    assert (peer.state, str(peer.connection.error)) == (State.CLOSED, "no way")


def test_an_error_of_this_side_later_loses_what_is_due_and_explains_the_time_out():
    peer = TcpPeer.established(PLAIN._replace(user_timeout=50.0))
    peer.connection.send(bytes(2500))
    assert peer.connection.local_error(UnreachableError("no way"), 0.0) == 3
    assert (peer.take(), peer.state) == ([], State.ESTABLISHED)
    peer.jump()
    assert peer.take() == [("A", 1, 1, 1000)], "it goes again after the time-out"
    while peer.state is State.ESTABLISHED:
        peer.jump()
        peer.take()
    assert isinstance(peer.connection.error, UnreachableError)


def test_every_state_is_in_the_table_and_leads_to_closed():
    assert set(TRANSITIONS) == set(State)
    assert len(State) == 11
    for state, ways in TRANSITIONS.items():
        assert state is State.CLOSED or State.CLOSED in ways


# The prediction takes the short way only where the long one would do the same.


def test_the_short_way_and_the_long_way_take_a_stream_alike(monkeypatch):
    def run() -> tuple[bytes, list[tuple[str, int, int, int]], int]:
        peer = TcpPeer.established(PLAIN)
        peer.connection.send(bytes(3000))
        sent = peer.take()
        peer.give("A", seq=1, ack=1 + MSS)
        sent += peer.take()
        for at in range(0, 50, 10):
            peer.give("A", seq=1 + at, ack=1 + MSS, payload=bytes([at]) * 10)
            sent += peer.take()
        peer.give("A", seq=51, ack=3001, window=5)
        received = b""
        while chunk := peer.connection.receive():
            received += chunk
        return received, sent, peer.connection.snd_wnd

    short = run()
    monkeypatch.setattr(arrives, "_is_predicted", lambda c, segment, now: False)
    assert run() == short
