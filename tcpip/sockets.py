"""Sockets for coroutines: TCP streams and listeners, UDP, echo.

Each is a thin wait around an object of the stack, which does the work.  A
call ends at its deadline with `TimedOutError`; None waits as long as the
protocol does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tcpip.device import Buffer
from tcpip.errors import TimedOutError
from tcpip.scheduler import Signal

if TYPE_CHECKING:
    from tcpip.host import Host
    from tcpip.ping import Reply
    from tcpip.stack import Listener
    from tcpip.tcp.connection import TcpConnection
    from tcpip.wire.address import IpAddress


class TcpStream:
    """An open TCP connection: a `ByteStream`.

    `local` and `remote` are what a user should see; whoever lays the
    connection through a gateway may set them.
    """

    def __init__(
        self,
        host: Host,
        connection: TcpConnection,
        local: tuple[IpAddress, int],
        remote: tuple[IpAddress, int],
    ) -> None:
        self._host = host
        self.connection = connection
        self.local = local
        self.remote = remote
        self._changed = Signal()
        self.on_tune: Callable[[bool, float | None, int | None], None] | None = None
        """Told what `tune` is told: a connection through a gateway has another half."""
        connection.on_change = self._changed.fire

    async def established(self, deadline: float | None) -> None:
        """Wait for the handshake; raises what ended it."""
        connection = self.connection
        while not connection.is_established:
            if connection.error is not None:
                raise connection.error
            if not await self._changed.wait(deadline):
                self.abort()
                raise TimedOutError(f"TCP: no answer from {self.remote[0]} port {self.remote[1]} in time")

    async def read(self, deadline: float | None) -> Buffer:
        connection = self.connection
        while not (chunk := connection.receive()):
            if connection.at_eof:
                return b""
            if connection.error is not None:
                raise connection.error
            if not await self._changed.wait(deadline):
                raise TimedOutError(f"TCP: nothing from {self.remote[0]} port {self.remote[1]} in time")
        self._host.stack.wants_to_send(connection)  # the window may have opened
        return chunk

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        connection, stack = self.connection, self._host.stack
        for piece in pieces:
            rest = piece
            while len(rest):
                if connection.error is not None:
                    raise connection.error
                taken = connection.send(rest)
                if taken:
                    stack.wants_to_send(connection)
                    if taken == len(rest):
                        break
                    rest = memoryview(rest)[taken:]
                elif not await self._changed.wait(deadline):
                    raise TimedOutError(f"TCP: {self.remote[0]} port {self.remote[1]} takes no more octets")

    def tune(self, *, nagle: bool, keepalive: float | None, probes: int | None = None) -> None:
        """Set Nagle's algorithm, and the silence after which the peer is probed, and again; None is never.

        `probes` without an answer end the connection.
        """
        connection = self.connection
        config = connection.config
        connection.config = config._replace(
            nagle=nagle,
            keepalive_idle=keepalive,
            keepalive_interval=keepalive or config.keepalive_interval,
            keepalive_probes=probes or config.keepalive_probes,
        )
        if self.on_tune is not None:
            self.on_tune(nagle, keepalive, probes)

    @property
    def is_stale(self) -> bool:
        """An idle connection has something to read, its end included: it cannot be used again."""
        connection = self.connection
        return bool(connection.readable or connection.at_eof or connection.error is not None)

    def end_sending(self) -> None:
        """Send a FIN after what was written; what the peer sends can still be read."""
        self.connection.shutdown(self._host.now())
        self._host.stack.wants_to_send(self.connection)

    async def close(self, deadline: float | None) -> None:
        """Send a FIN after what was written; the stack sees to the rest."""
        self.connection.shutdown(self._host.now())
        self._host.stack.release(self.connection)

    def abort(self) -> None:
        self.connection.abort(self._host.now())
        self._host.stack.release(self.connection)


class TcpListener:
    """A port that takes connections."""

    def __init__(self, host: Host, listener: Listener) -> None:
        self._host = host
        self._listener = listener
        self._changed = Signal()
        listener.on_change = self._changed.fire

    async def accept(self, deadline: float | None) -> TcpStream:
        while (connection := self._listener.accept()) is None:
            if not await self._changed.wait(deadline):
                raise TimedOutError("TCP: nobody connected in time")
        stack = self._host.stack
        return TcpStream(self._host, connection, stack.local_of(connection), stack.remote_of(connection))

    def close(self) -> None:
        self._listener.close()


class EchoSocket:
    """ICMP echo to one destination."""

    def __init__(self, host: Host, destination: IpAddress) -> None:
        self._host = host
        self._destination = destination
        self._socket = host.stack.ping_open()
        self._changed = Signal()
        self._socket.on_change = self._changed.fire

    def send(self, sequence: int, size: int, hop_limit: int) -> None:
        """Send a request of `size` octets of data; `StackError` without a way."""
        data = bytes(i & 0xFF for i in range(size))
        self._socket.send_echo(self._destination, sequence, data, self._host.now(), hop_limit=hop_limit)

    async def reply(self, deadline: float | None) -> Reply | None:
        """Wait for a reply or an error; None at the deadline."""
        while (reply := self._socket.next_reply()) is None:
            if not await self._changed.wait(deadline):
                return None
        return reply

    def close(self) -> None:
        self._socket.close()


async def connect(
    host: Host,
    address: IpAddress,
    port: int,
    deadline: float | None,
    *,
    opened: Callable[[int], None] | None = None,
    local: IpAddress | None = None,
    local_port: int = 0,
    traffic_class: int = 0,
) -> TcpStream:
    """Open a connection; raises `StackError`: refused, unreachable, timed out.

    `opened` is told the local port before the first segment leaves.
    """
    stack = host.stack
    connection = stack.tcp_connect(
        address, port, host.now(), local=local, local_port=local_port, traffic_class=traffic_class
    )
    stream = TcpStream(host, connection, stack.local_of(connection), (address, port))
    if opened is not None:
        opened(stream.local[1])
    try:
        await stream.established(deadline)
    except BaseException:
        stack.release(connection)
        raise
    return stream
