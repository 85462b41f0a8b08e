"""What a connection passes between TCP and the server: a SOCKS proxy, CONNECT, the PROXY protocol's line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.compose import compose_connect
from pycurl_redox.learned import challenged
from pycurl_redox.message import Head, Observer, Policy
from pycurl_redox.socks import Destination, Granted, Ready, Socks4, Socks5
from tcpip.errors import PeerResetError, TimedOutError
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from pycurl_redox.connection import Connection
    from pycurl_redox.fetch import Session
    from pycurl_redox.http1 import Response
    from pycurl_redox.pool import Proxy, Route

MAX_ROUNDS = 10
"""Rounds of authentication for one tunnel; an honest proxy needs one, or two with a stale nonce."""

MAX_LINE = 16 * 1024
"""Octets of one line of a proxy's answer: curl's bound."""

TOO_LARGE = "CONNECT response too large"

IGNORED = {b"content-length": "Content-Length", b"transfer-encoding": "Transfer-Encoding"}
"""Headers that mean nothing in an answer that opens a tunnel."""

DRAIN_LIMIT = 1024 * 1024
"""Octets of a refusal's body, read so that the connection can be used again."""


class Tunnel:
    """CONNECT (RFC 9110 §9.3.6), with as many rounds, and connections, as the proxy's challenges take."""

    def __init__(self, session: Session, route: Route) -> None:
        self._session = session
        self._route = route
        self._rounds = 0
        self._status = 0
        self._asks_again = False
        """The last answer was a challenge that can be met."""

    async def open(self, connection: Connection, deadline: float) -> bool:
        """Ask until the tunnel stands; False: the proxy closes behind its challenge, to be dialled again."""
        session, observer = self._session, self._session.observer
        if not self._rounds:
            observer.note("allocate connect buffer")
        status = 407
        while self._rounds < MAX_ROUNDS:
            self._rounds += 1
            response = await self._ask(connection, deadline)
            head = response.head
            status = head.status
            if 200 <= status < 300:
                observer.note("CONNECT phase completed")
                observer.note(f"CONNECT tunnel established, response {status}")
                connection.exchanges = 0
                connection.is_reusable = True
                connection.is_http10 = False  # that was the proxy's
                return True
            if status == 407 and not (session.proxy_login and session.proxy_login.was_refused):
                self._note_body(response)
            if not self._asks_again:
                break
            connection.observer = Observer()  # what a proxy says beside its challenge is not shown
            if not connection.is_reusable or not await response.drain(deadline, DRAIN_LIMIT):
                return False
            if response.content_length is None:
                observer.note("chunk reading DONE")
        if session.transfer.config.fail and status >= 400:
            raise errors.http_returned(status)
        raise errors.connect_refused(status)

    def _note_body(self, response: Response) -> None:
        """The body of a challenge is of no interest."""
        if response.head.header(b"transfer-encoding") is not None:
            self._session.observer.note("Ignore chunked response-body")
        elif response.content_length:
            self._session.observer.note(f"Ignore {response.content_length} bytes of response-body")

    def _learn(self, head: Head) -> None:
        """See what an answer asks for; what `-v` says of a header stands behind its line."""
        login, self._status = self._session.proxy_login, head.status
        texts: list[list[str]] = []
        self._asks_again = False
        if head.status == 407 and login is not None:
            self._asks_again, texts = challenged(login, head, b"proxy-authenticate")
        notes = iter(texts)
        is_open = 200 <= head.status < 300
        for name, _ in head.headers:
            text = ""
            if name in IGNORED and is_open:  # RFC 9110 §9.3.6
                text = f"Ignoring {IGNORED[name]} in CONNECT {head.status} response"
            elif name == b"transfer-encoding":
                text = "CONNECT responded chunked"
            head.notes.append((name, [text, *(next(notes, ()) if name == b"proxy-authenticate" else ())]))

    async def _ask(self, connection: Connection, deadline: float) -> Response:
        session, observer, route = self._session, self._session.observer, self._route
        assert route.proxy is not None
        host, port = route.dial_host, route.dial_port
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        observer.note(f"Establish HTTP proxy tunnel to {host}:{port}")
        login = session.proxy_login
        authorization = None
        if login is not None:
            authorization = login.header("CONNECT", name)
            session.note_login("Proxy", login)
        if session.login is not None:  # said, though it goes to nobody but the server
            session.note_login("Server", session.login)
        request = compose_connect(session.transfer, host, port, authorization, route.proxy.is_http10)
        observer.is_tunnel, self._status = True, 0
        connection.observer, connection.learn = observer, self._learn
        try:
            response = await connection.exchange(
                request, Policy(), deadline, session.network.now, session.network.spawn
            )
        except errors.EmptyReplyError as error:
            raise errors.ReceiveFailedError("Proxy CONNECT aborted") from error
        except errors.TooLargeError as error:
            raise errors.ReceiveFailedError(TOO_LARGE) from error
        except (errors.UnsupportedProtocolError, errors.WeirdReplyError) as error:  # it is no HTTP
            raise errors.connect_refused(self._status) from error
        except TimedOutError as error:
            if session.is_out_of_time:
                raise errors.connection_timed_out(session.milliseconds) from error
            raise errors.OperationTimedOutError("Proxy CONNECT aborted due to timeout") from error
        finally:
            observer.is_tunnel = False
        if not response.head.is_whole:
            raise errors.ReceiveFailedError("Proxy CONNECT aborted")
        if any(len(line) > MAX_LINE for line in response.head.lines()):
            raise errors.ReceiveFailedError(TOO_LARGE)
        session.transfer.result.connect_status = response.head.status
        return response


