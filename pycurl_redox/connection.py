"""A connection from nothing to ready: address, TCP, tunnel, TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pycurl_redox import dial, errors
from pycurl_redox.http1 import HttpConnection
from pycurl_redox.message import Observer
from pycurl_redox.pool import Route
from tcpip.errors import (
    AddressError,
    BindError,
    ConnectRefusedError,
    PeerResetError,
    StackError,
    TimedOutError,
)
from tcpip.wire.address import IPV4_LOOPBACK, IPV6_LOOPBACK, IpAddress

if TYPE_CHECKING:
    from pycurl_redox.dial import Endpoint, NetworkLike
    from pycurl_redox.dial_options import NameOptions
    from pycurl_redox.tls_settings import TlsSettings
    from tls.events import HandshakeCompleted

Known = Callable[[str, int], list[IpAddress] | None]
Learned = Callable[[str, int, list[IpAddress]], None]
Lookup = Callable[[str, int, float | None], Awaitable[list[IpAddress]]]


class Times:
    """When each step was done, on the network's clock; None: not come to."""

    __slots__ = ("connected", "first_byte", "resolved", "sent")

    def __init__(self) -> None:
        self.resolved: float | None = None
        self.connected: float | None = None
        self.sent: float | None = None
        self.first_byte: float | None = None


class Connection(HttpConnection):
    """An HTTP connection that knows where it leads, and how it came to be."""

    def __init__(self, endpoint: Endpoint, route: Route, number: int, observer: Observer) -> None:
        super().__init__(endpoint, observer)
        self.endpoint = endpoint
        self.route = route
        self.remote, self.local = _shown(_reached(endpoint.remote)), _shown(endpoint.local)
        self.number = number
        self.tls: HandshakeCompleted | None = None
        self.proxy_tls: HandshakeCompleted | None = None
        self.handshake_seconds = 0.0
        self.on_end: Callable[[], None] | None = None
        """Called when it is of no use any more."""

    @property
    def name(self) -> str:
        """Whom it leads to at first, in curl's notes."""
        proxy = self.route.first_proxy
        return proxy.host if proxy else self.route.dial_host

    def tls_end(self, is_proxy: bool) -> tuple[str, int]:
        """Whose certificate is expected: the server's, or the HTTPS proxy's."""
        proxy = self.route.proxy
        return (proxy.host, proxy.port) if is_proxy and proxy else (self.route.host, self.route.port)

    def abort(self) -> None:
        self._end()
        self.stream.abort()

    async def close(self, deadline: float | None) -> None:
        """Say good-bye in order; a peer that does not listen is left."""
        self._end()
        try:
            await self.stream.close(deadline)
        except Exception:  # nobody is left to be told
            self.stream.abort()

    def _end(self) -> None:
        self.is_reusable = False
        if self.on_end is not None:
            self.on_end()


async def connect(
    network: NetworkLike,
    route: Route,
    number: int,
    observer: Observer,
    times: Times,
    deadline: float | None,
    known: Known,
    learned: Learned,
    head_start: float = dial.HEAD_START,
    lookup: Lookup | None = None,
    is_again: bool = False,
    limit: float | None = None,
) -> Connection:
    """Reach the first proxy or the host by TCP; what comes after is laid on later.

    `lookup` finds addresses in the network's place; the same connection made
    `is_again` says nothing of where its address is from.  `limit` is when the
    whole transfer has to end, which is told in other words.
    """
    proxy, options = route.first_proxy, route.dial
    host, port = (proxy.host, proxy.port) if proxy else (route.dial_host, route.dial_port)
    began = network.now()
    local = options if options is not None and options.unix_socket is not None else None
    if proxy is not None and proxy.path:
        from pycurl_redox.dial_options import DialOptions

        local = DialOptions(unix_socket=proxy.path, policy=options.policy if options is not None else None)
    addresses = known(host, port) if local is None else []
    if local is not None:
        pass  # there is nothing to look up
    elif addresses:
        if not is_again:
            observer.note(f"Hostname {host} was found in DNS cache")
    else:
        refused = errors.proxy_resolve_failed if proxy and not proxy.is_socks else errors.resolve_failed
        names = options.names if options is not None else None
        addresses = await resolve(
            network, host, route.family, began, deadline, observer, refused, lookup, names
        )
        learned(host, port, addresses)
    times.resolved = network.now()
    try:
        if local is not None:
            from pycurl_redox.local_socket import dial_local

            endpoint = await dial_local(network, local, port, deadline, observer.note)
        else:
            assert addresses
            endpoint = await dial.dial(
                network, addresses, port, deadline, observer.note, head_start, options, host
            )
    except TimedOutError as error:
        waited = _milliseconds(network.now() - began)
        if deadline is not None and network.now() >= deadline:
            failed = errors.connect_timed_out(host, port, waited)
            if limit is not None and network.now() >= limit:
                failed = errors.connection_timed_out(waited)
            observer.note(str(failed))
            raise failed from error
        raise errors.connect_failed(host, port, waited) from error
    except BindError as error:
        waited = _milliseconds(network.now() - began)
        reason = errors.InterfaceError.default_text if str(error) else ""
        failure = errors.connect_failed(host, port, waited, reason)
        observer.note(str(failure))
        raise (errors.InterfaceError(str(error)) if str(error) else failure) from error
    except StackError as error:
        # What is wrong with our own side curl has no words for.
        own = str(error) if isinstance(error, AddressError) else ""
        failure = errors.connect_failed(host, port, _milliseconds(network.now() - began), own)
        failure.was_refused = isinstance(error, ConnectRefusedError)
        observer.note(str(failure))
        raise failure from error
    times.connected = network.now()
    address, remote_port = _reached(endpoint.remote)
    observer.note(f"Connected to {host} ({address}) port {remote_port} (#{number})")
    return Connection(endpoint, route, number, observer)


