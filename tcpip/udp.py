"""UDP sockets: bounded queues of datagrams, and the errors that ICMP reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from tcpip.errors import StackError, UsageError
from tcpip.wire.address import IpAddress
from tcpip.wire.udp import MAX_PAYLOAD_SIZE

MAX_QUEUED_OCTETS = 256 * 1024
"""What a reader may leave; Linux has 208 KiB."""
MAX_QUEUED_ERRORS = 16


class Datagram(NamedTuple):
    """A datagram that came in, with its sender."""

    data: bytes
    address: IpAddress
    port: int


class DatagramError(NamedTuple):
    """What became of a datagram sent to `address` and `port`."""

    error: StackError
    address: IpAddress
    port: int


def _nothing() -> None:
    pass


class UdpSocket:
    """One local port, made by `Stack.udp_open`; of both families at once."""

    __slots__ = (
        "_close",
        "_datagrams",
        "_errors",
        "_octets",
        "_send",
        "is_closed",
        "local_port",
        "on_change",
    )

    def __init__(
        self,
        local_port: int,
        send: Callable[[UdpSocket, bytes, IpAddress, int, float], None],
        close: Callable[[UdpSocket], None],
    ) -> None:
        self.local_port = local_port
        self._send = send
        self._close = close
        self._datagrams: deque[Datagram] = deque()
        self._errors: deque[DatagramError] = deque()
        self._octets = 0
        self.is_closed = False
        self.on_change: Callable[[], None] = _nothing
        """Called when a datagram or an error has come."""

    def send_datagram(self, data: bytes, address: IpAddress, port: int, now: float) -> None:
        """Send; UnreachableError without a route, AddressError without an address of the family."""
        if self.is_closed:
            raise UsageError("UDP: the socket is closed")
        if len(data) > MAX_PAYLOAD_SIZE:
            raise UsageError(f"UDP: {len(data)} octets, at most {MAX_PAYLOAD_SIZE}")
        self._send(self, data, address, port, now)

    def receive_datagram(self) -> Datagram | None:
        """Give the oldest datagram, None when there is none now."""
        if not self._datagrams:
            return None
        datagram = self._datagrams.popleft()
        self._octets -= len(datagram.data)
        return datagram

    def next_error(self) -> DatagramError | None:
        return self._errors.popleft() if self._errors else None

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._close(self)

    def deliver(self, data: bytes, address: IpAddress, port: int) -> bool:
        """Take a datagram from the stack; False when the queue is full."""
        if self._octets + len(data) > MAX_QUEUED_OCTETS or len(self._datagrams) >= 4096:
            return False
        self._datagrams.append(Datagram(data, address, port))
        self._octets += len(data)
        self.on_change()
        return True

    def fail(self, error: StackError, address: IpAddress, port: int) -> None:
        """Take an error from the stack."""
        if len(self._errors) < MAX_QUEUED_ERRORS:
            self._errors.append(DatagramError(error, address, port))
            self.on_change()