async def through_socks(session: Session, connection: Connection, deadline: float) -> None:
    """Have the route's SOCKS proxy connect to the HTTP proxy, else to the server."""
    route, note = connection.route, session.observer.note
    proxy = route.socks
    assert proxy is not None
    host, port = (route.proxy.host, route.proxy.port) if route.proxy else (route.dial_host, route.dial_port)
    if route.proxy:
        version = {"socks4": "4", "socks4a": "4a"}.get(proxy.kind, "5")
        note(f"SOCKS{version}: connecting to HTTP proxy {host} port {port}")
    talk = _SocksTalk(session, connection, proxy, host, port, deadline)
    talk.check_literal()
    try:
        await (talk.version_4() if proxy.kind.startswith("socks4") else talk.version_5())
    except TimedOutError as error:
        raise errors.connection_timed_out(session.milliseconds) from error
    address, remote_port = connection.remote
    note(f"Connected to {proxy.host} ({address}) port {remote_port} (#{connection.number})")


async def send_proxy_line(connection: Connection, client: str, deadline: float) -> None:
    """Say who we are, or who `client` is, before anything else."""
    from pycurl_redox.proxy_protocol import proxy_line

    if connection.route.proxy_tls is not None:
        raise errors.UnsupportedProtocolError(
            "haproxy protocol not support with SSL encryption in place (QUIC?)"
        )
    await connection.stream.write([proxy_line(connection.local, connection.remote, client)], deadline)


class _SocksTalk:
    """One talk with a SOCKS server, over a connection that has just been made."""

    def __init__(
        self, session: Session, connection: Connection, proxy: Proxy, host: str, port: int, deadline: float
    ) -> None:
        self._session = session
        self._connection = connection
        self._proxy = proxy
        self._host = host
        self._port = port
        self._deadline = deadline
        self._note = session.observer.note

    def check_literal(self) -> None:
        """An address that was typed is judged whoever connects to it."""
        literal = _literal(self._host)
        if literal is not None:
            self._permitted([literal])

    def _permitted(self, addresses: list[IpAddress]) -> list[IpAddress]:
        """Apply the address rules to what the proxy is to connect to; addresses are the proxy's own view."""
        options = self._connection.route.dial
        if options is None or options.policy is None:
            return addresses
        from pycurl_redox.address_policy import permitted

        return permitted(options.policy, lambda address: address, addresses, self._host, self._note)

    async def version_4(self) -> None:
        host, port, proxy = self._host, self._port, self._proxy
        self._note(f"SOCKS4 communication to {host}:{port}")
        machine = Socks4(proxy.user or b"")
        destination: Destination = host.encode()
        if proxy.kind == "socks4":
            destination = await self._address(4)
            if destination.version != 4:
                raise errors.ProxyHandshakeError(f"SOCKS4 connection to {host} not supported")
            self._note(f"SOCKS4 connect to IPv4 {destination} (locally resolved)")
        machine.ask(destination, port)
        await self._until(machine, Granted)
        self._note("SOCKS4a request granted." if proxy.kind == "socks4a" else "SOCKS4 request granted.")

    async def version_5(self) -> None:
        host, port, proxy = self._host, self._port, self._proxy
        if proxy.kind == "socks5h" and len(host.encode()) > 255:
            raise errors.ProxyHandshakeError(
                "SOCKS5: the destination hostname is too long to be resolved remotely by the proxy."
            )
        machine = Socks5(None if proxy.user is None else (proxy.user, proxy.password or b""))
        await self._until(machine, Ready)
        destination: Destination
        if proxy.kind == "socks5h":
            self._note(f"SOCKS5 connect to {host}:{port} (remotely resolved)")
            destination = _literal(host) or host.encode()
        else:
            destination = await self._address(self._connection.route.family)
            self._note(f"SOCKS5 connect to IPv{destination.version} {destination}:{port} (locally resolved)")
        machine.ask(destination, port, host)
        await self._until(machine, Granted)
        self._note("SOCKS5 request granted.")

    async def _address(self, family: int) -> IpAddress:
        """Look the destination up ourselves; a literal is taken whatever its family.

        There is one attempt, by another machine: IPv4 is the family that it surely has.
        """
        literal = _literal(self._host)
        if literal is not None:
            return literal
        is_proxy = self._connection.route.proxy is not None
        try:
            found = await self._session.connector.look_up(
                self._host, self._port, family, self._deadline, is_proxy
            )
        except (errors.ResolveFailedError, errors.ProxyResolveError) as error:
            raise errors.ProxyHandshakeError(str(error)) from error
        return min(self._permitted(found), key=len)

    async def _until(self, machine: Socks4 | Socks5, wanted: type[Ready | Granted]) -> None:
        stream, deadline = self._connection.stream, self._deadline
        while True:
            event = machine.next_event()
            if pieces := machine.data_to_send():
                await stream.write(pieces, deadline)
            if isinstance(event, wanted):
                break
            if event is None:
                try:
                    machine.receive_data(bytes(await stream.read(deadline)))
                except PeerResetError as error:
                    raise errors.ProxyHandshakeError("Recv failure: Connection reset by peer") from error
        if wanted is Granted:
            self._connection.received += machine.trailing_data


def _literal(host: str) -> IpAddress | None:
    try:
        return IpAddress.parse(host.partition("%")[0])
    except ValueError:
        return None