async def resolve(
    network: NetworkLike,
    host: str,
    family: int,
    began: float,
    deadline: float | None,
    observer: Observer,
    refused: Callable[[str], errors.FetchError],
    lookup: Lookup | None = None,
    names: NameOptions | None = None,
) -> list[IpAddress]:
    """Find a name's addresses, or raise what `refused` makes of the name."""
    try:
        literal = IpAddress.parse(host.partition("%")[0])
    except ValueError:
        pass
    else:
        if family in (0, literal.version):
            return [literal]
        raise errors.ConnectFailedError()  # of the other family than the one asked for
    try:
        if lookup is not None:
            addresses = await lookup(host, family, deadline)
        elif names is not None:
            addresses = await network.resolve(host, family, deadline, names)
        else:
            addresses = await network.resolve(host, family, deadline)
    except TimedOutError as error:
        raise errors.resolving_timed_out(_milliseconds(network.now() - began)) from error
    except (StackError, ValueError) as error:
        failure = refused(host)
        if isinstance(error, AddressError):
            failure = type(failure)(f"{failure}: {error}")
        observer.note(str(failure))
        raise failure from error
    if not addresses:
        observer.note(str(refused(host)))
        raise refused(host)
    return addresses


async def secure(
    connection: Connection,
    settings: TlsSettings,
    observer: Observer,
    now: Callable[[], float],
    deadline: float | None,
    secured: Callable[[], None],
    *,
    is_proxy: bool = False,
    is_idempotent: bool = False,
    ech_configs: bytes = b"",
) -> None:
    """Lay TLS over the stream, with the server or with an HTTPS proxy; `secured` is called when it stands.

    Where early data is wanted, the next request is idempotent and a session
    allows it, the handshake is still to be ended: the stream does that when
    it is first read.
    """
    from pycurl_redox.tls_stream import TlsStream
    from tls.errors import TlsError

    host, port = connection.tls_end(is_proxy)
    client = settings.client(host, observer, port, is_idempotent=is_idempotent, ech_configs=ech_configs)
    if early := connection.take_received():
        # A proxy's word behind its own last one: nobody may take it for the server's, sent under TLS.
        client.receive_data(early)
    on_data = settings.on_data(connection) if observer.traces_tls else None
    stream = TlsStream(connection.stream, client, settings.on_event(connection), on_data)
    began = now()

    async def finish(deadline: float | None) -> HandshakeCompleted:
        try:
            done = await stream.handshake(deadline)
        except TimedOutError as error:
            raise errors.OperationTimedOutError("SSL connection timeout") from error
        except PeerResetError as error:
            raise errors.TlsFailedError("Recv failure: Connection reset by peer") from error
        except TlsError as error:
            from pycurl_redox.tls_failures import handshake_failed

            connection.stream = stream  # which has ended in order
            raise handshake_failed(error, host, is_proxy) from error
        if is_proxy:
            connection.proxy_tls = done
        else:
            connection.tls = done
            connection.handshake_seconds = now() - began
        settings.completed(connection, observer)
        secured()
        return done

    if client.early_data_room:
        stream.finish = finish
    else:
        await finish(deadline)
    connection.stream = stream


def _reached(end: tuple[IpAddress | str, int]) -> tuple[IpAddress | str, int]:
    """0.0.0.0 and :: lead to this machine, as on Linux: who answers there is loopback."""
    address, port = end
    if isinstance(address, IpAddress) and address.is_unspecified:
        return (IPV4_LOOPBACK if address.version == 4 else IPV6_LOOPBACK), port
    return end


def _shown(end: tuple[IpAddress | str, int]) -> tuple[str, int]:
    return str(end[0]), end[1]


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
