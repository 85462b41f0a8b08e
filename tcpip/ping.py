"""Echo requests and what comes back: late, twice, or as an error (RFC 792, RFC 4443 §4)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from tcpip.device import Buffer
from tcpip.errors import UsageError
from tcpip.wire.address import IpAddress

MAX_OUTSTANDING = 4096
"""Requests whose time of sending is remembered; a reply to an older one has no round trip time."""
MAX_QUEUED = 1024
LATE_SECONDS = 10.0
"""A reply that took longer is late; iputils waits as long for the last."""


class Reply(NamedTuple):
    """An answer to an echo request, or the error that came instead."""

    source: IpAddress
    sequence: int
    size: int = 0
    """Octets of data."""
    ttl: int = 0
    rtt: float | None = None
    """Seconds; None when the request is not remembered."""
    error: str = ""
    """What was reported, as iputils words it; empty for a reply."""
    is_duplicate: bool = False
    is_late: bool = False


class _Sent:
    __slots__ = ("answered", "destination", "when")

    def __init__(self, when: float, destination: IpAddress) -> None:
        self.when = when
        self.destination = destination
        self.answered = False


def _nothing() -> None:
    pass


class PingSocket:
    """One identifier, made by `Stack.ping_open`; of both families at once."""

    __slots__ = ("_close", "_replies", "_send", "_sent", "identifier", "is_closed", "on_change")

    def __init__(
        self,
        identifier: int,
        send: Callable[[PingSocket, IpAddress, int, Buffer, int, float], None],
        close: Callable[[PingSocket], None],
    ) -> None:
        self.identifier = identifier
        self._send = send
        self._close = close
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._replies: deque[Reply] = deque()
        self.is_closed = False
        self.on_change: Callable[[], None] = _nothing
        """Called when a reply or an error has come."""

    def send_echo(
        self, destination: IpAddress, sequence: int, data: Buffer, now: float, *, hop_limit: int = 64
    ) -> None:
        """Send a request; UnreachableError without a route, AddressError without an address of the family."""
        if self.is_closed:
            raise UsageError("ICMP: the socket is closed")
        sequence &= 0xFFFF
        self._sent.pop(sequence, None)
        if len(self._sent) == MAX_OUTSTANDING:
            self._sent.popitem(last=False)
        self._sent[sequence] = _Sent(now, destination)
        self._send(self, destination, sequence, data, hop_limit, now)

    def next_reply(self) -> Reply | None:
        return self._replies.popleft() if self._replies else None

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._close(self)

    def receive_reply(
        self, source: IpAddress, sequence: int, size: int, hop_limit: int, is_asked: bool, now: float
    ) -> bool:
        """Take a reply from the stack; False when it answers nothing that was asked.

        `is_asked` is False when another address answers than the one asked,
        and that was no group.
        """
        sent = self._sent.get(sequence)
        if sent is None or not (is_asked or sent.destination.is_multicast or sent.destination.is_broadcast):
            return False
        rtt = now - sent.when
        is_duplicate, sent.answered = sent.answered, True
        self._deliver(Reply(source, sequence, size, hop_limit, rtt, "", is_duplicate, rtt > LATE_SECONDS))
        return True

    def receive_error(self, reporter: IpAddress, sequence: int, text: str) -> None:
        """Take an error from the stack, about a request with this sequence number."""
        if sequence in self._sent:
            self._deliver(Reply(reporter, sequence, error=text))

    def destination_of(self, sequence: int) -> IpAddress | None:
        sent = self._sent.get(sequence)
        return sent.destination if sent is not None else None

    def _deliver(self, reply: Reply) -> None:
        if len(self._replies) < MAX_QUEUED:
            self._replies.append(reply)
            self.on_change()
