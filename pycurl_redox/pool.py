"""Connections that wait for their next request, found by what they lead to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pycurl_redox.message import Observer
from tcpip.scheduler import Signal

if TYPE_CHECKING:
    from pycurl_redox.connection import Connection
    from pycurl_redox.dial_options import DialOptions
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.tls_sessions import SessionStore
    from tcpip.wire.address import IpAddress

MAX_IDLE = 100
"""Connections kept at most; the one that rests longest goes first."""


MAX_NAMES = 1000
NAME_LIFETIME = 60.0
"""Seconds: curl's."""


class Proxy(NamedTuple):
    """A proxy, and who we are to it."""

    host: str
    port: int
    user: bytes | None = None
    password: bytes | None = None
    kind: str = "http"
    """"http", "http1.0", "https", "socks4", "socks4a", "socks5", "socks5h"."""
    path: str = ""
    """Of the Unix socket of a SOCKS proxy, which is part of its host's name too."""

    @property
    def is_socks(self) -> bool:
        return self.kind.startswith("socks")

    @property
    def is_http10(self) -> bool:
        return self.kind == "http1.0"


class Route(NamedTuple):
    """All that decides whether a connection can serve a request."""

    scheme: str
    host: str
    port: int
    dial_host: str
    dial_port: int
    proxy: Proxy | None = None
    """One that speaks HTTP."""
    is_tunnel: bool = False
    family: int = 0
    tls: TlsOptions | None = None
    proxy_tls: TlsOptions | None = None
    """For an HTTPS proxy."""
    socks: Proxy | None = None
    """The way begins there; it connects to the HTTP proxy, where there is one."""
    haproxy_client: str | None = None
    """Address for the PROXY protocol's line, "" is our own; None: no line."""
    dial: DialOptions | None = None

    @property
    def first_proxy(self) -> Proxy | None:
        """Whom TCP connects to."""
        return self.socks or self.proxy

    @property
    def sends_absolute_targets(self) -> bool:
        """RFC 9112 §3.2.2: a proxy that is no tunnel gets the whole URL."""
        return self.proxy is not None and not self.is_tunnel


Host = tuple[str, str, int]


def _host(route: Route) -> Host:
    return route.scheme, route.host, route.port


class Names:
    """Addresses found within the last minute: what `-v` calls the DNS cache, and as long as curl keeps it.

    The resolver keeps answers as long as their TTL says; this spares the URLs of one command the asking.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int], tuple[float, list[IpAddress]]] = {}

    def find(self, host: str, port: int, family: int, now: float) -> list[IpAddress] | None:
        found = self._found.get((host, port, family))
        return found[1] if found is not None and now < found[0] else None

    def keep(self, host: str, port: int, family: int, addresses: list[IpAddress], now: float) -> None:
        if len(self._found) >= MAX_NAMES:
            self._found.clear()
        self._found[host, port, family] = now + NAME_LIFETIME, addresses


class Pool:
    """Idle connections by route; taking and giving cost the same however many there are."""

    def __init__(self, max_idle: int = MAX_IDLE, max_per_host: int = 0) -> None:
        self._idle: dict[Route, list[Connection]] = {}
        self._by_age: OrderedDict[int, Connection] = OrderedDict()
        self._max_idle = max_idle
        self._numbers = 0
        self._max_per_host = max_per_host
        self._open: dict[Host, int] = {}
        self.freed = Signal()
        """Fired when there may be room for a connection, or one to use again."""

    @property
    def idle_count(self) -> int:
        return len(self._by_age)

    def next_number(self) -> int:
        """Number a new connection, from 0, as `-v` shows it."""
        self._numbers += 1
        return self._numbers - 1

    def take(self, route: Route, dead: list[Connection]) -> Connection | None:
        """Return the connection that came back last; those `dead` on the way are dropped, and told."""
        idle = self._idle.get(route)
        while idle:
            connection = idle.pop()
            del self._by_age[connection.number]
            if not idle:
                del self._idle[route]
            if not connection.is_stale:
                return connection
            dead.append(connection)
            connection.abort()
        return None

    def give(self, connection: Connection) -> None:
        """Keep a connection for the next request; one that cannot take another is dropped.

        One that the peer closes stays until it is asked for, as in curl: only then `-v` tells of it.
        """
        if not connection.is_reusable or not self._max_idle:
            connection.abort()
            return
        self._idle.setdefault(connection.route, []).append(connection)
        self._by_age[connection.number] = connection
        self.freed.fire()
        if len(self._by_age) > self._max_idle:
            self._drop(self._by_age.popitem(last=False)[1])

    def has_room(self, route: Route) -> bool:
        """Say whether one more connection may be made to this host; one that rests makes room."""
        if not self._max_per_host:
            return True
        host = _host(route)
        if self._open.get(host, 0) < self._max_per_host:
            return True
        for connection in self._by_age.values():
            if _host(connection.route) == host:
                del self._by_age[connection.number]
                self._drop(connection)
                return True
        return False

    def count(self, route: Route) -> Callable[[], None]:
        """Count a connection that is made now; call what is returned when it has gone."""
        if not self._max_per_host:
            return _nothing
        host, is_open = _host(route), [True]
        self._open[host] = self._open.get(host, 0) + 1

        def gone() -> None:
            if is_open:
                is_open.clear()
                self._open[host] -= 1
                if not self._open[host]:
                    del self._open[host]
                self.freed.fire()

        return gone

    def take_all(self) -> list[Connection]:
        """Empty the pool; what these connections still say is nobody's business."""
        connections = list(self._by_age.values())
        for connection in connections:
            connection.observer = Observer()
        self._by_age.clear()
        self._idle.clear()
        return connections

    def _drop(self, connection: Connection) -> None:
        idle = self._idle[connection.route]
        idle.remove(connection)  # the oldest stands first
        if not idle:
            del self._idle[connection.route]
        connection.abort()


def _nothing() -> None:
    """Nobody counts."""


class SharedSessions:
    """The sessions of TLS that a command or a client has; nothing is loaded before the first."""

    def __init__(self) -> None:
        self.store: SessionStore | None = None

    def open(self) -> SessionStore:
        if self.store is None:
            from pycurl_redox.tls_sessions import SessionStore

            self.store = SessionStore()
        return self.store
