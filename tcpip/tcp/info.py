"""A snapshot of a connection, for those who look on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tcpip.tcp.connection import TcpConnection


class TcpInfo(NamedTuple):
    """What a connection knows about its path; times in seconds, sizes in octets."""

    state: str
    mss: int
    srtt: float
    rto: float
    congestion_window: int
    ssthresh: int
    send_window: int
    receive_window: int
    in_flight: int
    unsent: int
    unread: int
    out_of_order: int
    segments_sent: int
    segments_received: int
    retransmissions: int
    timeouts: int
    fast_recoveries: int
    challenge_acks: int
    has_timestamps: bool
    has_sack: bool


def connection_info(c: TcpConnection) -> TcpInfo:
    """Plain values, as they are now."""
    return TcpInfo(
        state=c.state.value,
        mss=c.eff_mss,
        srtt=c.rto.srtt,
        rto=c.rto.rto,
        congestion_window=c.congestion.window,
        ssthresh=c.congestion.ssthresh,
        send_window=c.snd_wnd,
        receive_window=c.rcv_adv - c.rcv_nxt,
        in_flight=c.snd_nxt - c.snd_una,
        unsent=max(0, c.buffer.end - c.snd_max),
        unread=c.readable,
        out_of_order=c.assembler.octets,
        segments_sent=c.segments_sent,
        segments_received=c.segments_received,
        retransmissions=c.retransmissions,
        timeouts=c.timeouts,
        fast_recoveries=c.fast_recoveries,
        challenge_acks=c.challenges,
        has_timestamps=c.ts_enabled,
        has_sack=c.sack_enabled,
    )
