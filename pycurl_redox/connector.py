"""The connections of one transfer: a kept one, or a new one up to where HTTP begins.

The pool is asked first.  A new connection is dialled, and passes what its
route says: a SOCKS proxy, TLS to the proxy, CONNECT, the PROXY protocol's
line, TLS to the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import connection as connections
from pycurl_redox import errors
from pycurl_redox.compose import method_word
from pycurl_redox.connection import Connection, Times
from pycurl_redox.message import Observer
from pycurl_redox.transfer import CONNECT_TIMEOUT, UNSPECIFIED
from tcpip.errors import TimedOutError

if TYPE_CHECKING:
    from pycurl_redox.fetch import Session
    from pycurl_redox.pool import Route
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.tunnel import Tunnel
    from tcpip.wire.address import IpAddress

IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Safe methods (RFC 9110 §9.2.1): early data may be played again by others (RFC 8470 §2.1)."""
KEEPALIVE_TIME = 60.0
"""Seconds of silence before a probe: curl's."""


class Connector:
    """Finds or makes the connection for each request of a transfer, and notes in its result which it was."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._fetcher = session.fetcher
        self._network = session.network
        self._transfer = session.transfer
        self._observer = session.observer
        self._times = Times()
        self._ech_retry: dict[tuple[str, int], bytes] = {}
        """The configs with which each server has said to try again (RFC 9849 §6.1.6); good for it alone."""

    async def connection(self, route: Route) -> Connection:
        """Return a connection ready for a request, kept or new; FetchError when there is none to be had.

        A new one is made as soon as the host may have one more, unless one
        comes back meanwhile.
        """
        pool, session = self._fetcher.pool, self._session
        connection, came = self._kept(route), self._network.now()
        while connection is None:
            if pool.has_room(route):
                self._transfer.result.queued += self._network.now() - came
                self._observer.transfer_began()
                connection = await self._connect(route)
            elif await pool.freed.wait(session.deadline):
                connection = self._kept(route)
                if connection is not None:
                    self._transfer.result.queued += self._network.now() - came
            else:
                raise session.translated(TimedOutError("HTTP: all connections to the host are in use"))
        self._observer.transfer_began()
        self._note(connection)
        return connection

    def _kept(self, route: Route) -> Connection | None:
        dead: list[Connection] = []
        connection, note = self._fetcher.pool.take(route, dead), self._observer.note
        if connection is not None:
            self._transfer.result.connection_number = connection.number
        if dead or connection is not None:
            note(f"Found bundle for host: {hex(id(dead))} [serially]")
        for each in dead:
            note(f"Connection {each.number} seems to be dead")
            note(f"Closing connection {each.number}")
        if connection is not None:
            kind = "proxy" if route.first_proxy else "host"
            note(f"Re-using existing connection #{connection.number} with {kind} {connection.name}")
            connection.observer = self._observer
        return connection

    async def _connect(self, route: Route) -> Connection:
        session = self._session
        deadline = self._network.now() + (self._transfer.config.connect_timeout or CONNECT_TIMEOUT)
        if session.deadline is not None:
            deadline = min(deadline, session.deadline)
        tunnel: Tunnel | None = None
        if route.is_tunnel:
            from pycurl_redox import tunnel as tunnels

            tunnel = tunnels.Tunnel(session, route)
        number = self._transfer.result.connection_number = self._fetcher.pool.next_number()
        is_again = False
        while True:
            connection = await self._dial(route, number, deadline, is_again)
            try:
                is_ready = await self._prepare(connection, tunnel, deadline)
            except BaseException as error:
                if self._may_retry_ech(route, error):
                    connection.abort()
                    continue
                raise session.ended(connection, error) from error
            if is_ready:
                return connection
            self._observer.note("Connect me again please")
            connection.abort()
            is_again = True

    def _may_retry_ech(self, route: Route, error: BaseException) -> bool:
        """Whether the server has given a key to try again with; once, whatever comes of it.

        With -k nobody has shown to be the public name's owner, and anybody's key would open the name.
        """
        server = (route.host, route.port)
        if not isinstance(error, errors.EchRequiredError) or server in self._ech_retry:
            return False
        if not error.retry_configs or route.tls is None or route.tls.insecure:
            return False
        self._ech_retry[server] = error.retry_configs
        self._observer.note(f"{error}; connecting again")
        return True

    async def _dial(self, route: Route, number: int, deadline: float, is_again: bool) -> Connection:
        """TCP to the server or the first proxy."""
        session, config, result = self._session, self._transfer.config, self._transfer.result
        head_start = (config.happy_eyeballs_timeout_ms or 200) / 1000
        gone = self._fetcher.pool.count(route)
        try:
            connection = await connections.connect(
                self._network,
                route,
                number,
                self._observer,
                self._times,
                deadline,
                self._known_addresses,
                self._learn_addresses,
                head_start,
                self._fetcher.lookup(self._transfer),
                is_again,
                session.deadline,
            )
        except BaseException as error:
            gone()
            if isinstance(error, errors.FetchError):
                self._observer.transfer_ended()
                self._observer.note(f"Closing connection {number}")
            raise
        finally:
            result.name_lookup = (self._times.resolved or session.began) - session.began
        connection.on_end = gone
        result.connects += 1
        keepalive = None if config.no_keepalive else config.keepalive_time or KEEPALIVE_TIME
        connection.endpoint.tune(
            nagle=not config.tcp_nodelay, keepalive=keepalive, probes=config.keepalive_cnt or None
        )
        session.mark("connect")
        self._note(connection)
        return connection

    async def _prepare(self, connection: Connection, tunnel: Tunnel | None, deadline: float) -> bool:
        """Pass all that lies between TCP and HTTP; False when the proxy has to be dialled again."""
        route = connection.route
        if route.socks is not None:
            from pycurl_redox.tunnel import through_socks

            await through_socks(self._session, connection, deadline)
        if route.proxy_tls is not None:
            await self._secure(connection, route.proxy_tls, deadline)
        if tunnel is not None and not await tunnel.open(connection, deadline):
            return False
        if route.haproxy_client is not None:
            from pycurl_redox.tunnel import send_proxy_line

            await send_proxy_line(connection, route.haproxy_client, deadline)
        if route.tls is not None:
            await self._secure(connection, route.tls, deadline)
        return True

    async def _secure(self, connection: Connection, options: TlsOptions, deadline: float) -> None:
        def secured() -> None:
            self._note_verdict(options, 0)
            if not options.is_proxy:
                self._session.mark("app_connect")
                self._transfer.result.tls = connection.tls

        transfer, route = self._transfer, connection.route
        self._note_verdict(options, UNSPECIFIED)
        ech_configs = b""
        if options.ech or options.ech_config:
            from pycurl_redox import ech

            ech_configs = self._ech_retry.get((route.host, route.port), b"") or await ech.configs(
                self._fetcher, transfer, route, options, deadline
            )
        may_come_twice = (
            self._session.may_be_early
            and not ech_configs
            and transfer.body is None
            and method_word(transfer) in IDEMPOTENT
        )
        try:
            await connections.secure(
                connection,
                self._fetcher.tls(options),
                self._observer,
                self._network.now,
                deadline,
                secured,
                is_proxy=options.is_proxy,
                is_idempotent=may_come_twice,
                ech_configs=ech_configs,
            )
        except errors.CertificateRefusedError as error:
            self._note_verdict(options, error.verify_result)
            raise
        except errors.PinnedKeyError:  # who it was is known
            self._note_verdict(options, 0)
            transfer.result.tls, transfer.result.proxy_tls = connection.tls, connection.proxy_tls
            raise
        except errors.OperationTimedOutError as error:
            if self._session.is_out_of_time:
                raise errors.connection_timed_out(self._session.milliseconds) from error
            raise

    def _note_verdict(self, options: TlsOptions, code: int) -> None:
        if options.is_proxy:
            self._transfer.result.proxy_verify_result = code
        else:
            self._transfer.result.verify_result = code

    def _note(self, connection: Connection) -> None:
        result = self._transfer.result
        result.remote, result.local = connection.remote, connection.local
        result.tls, result.proxy_tls = connection.tls, connection.proxy_tls
        result.connection_number = connection.number
        result.proxy_used = connection.route.first_proxy is not None

    # ---- names

    async def look_up(
        self, host: str, port: int, family: int, deadline: float, is_proxy: bool
    ) -> list[IpAddress]:
        """Find the addresses of a SOCKS proxy's destination."""
        found = self._known_addresses(host, port)
        if found:
            self._observer.note(f"Hostname {host} was found in DNS cache")
            return found
        refused = errors.proxy_resolve_failed if is_proxy else errors.resolve_failed
        now = self._network.now()
        lookup, dial = self._fetcher.lookup(self._transfer), self._fetcher.routing.dial
        names = dial.names if dial is not None else None
        found = await connections.resolve(
            self._network, host, family, now, deadline, Observer(), refused, lookup, names
        )
        self._learn_addresses(host, port, found)
        return found

    def _known_addresses(self, host: str, port: int) -> list[IpAddress] | None:
        """What --resolve says, else what an earlier transfer of this command has found."""
        fixed, names = self._fetcher.routing.fixed_addresses(host, port), self._fetcher.names
        family = self._transfer.config.ip_version
        if fixed:
            if found := [address for address in fixed if family in (0, address.version)]:
                return found
            self._observer.note("Hostname in DNS cache doesn't have needed family, zapped")
        return None if names is None else names.find(host, port, family, self._network.now())

    def _learn_addresses(self, host: str, port: int, addresses: list[IpAddress]) -> None:
        if self._fetcher.names is not None:
            self._fetcher.names.keep(
                host, port, self._transfer.config.ip_version, addresses, self._network.now()
            )
