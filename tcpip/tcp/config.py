"""What can be set on a connection, with the reason of each default."""

from __future__ import annotations

from typing import NamedTuple

from tcpip.tcp.congestion import CongestionControl, NewReno


class TcpConfig(NamedTuple):
    """Times in seconds, sizes in octets."""

    receive_buffer: int = 4 << 20
    """Octets the reader may leave unread; 4 MiB fill 450 Mbit/s over 70 ms."""
    send_buffer: int = 4 << 20
    """Octets taken by `send` and not acknowledged yet."""
    out_of_order_ranges: int = 256
    """Gaps kept in what came out of order; a peer cannot make us search longer lists."""
    sack_ranges: int = 256
    """Ranges of the scoreboard; more are forgotten, lowest use first (CVE-2019-11477 and its family)."""
    min_mss: int = 216
    """Deviates from RFC 9293 §3.7.1: a smaller MSS of a peer counts as this.  No link needs less than
    an MTU of 256, and a tiny one makes a hundred frames of each kilobyte (CVE-2019-11479)."""

    window_scaling: bool = True
    timestamps: bool = True
    sack: bool = True
    congestion: type[CongestionControl] = NewReno
    nagle: bool = True
    """Hold back a short segment while anything is unacknowledged (RFC 9293 §3.7.4)."""

    initial_rto: float = 1.0
    min_rto: float = 0.2
    """Deviates from RFC 6298 §2.4 (1 s), as every large system does: clocks are fine enough today."""
    max_rto: float = 60.0
    connect_timeout: float = 180.0
    """RFC 9293 §3.8.3: R2 of a SYN is at least three minutes; a caller's own deadline comes first."""
    user_timeout: float = 300.0
    """Give up when the peer has acknowledged nothing for so long.  A window of zero counts only while
    probes go unanswered (RFC 9293 §3.8.6.1, MUST-37), or once nobody here holds the connection any more."""

    delayed_ack: float = 0.04
    """RFC 9293 §3.8.6.3 allows 0.5; a peer's smallest RTO is commonly 0.2."""
    merged_ack_delay: float = 0.001
    """How long one merged segment waits for a second one before it is acknowledged alone."""
    quick_acks: int = 16
    """Arrivals acknowledged at once at the start, so that the peer's window opens quickly."""

    keepalive_idle: float | None = None
    """Silence before the first probe; None sends none (RFC 9293 §3.8.4: off by default)."""
    keepalive_interval: float = 75.0
    keepalive_probes: int = 9

    challenge_acks: int = 10
    """RFC 5961 §7: so many answers to suspicious segments within `challenge_period`.  The budget is a
    connection's own: a shared one tells strangers about others (CVE-2016-5696)."""
    challenge_period: float = 5.0

    time_wait: float = 60.0
    """Twice an MSL of 30 s; 0 skips TIME-WAIT.  Deviates from RFC 9293 §3.4.2, which has 2 minutes."""
    fin_wait_2_timeout: float = 60.0
    """How long a connection that nobody reads any more waits for the peer's FIN."""
