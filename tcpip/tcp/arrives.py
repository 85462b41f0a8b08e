"""SEGMENT ARRIVES, item by item (RFC 9293 §3.10.7).

`segment_arrives` chooses by state: §3.10.7.1 CLOSED, §3.10.7.2 LISTEN,
§3.10.7.3 SYN-SENT, §3.10.7.4 the others.  Each item of the RFC's lists is a
function here, called in the RFC's order; one that ends the processing says so.
Before them stands a prediction: most segments of a transfer are the next text
in order or an acknowledgment and nothing else, and go a short way to the same
result.

Answers to segments that nobody honest sends, and ACKs for those that carry
nothing, come out of a budget (RFC 5961 §7): two ends that disagree would else
answer each other for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpip.errors import ConnectionAbortedError, ConnectRefusedError, PeerResetError
from tcpip.seqnum import MASK, distance, unwrap, wrap
from tcpip.tcp import acknowledged, send
from tcpip.tcp.assembler import append_chunk
from tcpip.tcp.send import SegmentOut
from tcpip.tcp.states import RECEIVING, SYNCHRONIZED, State
from tcpip.wire import tcp
from tcpip.wire.tcp import ACK, FIN, RST, SYN, URG, Segment

if TYPE_CHECKING:
    from tcpip.tcp.connection import TcpConnection

_NOT_PLAIN = SYN | FIN | RST | URG | ACK
_PAWS_IDLE = 24 * 24 * 3600.0  # RFC 7323 §5.5: after 24 days the clock may have wrapped


def segment_arrives(c: TcpConnection, segment: Segment, now: float) -> None:
    """Take in one segment; never raises for anything a peer can send."""
    c.segments_received += 1
    state = c.state
    if state is State.ESTABLISHED and _is_predicted(c, segment, now):
        c.on_change()
    elif state is State.CLOSED:
        if reply := reset_for(segment):
            c.replies.append(reply)
    elif state is State.LISTEN:
        _in_listen(c, segment, now)
    elif state is State.SYN_SENT:
        _in_syn_sent(c, segment, now)
    else:
        _otherwise(c, segment, now)


def _is_predicted(c: TcpConnection, segment: Segment, now: float) -> bool:
    """Header prediction: take the segment if it is the next text, or acknowledges and does nothing else."""
    (_, _, sequence, acknowledgment, flags, window, _, _, _, _, blocks, ts_value, _, payload) = segment
    if flags & _NOT_PLAIN != ACK or sequence != c.rcv_nxt & MASK or blocks or c.assembler.octets:
        return False
    if c.ts_enabled:
        if ts_value is None or distance(c.ts_recent, ts_value) < 0:
            return False
        if c.last_ack_sent >= c.rcv_nxt:
            c.ts_recent = ts_value
            c.ts_recent_at = now
    length = len(payload)
    if length:
        if (
            acknowledgment != c.snd_una & MASK
            or window << c.snd_scale != c.snd_wnd
            or length > c.rcv_adv - c.rcv_nxt
            or c.is_released
            or c.remote_fin is not None
        ):
            return False
        c.last_received = now
        c.keepalives = 0
        _deliver(c, payload)
        _note_arrival(c, length, now)
        return True
    una = c.snd_una
    ack = unwrap(acknowledgment, una)
    if not una < ack <= c.snd_max or c.in_recovery or c.dup_acks or c.scoreboard.sacked:
        return False
    c.last_received = now
    c.keepalives = 0
    _update_window(c, c.rcv_nxt, ack, window)
    acknowledged.advance(c, ack, segment, now)
    return True


# §3.10.7.1 CLOSED


def reset_for(segment: Segment) -> SegmentOut | None:
    """What to answer where no connection is: a reset that the sender will take, none to a reset."""
    if segment.flags & RST:
        return None
    if segment.flags & ACK:
        sequence, acknowledgment, flags = segment.acknowledgment, 0, RST
    else:
        sequence, acknowledgment, flags = 0, wrap(segment.sequence + segment.length), RST | ACK
    header = tcp.build_header(
        segment.destination_port, segment.source_port, sequence, acknowledgment, flags, 0
    )
    return SegmentOut(header, (), 0, 0)


# §3.10.7.2 LISTEN


def _in_listen(c: TcpConnection, segment: Segment, now: float) -> None:
    if segment.flags & RST:  # first
        return
    if segment.flags & ACK:  # second
        if reply := reset_for(segment):
            c.replies.append(reply)
        return
    if segment.flags & SYN:  # third; text with the SYN is left for the peer to repeat
        c.irs = segment.sequence
        c.rcv_nxt = c.rcv_adv = c.irs + 1
        _take_syn_options(c, segment, now)
        c.connect_deadline = now + c.config.connect_timeout
        c.enter(State.SYN_RECEIVED)


# §3.10.7.3 SYN-SENT


def _in_syn_sent(c: TcpConnection, segment: Segment, now: float) -> None:
    flags = segment.flags
    ack = unwrap(segment.acknowledgment, c.snd_una)
    if flags & ACK and not c.iss < ack <= c.snd_max:  # first
        if reply := reset_for(segment):
            c.replies.append(reply)
        return
    if flags & RST:  # second; without an ACK of our SYN anyone could have sent it
        if flags & ACK:
            c.fail(ConnectRefusedError("TCP: connection refused: a reset answered the SYN"))
        return
    if not flags & SYN:  # fourth; the third, security, is gone
        return
    c.irs = segment.sequence
    c.rcv_nxt = sequence = c.irs + 1
    c.rcv_adv = sequence + send.syn_window(c)
    _take_syn_options(c, segment, now)
    c.last_received = now
    if not flags & ACK:  # both opened at once: our SYN goes again, now with an ACK
        c.snd_nxt = c.iss
        c.enter(State.SYN_RECEIVED)
        return
    _become_established(c, ack, segment, now)
    c.ack_now = True
    _seventh_process_text(c, segment, sequence, now)
    _eighth_check_fin(c, segment, sequence, now)
    c.on_change()


def _take_syn_options(c: TcpConnection, segment: Segment, now: float) -> None:
    """Options count only if both SYNs have them (RFC 7323 §1.3, §3.2; RFC 2018 §2)."""
    config = c.config
    if segment.mss is not None:
        c.peer_mss = segment.mss
    if config.window_scaling and segment.window_scale is not None:
        c.snd_scale = min(segment.window_scale, send.MAX_SCALE)
        c.rcv_scale = send.scale_for(config.receive_buffer)
    else:
        c.snd_scale = 0
        c.rcv_scale = send.UNSCALED
    c.sack_enabled = config.sack and segment.sack_permitted
    c.ts_enabled = config.timestamps and segment.ts_value is not None
    c.ts_recent = segment.ts_value if c.ts_enabled and segment.ts_value is not None else 0
    c.ts_recent_at = now
    c.last_ack_sent = c.rcv_nxt
    c.snd_wnd = c.max_snd_wnd = segment.window  # that of a SYN is never scaled
    c.snd_wl1, c.snd_wl2 = c.irs, c.snd_una
    c.update_eff_mss()
    c.congestion = config.congestion(c.eff_mss, config.send_buffer)


def _become_established(c: TcpConnection, ack: int, segment: Segment, now: float) -> None:
    c.connect_deadline = send.NEVER
    c.enter(State.ESTABLISHED)
    c.recover = c.iss
    acknowledged.advance(c, ack, segment, now)
    c.rto.restart_after_syn()
    if c.fin_wanted:
        c.note_fin_wanted()


# §3.10.7.4 the other states


def _otherwise(c: TcpConnection, segment: Segment, now: float) -> None:
    if c.state is State.SYN_RECEIVED and segment.flags & SYN and segment.sequence == c.irs & MASK:
        if not segment.flags & ACK:
            c.snd_nxt = c.iss  # the peer has not seen our SYN-ACK: again
            return
        # Both opened at once: of this SYN-ACK the SYN was taken already, the ACK is news (§3.5, figure 8).
        segment = segment._replace(sequence=c.rcv_nxt & MASK, flags=segment.flags & ~SYN)
    sequence = unwrap(segment.sequence, c.rcv_nxt)
    if not _first_check_sequence(c, segment, sequence, now):
        return
    if segment.flags & RST:
        _second_check_reset(c, sequence, now)
        return
    # third, security and compartment: not offered any more by IPv4, never by IPv6
    if segment.flags & SYN:
        _fourth_check_syn(c, now)
        return
    c.last_received = now
    c.keepalives = 0
    if not _fifth_check_ack(c, segment, sequence, now):
        return
    # sixth, the urgent pointer: it only names a place in the text, which is read like any other
    _seventh_process_text(c, segment, sequence, now)
    _eighth_check_fin(c, segment, sequence, now)
    c.on_change()


def _first_check_sequence(c: TcpConnection, segment: Segment, sequence: int, now: float) -> bool:
    """Is any of it in the window?  With timestamps: is it no old duplicate (RFC 7323 §5.3, PAWS)?

    An edge of the window counts as inside for a segment without text: a peer
    that has filled the window sends its acknowledgments from there.
    """
    length = segment.length
    if c.ts_enabled and not segment.flags & RST and not _passes_paws(c, segment, sequence, now):
        if segment.ts_value is not None:
            _answer_unacceptable(c, length, now)
        return False
    low, high = c.rcv_nxt, c.rcv_adv
    if sequence <= high and (sequence + length > low if length else sequence >= low):
        if sequence < high or not length:
            return True
        if high == low:  # a probe of a window of zero: the text is refused, the ACK is not
            c.ack_now = True
            return True
    if segment.flags & RST:
        return False
    if c.state is State.TIME_WAIT and length and not segment.flags & SYN:
        c.enter_time_wait(now)  # eighth: the peer still repeats, so the 2 MSL begin anew
    _answer_unacceptable(c, length, now)
    return False


def _passes_paws(c: TcpConnection, segment: Segment, sequence: int, now: float) -> bool:
    value = segment.ts_value
    if value is None:
        return False  # RFC 7323 §3.2: dropped without an answer
    if distance(c.ts_recent, value) < 0 and now - c.ts_recent_at < _PAWS_IDLE:
        return False
    if sequence <= c.last_ack_sent:  # RFC 7323 §4.3 (2)
        c.ts_recent = value
        c.ts_recent_at = now
    return True


def _answer_unacceptable(c: TcpConnection, length: int, now: float) -> None:
    """Tell the sender where we are; one with text may need it, and cannot be answering an answer."""
    if length:
        c.ack_now = True
    else:
        challenge(c, now)


def challenge(c: TcpConnection, now: float) -> None:
    """A challenge ACK, as far as the budget goes (RFC 5961 §7)."""
    if now - c.challenges_since >= c.config.challenge_period:
        c.challenges_since = now
        c.challenges_left = c.config.challenge_acks
    if c.challenges_left > 0:
        c.challenges_left -= 1
        c.challenges += 1
        c.ack_now = True


def _second_check_reset(c: TcpConnection, sequence: int, now: float) -> None:
    """Only a reset at exactly RCV.NXT counts; one elsewhere in the window may be blind (RFC 5961 §3.2)."""
    if c.state is State.TIME_WAIT:
        return  # RFC 1337 §3, fix (F1): a stray reset must not end TIME-WAIT
    if sequence != c.rcv_nxt:
        challenge(c, now)
    elif c.state is State.SYN_RECEIVED and not c.is_passive:
        c.fail(ConnectRefusedError("TCP: connection refused: a reset answered the SYN"))
    elif c.state in (State.CLOSING, State.LAST_ACK) and c.snd_una >= c.buffer.end:
        c.enter(State.CLOSED)  # all text had arrived: nothing is lost
    else:
        # Deviates from §3.10.7.4: a passive open does not return to LISTEN, the listener never left it.
        c.fail(PeerResetError("TCP: connection reset by peer"))


def _fourth_check_syn(c: TcpConnection, now: float) -> None:
    """RFC 5961 §4.2: whatever its number, a SYN is answered by a challenge and else ignored."""
    if c.state is State.SYN_RECEIVED and c.is_passive:
        c.fail(PeerResetError("TCP: a second SYN came during the opening"))
    else:
        challenge(c, now)


def _fifth_check_ack(c: TcpConnection, segment: Segment, sequence: int, now: float) -> bool:
    if not segment.flags & ACK:
        return False
    ack = unwrap(segment.acknowledgment, c.snd_una)
    if c.state is State.SYN_RECEIVED:
        if not c.snd_una < ack <= c.snd_max:
            if reply := reset_for(segment):
                c.replies.append(reply)
            return False
        _update_window(c, sequence, ack, segment.window, force=True)
        _become_established(c, ack, segment, now)
    elif not _take_ack(c, segment, sequence, ack, now):
        return False
    if c.fin_wanted and c.snd_una > c.buffer.end:
        _fin_is_acknowledged(c, now)
    return c.state is not State.CLOSED


def _take_ack(c: TcpConnection, segment: Segment, sequence: int, ack: int, now: float) -> bool:
    if ack > c.snd_max or ack < c.snd_una - c.max_snd_wnd:  # RFC 5961 §5.2
        challenge(c, now)
        return False
    if ack < c.snd_una:
        return True  # an old one: its text may be news all the same
    news = 0
    if c.sack_enabled and segment.sack_blocks:
        news = acknowledged.take_sack_blocks(c, ack, segment.sack_blocks)
    window_before = c.snd_wnd
    _update_window(c, sequence, ack, segment.window)
    if ack > c.snd_una:
        acknowledged.advance(c, ack, segment, now)
    elif (
        c.snd_max > ack and not segment.length and c.snd_wnd == window_before and (news or not c.sack_enabled)
    ):
        acknowledged.count_duplicate(c)
    if c.persist_deadline != send.NEVER and not c.is_released:
        c.user_deadline = send.NEVER  # it answers our probes: the connection stays open (§3.8.6.1, MUST-37)
    acknowledged.look_for_loss(c, now)
    return True


def _update_window(c: TcpConnection, sequence: int, ack: int, window: int, force: bool = False) -> None:
    """SND.WND, unless the segment is older than the one that set it (§3.10.7.4, fifth)."""
    if force or c.snd_wl1 < sequence or (c.snd_wl1 == sequence and c.snd_wl2 <= ack):
        c.snd_wnd = window << c.snd_scale
        c.snd_wl1 = sequence
        c.snd_wl2 = ack
        c.max_snd_wnd = max(c.max_snd_wnd, c.snd_wnd)


def _fin_is_acknowledged(c: TcpConnection, now: float) -> None:
    if c.state is State.FIN_WAIT_1:
        c.enter(State.FIN_WAIT_2)
        if c.is_released:
            c.linger_deadline = now + c.config.fin_wait_2_timeout
    elif c.state is State.CLOSING:
        c.enter_time_wait(now)
    elif c.state is State.LAST_ACK:
        c.enter(State.CLOSED)


def _seventh_process_text(c: TcpConnection, segment: Segment, sequence: int, now: float) -> None:
    payload = segment.payload
    if not payload or c.state not in RECEIVING:
        return
    if c.is_released and sequence + len(payload) > c.rcv_nxt:
        c.reset(ConnectionAbortedError("TCP: text came that nobody will read"), now)
        return
    room = c.rcv_adv - sequence
    if len(payload) > room:
        payload = payload[:room]
    if sequence > c.rcv_nxt:
        if payload:
            c.assembler.add(sequence, payload)
        c.ack_now = True  # at once, so that the peer sees the gap (RFC 5681 §4.2)
        return
    if sequence < c.rcv_nxt:
        payload = payload[c.rcv_nxt - sequence :]
    if not payload:
        c.ack_now = True
        return
    length = len(payload)
    _deliver(c, payload)
    if c.assembler.octets:
        for chunk in c.assembler.take(c.rcv_nxt):
            _append(c, chunk)
        c.ack_now = True  # and when a gap closes
    else:
        _note_arrival(c, length, now)


def _deliver(c: TcpConnection, payload: memoryview) -> None:
    """Copy text out of the buffer it came in: the one copy on its way to the reader."""
    _append(c, bytes(payload))


def _append(c: TcpConnection, chunk: bytes) -> None:
    size = len(chunk)
    c.rcv_nxt += size
    c.readable += size
    append_chunk(c.chunks, chunk)


def _note_arrival(c: TcpConnection, length: int, now: float) -> None:
    """At once at the start, then every second segment, or after the delay (RFC 9293 §3.8.6.3).

    A merged segment counts as one arrival, but waits for the second one much
    shorter, since the peer may have its whole window in it.
    """
    c.arrivals += 1
    c.octets_unacknowledged += length
    if c.quick_acks > 0:
        c.quick_acks -= 1
        c.ack_now = True
    elif c.arrivals >= 2:
        c.ack_now = True
    elif c.octets_unacknowledged > c.mss:
        c.ack_deadline = now + c.config.merged_ack_delay
    elif c.ack_deadline == send.NEVER:
        c.ack_deadline = now + c.config.delayed_ack


def _eighth_check_fin(c: TcpConnection, segment: Segment, sequence: int, now: float) -> None:
    """The FIN counts once all text before it is here; one that came early is remembered."""
    if segment.flags & FIN and c.remote_fin is None and c.state in SYNCHRONIZED:
        end = sequence + len(segment.payload)
        if c.rcv_nxt <= end <= c.rcv_adv:
            c.remote_fin = end
        c.ack_now = True
    if c.remote_fin is None or c.remote_fin != c.rcv_nxt or c.state not in RECEIVING:
        return
    c.rcv_nxt += 1
    c.rcv_adv = max(c.rcv_adv, c.rcv_nxt)
    c.ack_now = True
    c.assembler.clear()
    if c.state is State.ESTABLISHED:
        c.enter(State.CLOSE_WAIT)
        if c.fin_wanted:
            c.note_fin_wanted()
    elif c.state is State.FIN_WAIT_1:
        c.enter(State.CLOSING)
    else:
        c.enter_time_wait(now)
