"""What may leave now, segment by segment (RFC 9293 §3.8; RFC 6675 §5; RFC 6582).

`next_segment` asks in this order: answers that wait; what is lost; new text
within the peer's window and the congestion window; a probe; and if nothing
has carried it, the acknowledgment.  A segment may be a super-segment that the
device cuts: `gso_size` is then the payload of one.

After a time-out `snd_nxt` goes back to `snd_una`, and text is sent as if new
up to `snd_max`, leaving out what the peer says it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tcpip.seqnum import MASK
from tcpip.tcp.send_buffer import Buffer
from tcpip.tcp.states import RECEIVING, SENDING, State
from tcpip.wire import tcp
from tcpip.wire.tcp import ACK, FIN, PSH, SYN

if TYPE_CHECKING:
    from tcpip.tcp.connection import TcpConnection

NEVER = float("inf")
MAX_WINDOW = 0xFFFF
MAX_SCALE = 14  # RFC 7323 §2.3
UNSCALED = -1  # the peer did not offer to scale


class SegmentOut(NamedTuple):
    """A segment, or a super-segment to be cut; the checksum field of `header` is zero."""

    header: bytes
    payload: tuple[Buffer, ...]
    length: int
    """Octets of payload."""
    gso_size: int
    """Payload of each segment it is to be cut into; 0: it is one."""


def next_segment(c: TcpConnection, now: float) -> SegmentOut | None:
    """The next one of what may be sent; it counts as sent."""
    if c.replies:
        return c.replies.popleft()
    if c.state in SENDING:
        if c.ack_now and c.assembler.octets:
            return _acknowledgment(c, now)  # a duplicate ACK counts only without text (RFC 5681 §2)
        if c.in_recovery and (segment := _retransmission(c, now, c.scoreboard.loss_edge)):
            return segment
        if c.snd_nxt < c.buffer.end or c.fin_wanted:
            if segment := _text(c, now):
                return segment
            if c.in_recovery and (segment := _retransmission(c, now, c.scoreboard.highest)):
                return segment  # RFC 6675 §4, NextSeg rule 3
    elif c.snd_nxt == c.iss and c.state in (State.SYN_SENT, State.SYN_RECEIVED):
        return _syn(c, now)
    if c.keepalive_due:
        c.keepalive_due = False
        return build_segment(c, now, c.snd_nxt - 1, ACK)
    return _acknowledgment(c, now) if c.ack_now else None


# Text


def _text(c: TcpConnection, now: float) -> SegmentOut | None:
    start, end = c.snd_nxt, c.buffer.end
    if start < c.snd_max and c.scoreboard.sacked:
        start, hole_end = c.scoreboard.hole_after(start)
        c.snd_nxt = start
        if hole_end is not None:
            end = min(end, hole_end)
    if start >= end:
        return _fin(c, now) if c.fin_wanted and start == c.buffer.end else None
    if c.snd_una == c.snd_max and now - c.last_sent > c.rto.rto:
        c.congestion.on_idle()
    window = c.snd_una + c.snd_wnd - start
    length = min(end - start, window, c.congestion.window - _pipe(c))
    mss = c.eff_mss
    if length >= mss:
        length = min(length, max(c.gso_max, mss))
        if start + length < end or _holds_back_short(c, start + length):
            length -= length % mss
    elif not _may_send_short(c, length, window, start, end):
        if c.snd_nxt == c.snd_una and c.persist_deadline == NEVER:
            c.rto_deadline = NEVER
            c.persist_deadline = now + c.rto.rto  # RFC 9293 §3.8.6.1; also the override of §3.8.6.2.1
        return _window_probe(c, now) if c.probe_due else None
    c.probe_due = False
    c.persist_deadline = NEVER
    return _send_text(c, now, start, start + length)


def _may_send_short(c: TcpConnection, length: int, window: int, start: int, end: int) -> bool:
    """Silly windows (RFC 9293 §3.8.6.2.1) and Nagle (§3.7.4), for less than a full segment.

    Deviates from §3.7.4 as most do: only an unacknowledged *short* segment
    holds back another one (Minshall), so that the tail of a large write goes.
    """
    if length <= 0:
        return False
    if start + length <= c.snd_max or c.probe_due:
        return True
    if length < end - start and (length < window or length < c.max_snd_wnd // 2):
        return False
    return not _holds_back_short(c, start + length)


def _holds_back_short(c: TcpConnection, end: int) -> bool:
    """A new short segment waits while another one is unacknowledged."""
    return c.short_end > c.snd_una and c.config.nagle and not c.fin_wanted and end > c.snd_max


def _send_text(c: TcpConnection, now: float, start: int, end: int) -> SegmentOut:
    length, mss = end - start, c.eff_mss
    flags = ACK
    if end == c.buffer.end:
        flags = ACK | PSH
        if c.fin_wanted:
            flags = ACK | PSH | FIN
    if start < c.snd_max:
        c.retransmissions += -(-length // mss)
        c.timed_end = None
    elif c.timed_end is None:
        c.timed_end, c.timed_at = end, now
    if length % mss:
        c.short_end = end
    _note_sent(c, now, end + (flags & FIN))
    pieces = c.buffer.slices(start, end)
    return build_segment(c, now, start, flags, pieces, length, mss if length > mss else 0)


def _fin(c: TcpConnection, now: float) -> SegmentOut:
    end = c.buffer.end
    if end < c.snd_max:
        c.retransmissions += 1
    _note_sent(c, now, end + 1)
    return build_segment(c, now, end, ACK | FIN)


def _note_sent(c: TcpConnection, now: float, end: int) -> None:
    if end > c.snd_nxt:
        c.snd_nxt = end
    if end > c.snd_max:
        c.snd_max = end
    c.last_sent = now
    if c.rto_deadline == NEVER:
        c.rto_deadline = now + c.rto.rto
    if c.user_deadline == NEVER:
        c.user_deadline = now + c.config.user_timeout


def _pipe(c: TcpConnection) -> int:
    """An estimate of the octets in the network (RFC 6675 §4, SetPipe)."""
    flight = c.snd_nxt - c.snd_una
    board = c.scoreboard
    if board.sacked:
        flight -= board.octets_between(c.snd_una, c.snd_nxt)
        lost_from = max(c.snd_una, c.high_rxt)
        if c.in_recovery and lost_from < board.loss_edge:
            flight -= board.loss_edge - lost_from - board.octets_between(lost_from, board.loss_edge)
    elif c.dup_acks:
        flight -= c.dup_acks * c.eff_mss  # each one says that a segment has left (RFC 6582 §3.2)
    return max(flight, 0)


# Loss


def _retransmission(c: TcpConnection, now: float, edge: int) -> SegmentOut | None:
    """The first hole below `edge` that was not sent again in this recovery."""
    start = max(c.snd_una, c.high_rxt)
    start, hole_end = c.scoreboard.hole_after(start)
    if start >= min(edge, c.snd_una + c.snd_wnd):
        return None
    if not c.retransmit_now and c.congestion.window - _pipe(c) < c.eff_mss:
        return None
    c.retransmit_now = False
    if start >= c.buffer.end:
        c.high_rxt = start + 1
        return _fin(c, now) if start < c.snd_max else None
    end = min(edge, start + max(c.eff_mss, c.gso_max - c.gso_max % c.eff_mss), c.buffer.end)
    if hole_end is not None:
        end = min(end, hole_end)
    end = min(end, start + max(c.eff_mss, c.congestion.window - _pipe(c)))
    c.high_rxt = end
    return _send_text(c, now, start, end)


def enter_recovery(c: TcpConnection, now: float) -> None:
    """Fast retransmit (RFC 6675 §5 step 4; RFC 6582 §3.2 step 2)."""
    c.in_recovery = True
    c.fast_recoveries += 1
    c.recover = c.snd_max
    c.high_rxt = c.snd_una
    c.retransmit_now = True
    c.scoreboard.loss_edge = max(c.scoreboard.loss_edge, c.snd_una + c.eff_mss)
    c.congestion.on_loss(c.snd_max - c.snd_una, now)


def retransmission_timeout(c: TcpConnection, now: float) -> None:
    """RFC 6298 §5.4-5.6; the scoreboard is forgotten, the peer may have dropped what it had (RFC 2018 §8)."""
    c.timeouts += 1
    c.timed_end = None
    c.timed_out_at = now
    if c.state in (State.SYN_SENT, State.SYN_RECEIVED):
        c.snd_nxt = c.iss
    else:
        if c.rto.backoffs == 0:
            c.congestion.on_timeout(c.snd_max - c.snd_una, now)
        c.snd_nxt = c.snd_una
        c.recover = c.snd_max
        c.in_recovery = c.retransmit_now = False
        c.dup_acks = 0
        c.scoreboard.clear()
    c.rto.back_off()
    c.rto_deadline = now + c.rto.rto


def persist_timeout(c: TcpConnection, now: float) -> None:
    """Nothing is under way and the window holds back text: ask for it."""
    c.rto.back_off()
    c.persist_deadline = now + c.rto.rto
    c.probe_due = True
    if c.user_deadline == NEVER:
        c.user_deadline = now + c.config.user_timeout


def _window_probe(c: TcpConnection, now: float) -> SegmentOut:
    """One octet beyond a window of zero (RFC 9293 §3.8.6.1).

    It does not count as under way: the answer, not a retransmission, moves
    the connection on.
    """
    c.probe_due = False
    c.snd_max = max(c.snd_max, c.snd_una + 1)
    return build_segment(c, now, c.snd_una, ACK, c.buffer.slices(c.snd_una, c.snd_una + 1), 1)


# Acknowledgments and headers


def _acknowledgment(c: TcpConnection, now: float) -> SegmentOut:
    """A bare ACK, numbered with the most that was sent: a lower number the peer may find unacceptable.

    If the window has shrunk below that, its edge is the highest number the peer takes.
    """
    return build_segment(c, now, min(c.snd_max, c.snd_una + c.snd_wnd), ACK)


def _syn(c: TcpConnection, now: float) -> SegmentOut:
    """A SYN, or the answer to one with what both sides support (RFC 7323 §2.2, §3.2; RFC 2018 §2)."""
    config = c.config
    if c.state is State.SYN_SENT:
        flags, scaling = SYN, config.window_scaling
        c.rcv_scale = scale_for(config.receive_buffer) if scaling else 0
    else:
        flags, scaling = SYN | ACK, c.rcv_scale >= 0
    options = tcp.build_options(
        mss=min(c.mss, MAX_WINDOW),
        window_scale=max(c.rcv_scale, 0) if scaling else None,
        sack_permitted=c.sack_enabled,
        ts_value=c.timestamp(now) if c.ts_enabled else None,
        ts_echo=c.ts_recent,
    )
    if c.snd_max == c.iss:
        c.timed_end, c.timed_at = c.iss + 1, now
    else:
        c.retransmissions += 1
    c.snd_nxt = c.snd_max = c.iss + 1
    c.last_sent = now
    c.ack_now = False
    if c.rto_deadline == NEVER:
        c.rto_deadline = now + c.rto.rto
    window = syn_window(c)
    c.rcv_adv = max(c.rcv_adv, c.rcv_nxt + window)
    header = tcp.build_header(
        c.local_port, c.remote_port, c.iss & MASK, c.rcv_nxt & MASK, flags, window, options
    )
    return SegmentOut(header, (), 0, 0)


def syn_window(c: TcpConnection) -> int:
    """What a SYN offers; its window field is never scaled (RFC 7323 §2.2)."""
    return min(c.config.receive_buffer, MAX_WINDOW)


def scale_for(size: int) -> int:
    """The smallest shift that lets a window field say `size` (RFC 7323 §2.2)."""
    scale = 0
    while size > MAX_WINDOW << scale and scale < MAX_SCALE:
        scale += 1
    return scale


def build_segment(
    c: TcpConnection,
    now: float,
    sequence: int,
    flags: int,
    payload: tuple[Buffer, ...] = (),
    length: int = 0,
    gso_size: int = 0,
) -> SegmentOut:
    """Put a header before `payload`; whatever waited to be acknowledged is acknowledged by it."""
    window = _advertise(c)
    acknowledgment = c.rcv_nxt & MASK
    c.last_ack_sent = c.rcv_nxt
    c.ack_now = False
    c.arrivals = c.octets_unacknowledged = 0
    c.ack_deadline = NEVER
    blocks = c.assembler.sack_blocks() if c.sack_enabled and c.assembler.octets and not length else ()
    if c.ts_enabled and not blocks:
        header = tcp.build_timestamps_header(
            c.local_port,
            c.remote_port,
            sequence & MASK,
            acknowledgment,
            flags,
            window,
            c.timestamp(now),
            c.ts_recent,
        )
    else:
        options = b""
        if c.ts_enabled or blocks:
            options = tcp.build_options(
                ts_value=c.timestamp(now) if c.ts_enabled else None,
                ts_echo=c.ts_recent,
                sack_blocks=[(start & MASK, end & MASK) for start, end in blocks],
            )
        header = tcp.build_header(
            c.local_port, c.remote_port, sequence & MASK, acknowledgment, flags, window, options
        )
    return SegmentOut(header, payload, length, gso_size)


def _advertise(c: TcpConnection) -> int:
    """The window field.  The right edge never moves left, and right only by what is worth it (§3.8.6.2.2)."""
    scale = max(c.rcv_scale, 0)
    rcv_nxt = c.rcv_nxt
    edge = rcv_nxt + c.config.receive_buffer - c.readable
    if edge - c.rcv_adv < min(c.config.receive_buffer // 2, c.mss):
        edge = max(c.rcv_adv, rcv_nxt)
    field = min((edge - rcv_nxt + (1 << scale) - 1) >> scale, MAX_WINDOW)
    c.rcv_adv = max(c.rcv_adv, rcv_nxt + (field << scale))
    return field


def is_window_update_due(c: TcpConnection) -> bool:
    """The reader has made room that the peer should hear of without waiting for its next segment."""
    size = c.config.receive_buffer
    left = c.rcv_adv - c.rcv_nxt
    if left >= 2 * c.mss and size - c.readable - left < size // 4:
        return False  # nearly every time
    if c.remote_fin is not None or c.state not in RECEIVING:
        return False
    limit = MAX_WINDOW << max(c.rcv_scale, 0)
    gain = min(size - c.readable, limit) - left
    if gain < min(size // 2, c.mss):
        return False
    return left < 2 * c.mss or gain >= min(size, limit) // 4
