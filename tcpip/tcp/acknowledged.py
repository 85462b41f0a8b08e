"""What an acknowledgment means for the sender (RFC 9293 §3.10.7.4 fifth; RFC 6675 §5; RFC 6582; RFC 6298)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpip.seqnum import distance, unwrap
from tcpip.tcp import send
from tcpip.tcp.scoreboard import DUP_THRESH

if TYPE_CHECKING:
    from tcpip.tcp.connection import TcpConnection
    from tcpip.wire.tcp import Segment


def advance(c: TcpConnection, ack: int, segment: Segment, now: float) -> None:
    """SND.UNA moves on to `ack`, which is not beyond what was sent."""
    acked, flight = ack - c.snd_una, c.snd_max - c.snd_una
    c.snd_una = ack
    if c.snd_nxt < ack:
        c.snd_nxt = ack
    c.buffer.acknowledge(ack)
    _take_round_trip(c, ack, segment, now)
    if c.scoreboard.sacked:
        c.scoreboard.forget_below(ack)
    if c.in_recovery:
        _advance_in_recovery(c, ack, acked, now)
    else:
        c.dup_acks = 0
        # Slow start after a time-out takes one segment an ACK: a jump may be old news (RFC 3465 §2.3).
        c.congestion.on_ack(acked if ack > c.recover else min(acked, c.eff_mss), flight, now)
    c.probe_due = False
    c.persist_deadline = send.NEVER
    if ack == c.snd_max:
        c.rto_deadline = c.user_deadline = send.NEVER
    else:
        c.rto_deadline = now + c.rto.rto  # RFC 6298 (5.3)
        c.user_deadline = now + c.config.user_timeout
    c.soft_error = None


def _take_round_trip(c: TcpConnection, ack: int, segment: Segment, now: float) -> None:
    """One timed segment a round trip, exactly; after repetitions a timestamp tells them apart (Karn)."""
    if c.timed_end is not None:
        if ack >= c.timed_end:
            c.rto.take_sample(now - c.timed_at)
            c.timed_end = None
    elif c.rto.backoffs and c.ts_enabled and segment.ts_echo:
        elapsed = distance(segment.ts_echo, c.timestamp(now)) / 1000
        if 0 <= elapsed <= c.config.user_timeout:
            c.rto.take_sample(elapsed)


def _advance_in_recovery(c: TcpConnection, ack: int, acked: int, now: float) -> None:
    if ack >= c.recover:
        c.in_recovery = c.retransmit_now = False
        c.dup_acks = 0
        c.congestion.on_recovered(c.snd_max - ack, now)
    elif not c.sack_enabled:  # a partial acknowledgment: the next segment is lost too (RFC 6582 §3.2 step 3)
        c.dup_acks = max(0, c.dup_acks - acked // c.eff_mss)
        c.high_rxt = ack
        c.scoreboard.loss_edge = ack + c.eff_mss
        c.retransmit_now = True


def take_sack_blocks(c: TcpConnection, ack: int, blocks: tuple[tuple[int, int], ...]) -> int:
    """Note what lies within what was sent; a D-SACK (RFC 2883) or a lie does not.  Returns octets of news."""
    news = 0
    for wire_start, wire_end in blocks:
        start = unwrap(wire_start, c.snd_una)
        end = start + distance(wire_start, wire_end)
        if ack < end <= c.snd_max and start < end:
            start = max(start, ack)
            if start > ack:  # a block at the cumulative ACK contradicts it
                news += c.scoreboard.add(start, end)
    return news


def count_duplicate(c: TcpConnection) -> None:
    """A duplicate acknowledgment: a segment has left the network, and a gap was seen (RFC 5681 §2)."""
    c.dup_acks = min(c.dup_acks + 1, (c.snd_max - c.snd_una) // c.eff_mss + 1)


def look_for_loss(c: TcpConnection, now: float) -> None:
    """Begin fast retransmit when enough has arrived above a gap, once for each window."""
    if c.scoreboard.sacked:
        c.scoreboard.mark_losses(c.eff_mss)
    if c.in_recovery or c.snd_max == c.snd_una:
        return
    if c.snd_una < c.recover and not (c.sack_enabled and now - c.timed_out_at > c.rto.srtt):
        return  # RFC 6582 §3.2: these may be answers to what was sent before the time-out
    if c.dup_acks >= DUP_THRESH or c.scoreboard.loss_edge > c.snd_una:
        send.enter_recovery(c, now)
