"""One TCP connection of the guest, spliced to a socket of the host (RFC 9293, thin as in passt).

Nothing is kept twice.  To the guest, the host's socket is the send buffer:
octets are peeked at straight into the guest's receive buffers, stay in the
socket until the guest acknowledges them, and are then discarded there.  From
the guest, a segment is handed to the socket where it lies; what the kernel
took is acknowledged, what it did not take is dropped and comes again.

    CONNECTING      a SYN came; the host connects.  The answer is the host's: SYN-ACK, reset, ICMP, silence
    SYN_RECEIVED    our SYN-ACK is on its way
    ESTABLISHED     and all the ways of closing it, told by guest_fin and fin_acked
    LINGERING       both sides are closed, not surely known to the guest; its FIN again is acknowledged again
    CLOSED          forgotten by the table at once

`receive` takes a segment and only notes what there is to say; `pump` says it,
once a turn, so that ten segments of one turn get one ACK.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from tcpip.usernet.config import UserNetConfig
from tcpip.usernet.link import GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM, Link
from tcpip.usernet.port import NetHeader, cut, scatter, skip
from tcpip.usernet.rto import RetransmissionTimeout
from tcpip.usernet.segments import (
    ACK,
    CHECKSUM_OFFSET,
    FIN,
    HALF,
    MASK,
    PSH,
    RST,
    SYN,
    FlowHeader,
    SegmentIn,
    parse_options,
    trim,
)
from tcpip.usernet.sockets import FAILED, READABLE, URGENT, WRITABLE, TcpSocket

WINDOW_SHIFT = 8
"""Windows of up to 16 MiB, in steps of 256 octets."""
MAX_DUPLICATE_ACKS = 4
"""Sent in one turn; three make the guest retransmit at once (RFC 5681 §3.2)."""
NO_LIMIT = 1 << 40
SYN_PATIENCE = 4.0
"""Seconds after its first SYN in which a guest repeats it, one loss allowed (RFC 6298: after 1 s and 3 s)."""


class FlowState(Enum):
    """Where a flow stands; see the module."""

    CONNECTING = 1
    SYN_RECEIVED = 2
    ESTABLISHED = 3
    LINGERING = 4
    CLOSED = 5


CONNECTING, SYN_RECEIVED, ESTABLISHED, LINGERING, CLOSED = FlowState


class TcpFlow:
    """The splice of one connection; sequence numbers as in RFC 9293 §3.3.1, seen from the gateway."""

    __slots__ = (
        "_acks_due", "_connect_timeout", "_cwnd", "_discard", "_duplicates", "_fin_answers", "_fin_due",
        "_fin_seq", "_gso_header", "_header", "_idle_timeout", "_in_recovery", "_is_broken", "_is_full",
        "_is_stalled", "_largest", "_linger_timeout", "_local_shift", "_max_retries", "_max_window",
        "_mss", "_opened_at", "_partial_header", "_probe_due", "_push_due", "_reads_to_end", "_recover",
        "_remote_shift", "_retransmit_due", "_retries", "_rto", "_rto_at", "_snd_max", "_snd_nxt",
        "_snd_una", "_snd_wl1", "_snd_wnd", "_syn_due", "_timeout_at", "_wants_room", "_window",
        "_window_edge", "deadline", "due", "fin_acked", "guest_fin", "irs", "is_blocked", "is_queued",
        "is_readable", "key", "needs_rearm", "octets_from_guest", "octets_to_guest", "quote", "rcv_nxt",
        "retransmissions", "socket", "state",
    )  # fmt: skip

    def __init__(
        self, key: bytes, syn: SegmentIn, iss: int, socket: TcpSocket, link: Link, config: UserNetConfig,
        quote: bytes, now: float,
    ) -> None:  # fmt: skip
        self.key = key
        self.socket = socket
        self.quote = quote
        """The guest's SYN, for the ICMP error that may become of it."""
        self.state = CONNECTING
        self._header = header = FlowHeader(link.headers[4 if len(key) == 12 else 6], key)
        options = parse_options(syn.options)
        overhead = header.size - 14
        mss = options.mss or (536 if header.version == 4 else 1_220)
        self._mss = max(min(mss, link.mtu - overhead), 64)
        self._largest = link.largest_segment(header.version, self._mss)
        self._partial_header: NetHeader = (NEEDS_CSUM, 0, 0, 0, header.size - 20, CHECKSUM_OFFSET)
        gso = GSO_TCPV4 if header.version == 4 else GSO_TCPV6
        self._gso_header: NetHeader = (
            NEEDS_CSUM, gso, header.size, self._mss, header.size - 20, CHECKSUM_OFFSET
        )  # fmt: skip
        self._remote_shift = options.window_shift or 0
        self._local_shift = 0 if options.window_shift is None else WINDOW_SHIFT
        self.irs = syn.seq
        self.rcv_nxt = syn.seq + 1 & MASK
        self._snd_una = self._snd_nxt = self._snd_max = iss
        self._snd_wnd = self._max_window = syn.window
        self._snd_wl1 = syn.seq
        self._cwnd = NO_LIMIT
        self._recover = iss
        self._in_recovery = False
        self._duplicates = 0
        self._fin_seq = -1
        self._window = 0
        self._window_edge = self.rcv_nxt
        self._acks_due = 0
        self._discard = 0
        self._rto = RetransmissionTimeout()
        self._rto_at = now
        self._retries = 0
        self._max_retries = config.max_retransmissions
        self._idle_timeout = config.idle_timeout
        self._linger_timeout = config.linger_timeout
        self._connect_timeout = config.connect_timeout
        self._opened_at = now
        self._timeout_at = 0.0
        """When CONNECTING, an idle ESTABLISHED or LINGERING ends."""
        self._await_repeated_syn(now)
        self.deadline = self.due = self._timeout_at
        self.is_readable = self._is_full = self._wants_room = False
        self._is_broken = self._reads_to_end = False
        self._is_stalled = self._syn_due = self._fin_due = self._retransmit_due = self._probe_due = False
        self._push_due = self._fin_answers = False
        self.guest_fin = self.fin_acked = self.needs_rearm = False
        self.is_queued = self.is_blocked = False
        self.octets_to_guest = self.octets_from_guest = self.retransmissions = 0

    @property
    def in_flight(self) -> int:
        return self._snd_max - self._snd_una & MASK

    # --- from the host -------------------------------------------------

    def receive_event(self, events: int) -> int:
        """Note what epoll says; returns the errno of a connection attempt that failed, else 0."""
        if self.state is CONNECTING:
            if number := self.socket.error():
                return number
            if events & WRITABLE and not events & FAILED:
                self.state = SYN_RECEIVED
                self._syn_due = True
                self._rto_at = NO_LIMIT  # set when it is sent
        if events & (READABLE | FAILED):
            self.is_readable = True
            if events & (FAILED | URGENT | 0x2000):
                # No further event may come, and a read stops at an urgent octet: on until nothing is left.
                self._reads_to_end = True
        if events & WRITABLE and (self._is_full or self._wants_room):
            # What the socket did not take is asked for again at once: duplicates make a fast retransmit.
            self._acks_due = MAX_DUPLICATE_ACKS if self._is_full else self._acks_due or 1
            self._is_full = self._wants_room = False
        return 0

    # --- from the guest ------------------------------------------------

    def receive(self, segment: SegmentIn, now: float) -> None:
        """Take a segment (RFC 9293 §3.10.7.4, in its order); OSError when the host's connection is gone."""
        self._retries = 0
        flags = segment.flags
        if self.state is CONNECTING:
            if flags & RST:
                self._receive_reset(segment.seq)
            elif flags & SYN:
                self._await_repeated_syn(now)  # the host has not answered yet
            return
        if flags & SYN:
            self._syn_due = self.state is SYN_RECEIVED and segment.seq == self.irs
            self._acks_due = 0 if self._syn_due else 1  # RFC 5961 §4.2: a challenge ACK
            return
        if flags & RST:
            self._receive_reset(segment.seq)
            return
        if not flags & ACK:
            return
        if self.state is not LINGERING:
            self._timeout_at = now + self._idle_timeout
            if not self._receive_ack(segment, now):
                return
        if segment.length or flags & FIN:
            self._receive_data(segment, flags & FIN, now)
        elif segment.seq == self.rcv_nxt - 1 & MASK:
            self._acks_due = self._acks_due or 1  # a keep-alive (RFC 9293 §3.8.4)

    def _await_repeated_syn(self, now: float) -> None:
        """Go on connecting as long as the guest asks, twice as long after each SYN.

        A guest that has given up says nothing (RFC 9293 §3.10.5), and its
        socket is not to stay for as long as the host tries.
        """
        waited = now - self._opened_at
        self._timeout_at = min(self._opened_at + self._connect_timeout, now + SYN_PATIENCE + 3 * waited)

    def _receive_reset(self, seq: int) -> None:
        if seq == self.rcv_nxt:
            self.abort()
        elif seq - self.rcv_nxt & MASK < (self._window_edge - self.rcv_nxt & MASK):
            self._acks_due = 1  # RFC 5961 §3.2

    def _receive_ack(self, segment: SegmentIn, now: float) -> bool:
        """Take the acknowledgment and the window; False: the segment is to be dropped."""
        acked = segment.ack - self._snd_una & MASK
        if acked > self.in_flight:
            if acked < HALF:
                self._acks_due = 1  # of what was never sent
                return False
            return True  # an old one; its payload may be new
        window = segment.window << self._remote_shift
        if acked:
            self._advance(acked, segment.ack, now)
        elif self.in_flight and window == self._snd_wnd and not segment.length and not segment.flags & FIN:
            self._count_duplicate()
        if segment.seq - self._snd_wl1 & MASK < HALF:
            self._snd_wl1 = segment.seq
            self._snd_wnd = window
            if window > self._max_window:
                self._max_window = window
        return True

    def _advance(self, acked: int, ack: int, now: float) -> None:
        if self.state is SYN_RECEIVED:
            self.state = ESTABLISHED
            self.quote = b""
            acked -= 1
        if ack - self._snd_nxt & MASK < HALF:
            self._snd_nxt = ack  # after a time-out, more had arrived than was sent again
        self._snd_una = ack
        self._duplicates = 0
        self._is_stalled = False
        if self._fin_seq >= 0 and ack == self._fin_seq + 1 & MASK:
            self.fin_acked = True
            self.is_readable = self._fin_due = False
            acked -= 1
        self._discard += acked
        self.octets_to_guest += acked
        if self._cwnd != NO_LIMIT:
            self._cwnd = min(self._cwnd + max(acked, self._mss), NO_LIMIT)
        self._rto.acknowledge(ack, now)
        self._rto_at = now + self._rto.value
        if ack - self._recover & MASK < HALF:
            self._recover = ack
            self._in_recovery = False
        elif self._in_recovery:
            self._retransmit_due = True  # RFC 6582 §3.2: a partial acknowledgment shows the next hole
        if self.fin_acked and self.guest_fin:
            self._finish(CLOSED if self._fin_answers else LINGERING, now)

    def _count_duplicate(self) -> None:
        self._duplicates += 1
        if self._duplicates == 3 and self._snd_una - self._recover & MASK < HALF:
            self._recover = self._snd_max
            self._in_recovery = self._retransmit_due = True

    def _receive_data(self, segment: SegmentIn, fin: int, now: float) -> None:
        payload, length = segment.payload, segment.length
        ahead = segment.seq - self.rcv_nxt & MASK
        self._acks_due = min(self._acks_due + 1, MAX_DUPLICATE_ACKS) if ahead else self._acks_due or 1
        if ahead >= HALF:
            old = MASK + 1 - ahead
            if old >= length + fin:
                return
            payload, length = trim(payload, old), length - old
        elif ahead or self.state is LINGERING or self.guest_fin:
            return  # out of order: the guest sends it again
        if length and not self._is_full:
            # A burst of full segments becomes few large ones of the host: a send costs more than its octets.
            has_more = self._mss <= length < 16_384 and not fin
            taken = self.socket.send(payload, has_more)
            self._push_due = has_more
            self.rcv_nxt = self.rcv_nxt + taken & MASK
            self.octets_from_guest += taken
            if taken < length:
                self._is_full = self.needs_rearm = True
        if fin and not self._is_full:
            self.rcv_nxt = self.rcv_nxt + 1 & MASK
            self.guest_fin = True
            if self.fin_acked:
                self._finish(LINGERING, now)
            else:
                self.socket.shutdown()

    def _finish(self, state: FlowState, now: float) -> None:
        self.release()
        self.state = state
        self.is_readable = False
        self._timeout_at = now + self._linger_timeout

    def release(self) -> None:
        """Close the host's side as a program that ends does; the guest hears nothing more."""
        self._drop_acknowledged()  # a close over unread octets is a reset (RFC 2525 §2.17)
        self.socket.close()
        self.state = CLOSED

    def _drop_acknowledged(self) -> None:
        if self._discard:
            count, self._discard = self._discard, 0  # first: whoever is interrupted does not drop them twice
            self.socket.discard(count)

    def drain(self) -> bool:
        """The host's connection broke under what the guest sends: what came before still goes to the guest.

        A server that refuses a long request answers, and resets what it did
        not read.  False: there is nothing to bring; the flow is to be broken.
        """
        if self.state is not ESTABLISHED:
            return False
        self._is_broken = self._reads_to_end = self.is_readable = True
        return True

    def abort(self) -> None:
        """Reset the host's side."""
        if self.state not in (LINGERING, CLOSED):
            self.socket.abort()
        self.state = CLOSED

    # --- to the guest --------------------------------------------------

    def pump(self, link: Link, now: float, budget: int) -> int:
        """Say what is to be said, at most about `budget` octets; returns how many octets went.

        `is_blocked` tells whether the guest's receive buffers ran out.
        OSError when the host's connection broke.
        """
        self.is_blocked = False
        moved = 0
        if self._syn_due:
            self._send_syn(link, now)
        elif self.state is ESTABLISHED:
            self._drop_acknowledged()
            if self._push_due:
                self._push_due = False
                self.socket.push()
            if self._acks_due or not self._window:
                self._refresh_window()
            if self._retransmit_due:
                self._retransmit(link)
            if self.is_readable:
                moved = self._send_data(link, now, budget)
            if self._fin_due and not self.is_blocked:
                self._send_fin(link, now)
        if self._acks_due and not self.is_blocked:
            self._send_acks(link)
        if self._probe_due and not self.is_blocked:
            probe = self._header.bare(self._snd_una - 1 & MASK, self.rcv_nxt, ACK, self._window)
            self.is_blocked = not link.send_now(probe)
            self._probe_due = self.is_blocked
        self._set_deadline()
        return moved

    def _send_syn(self, link: Link, now: float) -> None:
        room, _ = self.socket.room()
        options = b"\x02\x04" + (link.mtu - self._header.size + 14).to_bytes(2, "big")
        if self._local_shift:
            options += bytes((1, 3, 3, self._local_shift))
        window = min(room, 0xFFFF)
        iss = self._snd_una
        if not link.send_now(self._header.bare(iss, self.rcv_nxt, SYN | ACK, window, options)):
            self.is_blocked = True
            return
        self._syn_due = False
        self._window_edge = self.rcv_nxt + window & MASK
        if self._snd_nxt == iss:
            self._snd_nxt = self._snd_max = self._recover = iss + 1 & MASK
            self._rto.begin(self._snd_nxt, now)
        self._rto_at = now + self._rto.value

    def _refresh_window(self) -> None:
        """Announce the socket's room, and never less than before (RFC 9293 §3.8.6.2.1)."""
        room, size = (0, 0) if self._is_full else self.socket.room()
        if not self._is_full and room < size >> 4 and not self._wants_room:
            # Less than a sixteenth is free, so that the kernel calls it full until a third is.
            self._wants_room = self.needs_rearm = True
        announced = self._window_edge - self.rcv_nxt & MASK
        room = max(room, announced if announced < HALF else 0)
        self._window = min(room >> self._local_shift, 0xFFFF)
        self._window_edge = self.rcv_nxt + (self._window << self._local_shift) & MASK

    def _send_data(self, link: Link, now: float, budget: int) -> int:
        moved = 0
        was_stalled, self._is_stalled = self._is_stalled, False
        while self.is_readable and moved < budget:
            sent = self._snd_nxt - self._snd_una & MASK
            room = min(self._snd_wnd, self._cwnd) - sent
            if room < self._mss and (room <= 0 or (sent and room < self._max_window >> 1)):
                if not self.in_flight:
                    self._is_stalled = True
                    self._rto_at = self._rto_at if was_stalled else now + self._rto.value
                break
            size = min(room, self._largest)
            views = link.room(self._header.size + size)
            if views is None and size > self._mss:
                size = self._mss
                views = link.room(self._header.size + size)
            if views is None:
                self.is_blocked = True
                break
            count = self._send_next(link, views, size, now)
            moved += count
        return moved

    def _send_next(self, link: Link, views: Sequence[memoryview], size: int, now: float) -> int:
        """Send what follows, up to `size` octets, through `views`; notes when the socket has run empty."""
        target = _payload_views(views, self._header.size, size)
        count = self.socket.peek(target)
        if not count:
            if self._is_broken:
                raise ConnectionResetError
            self.is_readable = False
            self._fin_due = count == 0
            return 0
        if count < size and not self._reads_to_end:
            self.is_readable = False
        seq = self._snd_nxt
        self._write(link, views, target, seq, count)
        self._snd_nxt = seq + count & MASK
        if self._snd_max == self._snd_una:
            self._rto_at = now + self._rto.value
        if self._snd_nxt - self._snd_max & MASK < HALF:
            if seq == self._snd_max:
                self._rto.begin(self._snd_nxt, now)
            self._snd_max = self._snd_nxt
        if self._acks_due == 1:
            self._acks_due = 0
        return count

    def _write(
        self, link: Link, views: Sequence[memoryview], target: Sequence[memoryview], seq: int, count: int
    ) -> None:
        """Put the header before the payload that lies in `views` already, and send the frame."""
        header = self._header
        if link.takes_partial:
            head = header.partial(seq, self.rcv_nxt, ACK | PSH, self._window, count)
            note = self._gso_header if count > self._mss else self._partial_header
        else:
            head = header.complete(seq, self.rcv_nxt, ACK | PSH, self._window, cut(target, count), count)
            note = link.finished_header
        scatter(views, head)
        link.done(header.size + count, note)

    def _send_fin(self, link: Link, now: float) -> None:
        frame = self._header.bare(self._snd_nxt, self.rcv_nxt, FIN | ACK, self._window)
        if not link.send_now(frame):
            self.is_blocked = True
            return
        if self._snd_max == self._snd_una:
            self._rto_at = now + self._rto.value
        self._fin_due = False
        if self._fin_seq < 0:
            self._fin_answers = self.guest_fin  # who acknowledges it then has seen that its own arrived
        self._fin_seq = self._snd_nxt
        self._snd_nxt = self._snd_nxt + 1 & MASK
        if self._snd_nxt - self._snd_max & MASK < HALF:
            self._snd_max = self._snd_nxt
        if self._acks_due == 1:
            self._acks_due = 0

    def _retransmit(self, link: Link) -> None:
        """Send the first frame that is not acknowledged once more, and go on where we were."""
        sent = self._snd_nxt - self._snd_una & MASK
        data = sent - (1 if self._snd_nxt == self._fin_seq + 1 & MASK else 0)
        self._rto.cancel()
        if data <= 0:
            self._retransmit_due = False
            if sent > 0:
                self._snd_nxt = self._snd_una
                self._fin_due = True
            return
        size = min(data, self._largest)
        views = link.room(self._header.size + size)
        if views is None:
            self.is_blocked = True
            return
        target = _payload_views(views, self._header.size, size)
        self.socket.rewind()
        count = self.socket.peek(target) or 0
        self.socket.rewind(data)
        self._retransmit_due = False
        if count:
            self.retransmissions += 1
            self._write(link, views, target, self._snd_una, count)

    def _send_acks(self, link: Link) -> None:
        frame = self._header.bare(self._snd_nxt, self.rcv_nxt, ACK, self._window)
        while self._acks_due:
            if not link.send_now(frame):
                self.is_blocked = True
                return
            self._acks_due -= 1

    def send_reset(self, link: Link) -> None:
        """Tell the guest that the connection is broken."""
        if self.state is not CLOSED:
            link.send(self._header.bare(self._snd_nxt, self.rcv_nxt, RST | ACK, 0))

    # --- time ----------------------------------------------------------

    def handle_timeout(self, link: Link, now: float) -> None:
        """The deadline has passed: send again, probe, or give up.  The new deadline comes from `pump`."""
        self._set_deadline()
        if self.deadline > now:
            return  # what was heard since the last `pump` has put it off
        if self.state in (CONNECTING, LINGERING):
            self.abort()
            return
        if self.state is ESTABLISHED and not self.in_flight and not self._is_stalled:
            self.send_reset(link)  # idle for too long
            self.abort()
            return
        self._retries += 1
        if self._retries > self._max_retries:
            self.send_reset(link)
            self.abort()
            return
        self._rto.back_off()
        self._rto_at += self._rto.value
        if self.state is SYN_RECEIVED:
            self._syn_due = True
        elif self.in_flight:
            self._go_back()
        else:
            self._probe_due = True

    def _go_back(self) -> None:
        """RFC 6298 §5.4: all that is not acknowledged counts as lost, and is sent again slowly at first."""
        self.retransmissions += 1
        self._snd_nxt = self._snd_una
        self._cwnd = self._largest
        self._recover = self._snd_max
        self._duplicates = 0
        self._retransmit_due = False
        self._in_recovery = False
        self._drop_acknowledged()
        self.socket.rewind()
        self.is_readable = True
        self._fin_due = False  # found again at the end of what the socket holds

    def _set_deadline(self) -> None:
        if self.state is SYN_RECEIVED or (self.state is ESTABLISHED and (self.in_flight or self._is_stalled)):
            self.deadline = self._rto_at
        else:
            self.deadline = self._timeout_at


def _payload_views(views: Sequence[memoryview], header: int, size: int) -> Sequence[memoryview]:
    if len(views) == 1:
        return (views[0][header : header + size],)
    return cut(skip(views, header), size)
