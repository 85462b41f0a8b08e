"""The coroutine that drives a `Resolver`, and what it needs of the host it runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tcpip.device import Buffer
from tcpip.dns import AskOverTcp, Cache, Failed, Pending, Resolved, Resolver, ResolverConfig, Services
from tcpip.errors import StackError, TimedOutError
from tcpip.scheduler import Signal
from tcpip.wire.address import IpAddress
from tcpip.wire.dns import ServiceBinding


class Datagram(Protocol):
    """A datagram that came in."""

    @property
    def data(self) -> bytes: ...
    @property
    def address(self) -> IpAddress: ...
    @property
    def port(self) -> int: ...


class DatagramError(Protocol):
    """What became of a datagram sent to `address` and `port`."""

    @property
    def address(self) -> IpAddress: ...
    @property
    def port(self) -> int: ...


class DatagramSocket(Protocol):
    """A UDP port; `tcpip.udp.UdpSocket` fits."""

    on_change: Callable[[], None]

    def send_datagram(self, data: bytes, address: IpAddress, port: int, now: float) -> None: ...
    def receive_datagram(self) -> Datagram | None: ...
    def next_error(self) -> DatagramError | None: ...
    def close(self) -> None: ...


class Stream(Protocol):
    """A TCP connection; `tcpip.sockets.TcpStream` fits."""

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None: ...
    async def read(self, deadline: float | None) -> Buffer: ...
    def abort(self) -> None: ...


class DnsHost(Protocol):
    """What `lookup` asks of the host it runs on."""

    def now(self) -> float:
        """Give the time of this turn."""
        ...

    def open_udp(self) -> DatagramSocket:
        """Open a random port (RFC 5452 §9.2)."""
        ...

    async def open_tcp(self, address: IpAddress, port: int, deadline: float) -> Stream:
        """Connect; StackError if that fails."""
        ...


async def lookup(
    host: DnsHost,
    config: ResolverConfig,
    cache: Cache,
    random_bytes: Callable[[int], bytes],
    name: str,
    family: int,
    deadline: float | None,
) -> list[IpAddress]:
    """Find the addresses of a name, IPv6 first; lookups of one name at the same time ask once.

    NameNotFoundError, ResolveError, or TimedOutError at the deadline.
    """
    key = name, family
    while (ahead := cache.pending.get(key)) is not None:
        if not await ahead.done.wait(deadline):
            raise TimedOutError(f"DNS: no answer about {name} in time")
        if ahead.event is not None:
            return _addresses(ahead.event)
    pending = cache.pending[key] = Pending()
    resolver = Resolver(config, cache, random_bytes)
    resolver.resolve(name, family, host.now())
    driver = _Driver(host, resolver, deadline)
    try:
        event = await driver.run(name)
        assert not isinstance(event, Services)
        pending.event = event
    finally:
        driver.close()
        del cache.pending[key]
        pending.done.fire()
    return _addresses(pending.event)


async def lookup_services(
    host: DnsHost,
    config: ResolverConfig,
    cache: Cache,
    random_bytes: Callable[[int], bytes],
    name: str,
    deadline: float | None,
) -> tuple[ServiceBinding, ...]:
    """Find the HTTPS records of a name (RFC 9460); errors as of `lookup`."""
    resolver = Resolver(config, cache, random_bytes)
    resolver.find_services(name, host.now())
    driver = _Driver(host, resolver, deadline)
    try:
        event = await driver.run(name)
    finally:
        driver.close()
    if isinstance(event, Services):
        return event.services
    _addresses(event)  # raises
    return ()


def _addresses(event: Resolved | Failed) -> list[IpAddress]:
    if isinstance(event, Failed):
        raise type(event.error)(*event.error.args)
    return list(event.addresses)


class _Driver:
    def __init__(self, host: DnsHost, resolver: Resolver, deadline: float | None) -> None:
        self._host = host
        self._resolver = resolver
        self._deadline = deadline
        self._sockets: dict[int, DatagramSocket] = {}
        self._changed = Signal()

    async def run(self, name: str) -> Resolved | Services | Failed:
        resolver = self._resolver
        while True:
            event = resolver.next_event()
            if isinstance(event, AskOverTcp):
                await self._ask_over_tcp(event)
            elif event is not None:
                return event
            elif not self._take_and_send():
                deadlines = [d for d in (resolver.next_timeout(), self._deadline) if d is not None]
                if not await self._changed.wait(min(deadlines, default=None)):
                    now = self._host.now()
                    if self._deadline is not None and now >= self._deadline:
                        raise TimedOutError(f"DNS: no answer about {name} in time")
                    resolver.handle_timeout(now)

    def close(self) -> None:
        for socket in self._sockets.values():
            socket.close()

    def _take_and_send(self) -> bool:
        """Move what has come and what is to go; True if there was any, as nobody waits for the signal yet."""
        host, resolver, moved = self._host, self._resolver, False
        for number, socket in self._sockets.items():
            while (datagram := socket.receive_datagram()) is not None:
                moved = True
                source = datagram.address, datagram.port
                resolver.receive_datagram(datagram.data, source, number, host.now())
            while (error := socket.next_error()) is not None:
                moved = True
                resolver.receive_error(number, error.address, host.now(), error.port)
        for query in resolver.datagrams_to_send(host.now()):
            moved = True
            try:
                self._socket(query.number).send_datagram(query.data, query.server, query.port, host.now())
            except StackError:
                resolver.receive_error(query.number, query.server, host.now(), query.port)
        return moved

    def _socket(self, number: int) -> DatagramSocket:
        if number not in self._sockets:
            socket = self._sockets[number] = self._host.open_udp()
            socket.on_change = self._changed.fire
        return self._sockets[number]

    async def _ask_over_tcp(self, event: AskOverTcp) -> None:
        """Ask on a connection; the other question waits, and its answer in its socket."""
        deadline = event.deadline if self._deadline is None else min(event.deadline, self._deadline)
        try:
            stream = await self._host.open_tcp(event.server, event.port, deadline)
        except StackError:
            self._resolver.receive_tcp(event.number, b"", self._host.now())
            return
        try:
            await stream.write([event.data], deadline)
            while self._resolver.wants_tcp(event.number):
                data = bytes(await stream.read(deadline))
                self._resolver.receive_tcp(event.number, data, self._host.now())
        except StackError:
            self._resolver.receive_tcp(event.number, b"", self._host.now())
        finally:
            stream.abort()
