"""One TCP connection (RFC 9293): the state, the commands, the timers.

It knows no addresses, no clock and no chance.  Segments come in parsed, and
leave as a header and pieces of what was given to `send`.  Sequence numbers
are kept unwrapped (`tcpip.seqnum`), and deadlines lazily: an acknowledgment
stores a number, and nothing is scheduled or cancelled.

    connection.connect(now)
    for segment in connection.segments_to_send(now): ...
    connection.receive_segment(segment, now)
    connection.handle_timeout(connection.next_timeout())
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tcpip.errors import (
    ConnectionAbortedError,
    ConnectRefusedError,
    StackError,
    TimedOutError,
    UsageError,
)
from tcpip.seqnum import MASK, distance, unwrap
from tcpip.tcp import arrives, send
from tcpip.tcp.assembler import Assembler
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.rto import RtoEstimator
from tcpip.tcp.scoreboard import Scoreboard
from tcpip.tcp.send import SegmentOut
from tcpip.tcp.send_buffer import Buffer, SendBuffer
from tcpip.tcp.states import SYNCHRONIZED, TRANSITIONS, State
from tcpip.wire.tcp import ACK, RST, SYN, Segment

if TYPE_CHECKING:
    from tcpip.tcp.info import TcpInfo

__all__ = ["SegmentOut", "TcpConnection"]

NEVER = float("inf")
DEFAULT_MSS = 536
"""RFC 9293 §3.7.1, when the peer names none; what it says of IPv6 (1220) is more than this, so both hold."""
TIMESTAMPS_SIZE = 12
MIN_PATH_MSS = 512
"""RFC 5927 §7.2: no ICMP error lowers the path MTU below 552 (for IPv6 the stack's floor is 1280)."""


JOINED = 65_536
"""The most that `receive` joins; what a device has merged is about as large, and left alone."""


def _join(first: bytes, chunks: deque[bytes]) -> bytes:
    parts, size = [first], len(first)
    while chunks and size + len(chunks[0]) <= JOINED:
        size += len(chunks[0])
        parts.append(chunks.popleft())
    return b"".join(parts)


def _nothing() -> None:
    """Nobody waits for changes."""


class TcpConnection:
    """Driven by the five verbs; everything not in the list of `docs/architecture.md` is the package's own."""

    __slots__ = (
        "ack_deadline",
        "ack_now",
        "arrivals",
        "assembler",
        "buffer",
        "challenges",
        "challenges_left",
        "challenges_since",
        "chunks",
        "config",
        "congestion",
        "connect_deadline",
        "dup_acks",
        "eff_mss",
        "error",
        "fast_recoveries",
        "fin_wanted",
        "gso_max",
        "high_rxt",
        "in_recovery",
        "irs",
        "is_passive",
        "is_released",
        "iss",
        "keepalive_deadline",
        "keepalive_due",
        "keepalives",
        "last_ack_sent",
        "last_received",
        "last_sent",
        "linger_deadline",
        "local_port",
        "max_snd_wnd",
        "mss",
        "octets_unacknowledged",
        "on_change",
        "path_mss",
        "peer_mss",
        "persist_deadline",
        "probe_due",
        "quick_acks",
        "rcv_adv",
        "rcv_nxt",
        "rcv_scale",
        "readable",
        "recover",
        "remote_fin",
        "remote_port",
        "replies",
        "retransmissions",
        "retransmit_now",
        "rto",
        "rto_deadline",
        "sack_enabled",
        "scoreboard",
        "segments_received",
        "segments_sent",
        "short_end",
        "snd_max",
        "snd_nxt",
        "snd_scale",
        "snd_una",
        "snd_wl1",
        "snd_wl2",
        "snd_wnd",
        "soft_error",
        "state",
        "timed_at",
        "timed_end",
        "timed_out_at",
        "timeouts",
        "timestamp_offset",
        "ts_enabled",
        "ts_recent",
        "ts_recent_at",
        "user_deadline",
    )

    def __init__(
        self,
        config: TcpConfig,
        local_port: int,
        remote_port: int,
        *,
        iss: int,
        timestamp_offset: int = 0,
        mss: int = DEFAULT_MSS,
        gso_max: int = 0,
        on_change: Callable[[], None] = _nothing,
    ) -> None:
        self.config = config
        self.local_port = local_port
        self.remote_port = remote_port
        self.on_change = on_change
        self.state = State.CLOSED
        self.error: StackError | None = None
        self.soft_error: StackError | None = None
        self.is_passive = False
        self.is_released = False
        self.fin_wanted = False

        # Sending (RFC 9293 §3.3.1).  `snd_nxt` falls back to `snd_una` at a time-out; `snd_max` never does.
        self.iss = iss
        self.snd_una = self.snd_nxt = self.snd_max = iss
        self.snd_wnd = self.max_snd_wnd = 0
        self.snd_wl1 = self.snd_wl2 = 0
        self.snd_scale = 0
        self.mss = mss
        self.path_mss = mss
        self.peer_mss = DEFAULT_MSS
        self.eff_mss = min(mss, DEFAULT_MSS)
        self.gso_max = gso_max
        self.buffer = SendBuffer(iss + 1)
        self.short_end = iss
        self.probe_due = False
        self.last_sent = 0.0

        # Loss (RFC 6675, RFC 6582)
        self.scoreboard = Scoreboard(config.sack_ranges)
        self.congestion = config.congestion(self.eff_mss, config.send_buffer)
        self.rto = RtoEstimator(config.initial_rto, config.min_rto, config.max_rto)
        self.timed_end: int | None = None
        self.timed_at = 0.0
        self.timed_out_at = 0.0
        self.dup_acks = 0
        self.in_recovery = False
        self.retransmit_now = False
        self.recover = iss
        self.high_rxt = iss

        # Receiving
        self.irs = self.rcv_nxt = self.rcv_adv = 0
        self.rcv_scale = 0
        self.chunks: deque[bytes] = deque()
        self.readable = 0
        self.remote_fin: int | None = None
        self.assembler = Assembler(config.out_of_order_ranges)
        self.ack_now = False
        self.arrivals = 0
        self.octets_unacknowledged = 0
        self.quick_acks = config.quick_acks
        self.last_ack_sent = 0
        self.last_received = 0.0

        # Options
        self.ts_enabled = config.timestamps
        self.timestamp_offset = timestamp_offset
        self.ts_recent = 0
        self.ts_recent_at = 0.0
        self.sack_enabled = config.sack

        # Deadlines
        self.rto_deadline = self.persist_deadline = self.ack_deadline = NEVER
        self.user_deadline = self.linger_deadline = self.connect_deadline = NEVER
        self.keepalive_deadline = NEVER
        self.keepalives = 0
        self.keepalive_due = False

        # Answers that are not part of the stream, and counts
        self.replies: deque[SegmentOut] = deque(maxlen=4)
        self.challenges_left = config.challenge_acks
        self.challenges_since = 0.0
        self.challenges = 0
        self.segments_sent = self.segments_received = 0
        self.retransmissions = self.timeouts = self.fast_recoveries = 0

    # Questions

    @property
    def is_established(self) -> bool:
        """The handshake is done; stays true until the connection is CLOSED."""
        return self.state in SYNCHRONIZED

    @property
    def is_closed(self) -> bool:
        """CLOSED, and nothing is left to send: the owner may forget it."""
        return self.state is State.CLOSED and not self.replies

    @property
    def at_eof(self) -> bool:
        """The peer has sent its FIN, and all before it was received by the reader."""
        return not self.readable and self.remote_fin is not None and self.remote_fin < self.rcv_nxt

    @property
    def send_room(self) -> int:
        """How many octets `send` would take now."""
        if self.fin_wanted or self.error is not None:
            return 0
        return max(0, self.config.send_buffer - len(self.buffer))

    @property
    def has_sent_all(self) -> bool:
        """Everything given to `send`, and the FIN if there was a `shutdown`, is acknowledged."""
        return self.snd_una == self.buffer.end + self.fin_wanted

    def may_be_replaced_by(self, segment: Segment) -> bool:
        """In TIME-WAIT: is this the SYN of a new connection rather than an old duplicate (RFC 6191 §2)?

        The owner then lets this connection `give_way` and hands the segment to its listener.
        """
        if self.state is not State.TIME_WAIT or segment.flags & (SYN | ACK | RST) != SYN:
            return False
        if self.ts_enabled and segment.ts_value is not None:
            return distance(self.ts_recent, segment.ts_value) > 0
        return unwrap(segment.sequence, self.rcv_nxt) > self.rcv_nxt

    def info(self) -> TcpInfo:
        from tcpip.tcp.info import connection_info

        return connection_info(self)

    # Inputs

    def receive_segment(self, segment: Segment, now: float) -> None:
        """SEGMENT ARRIVES; the payload is copied, once, if it is kept at all."""
        arrives.segment_arrives(self, segment, now)

    def receive_icmp_error(self, error: StackError, quoted_sequence: int, now: float) -> None:
        """An ICMP error quoted a segment of ours.

        It ends the opening; later it is remembered and only explains a
        time-out, since anyone can forge one (RFC 5927 §5.2).
        """
        if not self._is_in_flight(quoted_sequence):
            return
        if self.state in (State.SYN_SENT, State.SYN_RECEIVED):
            self.fail(error)
        else:
            self.soft_error = error

    def local_error(self, error: StackError, now: float) -> int:
        """There is no way to the peer: no route, or no neighbour that answers.

        It ends the opening.  Later it is remembered, what is due now counts
        as sent and lost, and TCP's own timers decide; returns how many
        segments that were.
        """
        if self.state in (State.SYN_SENT, State.SYN_RECEIVED):
            self.fail(error)
            return 0
        self.soft_error = error
        return sum(1 for _ in self.segments_to_send(now))

    def receive_packet_too_big(self, mss: int, quoted_sequence: int, now: float) -> None:
        """The path allows `mss` octets of TCP payload and options; what was too big is cut anew."""
        mss = max(mss, MIN_PATH_MSS)
        if mss >= self.path_mss or not self._is_in_flight(quoted_sequence):
            return
        self.path_mss = mss
        self.update_eff_mss()
        if self.is_established:
            self.snd_nxt = self.snd_una  # not a loss: the congestion window stays (RFC 1191 §6.5)
            self.timed_end = None
            self.scoreboard.clear()
            self.in_recovery = False
            self.recover = self.snd_max

    # Commands

    def connect(self, now: float) -> None:
        """Active open (RFC 9293 §3.10.1)."""
        self.enter(State.SYN_SENT)
        self.connect_deadline = now + self.config.connect_timeout
        self.last_received = now

    def listen(self, now: float) -> None:
        """Passive open, for the one connection that the next SYN opens."""
        self.is_passive = True
        self.last_received = now
        self.enter(State.LISTEN)

    def send(self, data: Buffer) -> int:
        """Take octets, by reference; fewer than given when the buffer is full.  Raises the error, if any."""
        if self.error is not None:
            raise self.error
        if self.fin_wanted or self.state in (State.CLOSED, State.LISTEN):
            raise UsageError(f"TCP: send in {self.state.value} after the end of the stream")
        room = self.config.send_buffer - len(self.buffer)
        if room <= 0 or not data:
            return 0
        size = len(data)
        if size > room:
            data, size = memoryview(data)[:room], room
        self.buffer.append(data)
        return size

    def receive(self) -> bytes:
        """The oldest chunk that nobody has taken, whole; b"" when there is none now.

        Chunks of single frames are joined: a second copy costs far less than
        a turn of every layer above for each of them.
        """
        chunks = self.chunks
        if not chunks:
            return b""
        chunk = chunks.popleft()
        if chunks and len(chunk) + len(chunks[0]) <= JOINED:
            chunk = _join(chunk, chunks)
        self.readable -= len(chunk)
        if send.is_window_update_due(self):
            self.ack_now = True
        return chunk

    def shutdown(self, now: float) -> None:
        """No more to send: a FIN follows what was given to `send` (RFC 9293 §3.10.4)."""
        if self.fin_wanted or self.state is State.CLOSED:
            return
        if self.state is State.LISTEN:
            self.enter(State.CLOSED)
            return
        self.fin_wanted = True
        self.note_fin_wanted()

    def close(self, now: float) -> None:
        """`shutdown`, and nobody reads any more: unread or later text resets it (RFC 2525 §2.17)."""
        self.is_released = True
        if self.readable or self.state is State.SYN_SENT:
            self.abort(now)
            return
        self.shutdown(now)
        if self.state is State.FIN_WAIT_2:
            self.linger_deadline = now + self.config.fin_wait_2_timeout

    def abort(self, now: float) -> None:
        """ABORT (RFC 9293 §3.10.5): a reset to the peer, the end here."""
        if self.state in (State.CLOSED, State.LISTEN, State.SYN_SENT, State.TIME_WAIT):
            self.fail(ConnectionAbortedError("TCP: aborted by this side"))
            return
        self.reset(ConnectionAbortedError("TCP: aborted by this side"), now)

    def give_way(self) -> None:
        """End TIME-WAIT for the segment that `may_be_replaced_by` has accepted."""
        self.enter(State.CLOSED)

    # Outputs

    def segments_to_send(self, now: float) -> Iterator[SegmentOut]:
        """Lazily what may go now; each counts as sent when it was yielded."""
        while (segment := send.next_segment(self, now)) is not None:
            self.segments_sent += -(-segment.length // segment.gso_size) if segment.gso_size else 1
            yield segment

    def next_timeout(self) -> float | None:
        """The earliest deadline; None when only the peer or the user can move this connection."""
        earliest = min(
            self.rto_deadline,
            self.ack_deadline,
            self.persist_deadline,
            self.user_deadline,
            self.linger_deadline,
            self.connect_deadline,
        )
        if self.config.keepalive_idle is not None:
            earliest = min(earliest, self._keepalive_at())
        return None if earliest == NEVER else earliest

    def handle_timeout(self, now: float) -> None:
        """Do what is due at `now`; what is to be sent comes out of `segments_to_send`."""
        if now >= self.connect_deadline:
            self.fail(self._timed_out("nobody answered the SYN"))
        elif now >= self.linger_deadline:
            self.enter(State.CLOSED)
        elif now >= self.user_deadline:
            self.reset(self._timed_out("the peer acknowledged nothing for too long"), now)
        else:
            if now >= self.rto_deadline:
                send.retransmission_timeout(self, now)
            if now >= self.persist_deadline:
                send.persist_timeout(self, now)
            if now >= self.ack_deadline:
                self.ack_deadline = NEVER
                self.ack_now = True
            if now >= self._keepalive_at():
                self._keepalive(now)

    # For the package: arrives.py and send.py

    def enter(self, state: State) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state} → {state}"
        self.state = state
        if state is State.CLOSED:
            self._let_go()
        self.on_change()

    def fail(self, error: StackError) -> None:
        """The end, for a reason; what was received stays readable."""
        if self.error is None:
            self.error = error
        if self.state is State.CLOSED:
            self.on_change()
        else:
            self.enter(State.CLOSED)

    def reset(self, error: StackError, now: float) -> None:
        """`fail`, and tell the peer."""
        reply = send.build_segment(self, now, self.snd_max, RST | ACK)
        self.fail(error)
        self.replies.append(reply)

    def note_fin_wanted(self) -> None:
        """CLOSE (RFC 9293 §3.10.4); during the opening it waits for the end of that."""
        if self.state is State.ESTABLISHED:
            self.enter(State.FIN_WAIT_1)
        elif self.state is State.CLOSE_WAIT:
            self.enter(State.LAST_ACK)

    def enter_time_wait(self, now: float) -> None:
        if self.config.time_wait <= 0:
            self.enter(State.CLOSED)
            return
        if self.state is not State.TIME_WAIT:
            self.enter(State.TIME_WAIT)
        self.rto_deadline = self.persist_deadline = self.user_deadline = NEVER
        self.linger_deadline = now + self.config.time_wait

    def update_eff_mss(self) -> None:
        """RFC 9293 §3.7.1: the smaller of both, less the options of every segment (RFC 6691 §2)."""
        mss = min(max(self.peer_mss, self.config.min_mss), self.path_mss)
        self.eff_mss = mss - TIMESTAMPS_SIZE if self.ts_enabled else mss

    def timestamp(self, now: float) -> int:
        """TSval: milliseconds from an origin of this connection's own (RFC 7323 §5.4, §7.1)."""
        return (int(now * 1000) + self.timestamp_offset) & MASK

    # Private

    def _is_in_flight(self, quoted_sequence: int) -> bool:
        """RFC 5927 §4.1."""
        return self.snd_una <= unwrap(quoted_sequence, self.snd_una) < self.snd_max

    def _timed_out(self, reason: str) -> StackError:
        if self.soft_error is None:
            return TimedOutError(f"TCP: {reason}")
        if isinstance(self.soft_error, ConnectRefusedError):
            return TimedOutError(f"TCP: {reason}; the last news was: {self.soft_error}")
        return type(self.soft_error)(f"TCP: {reason}: {self.soft_error}")

    def _let_go(self) -> None:
        """Stop all timers and drop what nobody will send; what is to be read stays."""
        self.rto_deadline = self.persist_deadline = self.ack_deadline = NEVER
        self.user_deadline = self.linger_deadline = self.connect_deadline = NEVER
        self.keepalive_deadline = NEVER
        self.ack_now = self.probe_due = self.keepalive_due = self.retransmit_now = False
        self.buffer.acknowledge(self.buffer.end)
        self.scoreboard.clear()
        self.assembler.clear()

    def _keepalive_at(self) -> float:
        idle = self.config.keepalive_idle
        if idle is None or self.state not in SYNCHRONIZED or self.state is State.TIME_WAIT:
            return NEVER
        return self.keepalive_deadline if self.keepalives else self.last_received + idle

    def _keepalive(self, now: float) -> None:
        """RFC 9293 §3.8.4; a peer that lives answers a number just below what it expects."""
        if self.keepalives >= self.config.keepalive_probes:
            self.reset(self._timed_out("the peer answers no keepalive"), now)
            return
        self.keepalives += 1
        self.keepalive_deadline = now + self.config.keepalive_interval
        self.keepalive_due = True
