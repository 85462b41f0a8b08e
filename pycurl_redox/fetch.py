"""One transfer, from its URL to its final response: a coroutine.

resolve, connect, tunnel, TLS, exchange; then again, as long as redirects and
challenges say so.  Errors of the layers below become `FetchError` here and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.compose import Credentials, CustomHeaders, compose, method_word
from pycurl_redox.connection import Connection
from pycurl_redox.connector import Connector
from pycurl_redox.http1 import Response
from pycurl_redox.incoming import Incoming
from pycurl_redox.message import Head, Policy, Request
from pycurl_redox.pool import Route
from pycurl_redox.transfer import Transfer
from pycurl_redox.url import DEFAULT_PORTS
from tcpip.clock import wall_clock
from tcpip.errors import PeerResetError, StackError, TimedOutError

if TYPE_CHECKING:
    from pycurl_redox.auth import Authenticator
    from pycurl_redox.fetcher import Fetcher
    from pycurl_redox.file_url import FileTransfer

DRAIN_LIMIT = 1024 * 1024
"""Octets of a body that nobody wants, read so that the connection can be used again."""


class Session:
    """One transfer on its way."""

    def __init__(self, fetcher: Fetcher, transfer: Transfer) -> None:
        self.fetcher = fetcher
        self.transfer = transfer
        self.network = fetcher.network
        self.observer = transfer.observer
        config = transfer.config
        self.began = self.network.now()
        self.deadline = self.began + config.max_time if config.max_time else None
        self.connector = Connector(self)
        self.login: Authenticator | None = None
        self.proxy_login: Authenticator | None = None
        self.expects = True
        self.may_be_early = True
        """No server has said yet that it does not act on early data."""
        self._redirect_notes = ("", "")
        """What `-v` says before the next request is told of, and after."""
        self._head_octets = 0
        self.policy = Policy(
            http09_allowed=config.http09_allowed,
            ignore_content_length=config.ignore_content_length,
            raw=config.raw,
            max_length=config.max_filesize,
            continue_wait=config.expect100_timeout,
            rate=config.limit_rate,
            wait_for=self.network.wait_for,
        )

    async def run(self) -> Incoming | FileTransfer:
        result = self.transfer.result
        result.began = self.began
        for text in self.fetcher.routing.load_resolve():
            self.observer.note(text)
        try:
            self.login = self.fetcher.routing.login(self.transfer)
        except errors.UrlError:
            self.observer.note("Closing connection -1")
            raise
        while True:
            if self.transfer.url.scheme == "file":
                return await self._open_file()
            connection, response = await self._hop()
            try:
                if not await self._goes_on(connection, response):
                    return self._deliver(connection, response)
            except (errors.TooManyRedirectsError, errors.UrlError, errors.UnsupportedProtocolError) as error:
                await self._let_go(connection, response)
                self.observer.note(str(error))
                raise
            except BaseException as error:
                raise self.ended(connection, error) from error

    async def _open_file(self) -> FileTransfer:
        from pycurl_redox.file_url import FileTransfer

        try:
            self._settle_scheme()
        except errors.FetchError as error:
            self._leads_nowhere(error)
            raise
        return await FileTransfer(self).begin()

    def _leads_nowhere(self, error: errors.FetchError) -> None:
        """Say why there is no connection to be had, where there is more to say than the kind of error."""
        if str(error) != error.default_text:
            self.observer.note(str(error))
        self.observer.note("Closing connection -1")

    # ---- one hop

    def _settle_scheme(self) -> None:
        """Turn http into https where HSTS says so (RFC 6797 §8.3), and see whether the user allows it."""
        transfer = self.transfer
        url = transfer.url
        hsts = self.fetcher.hsts
        if hsts is not None and url.scheme == "http" and hsts.covers(url.ascii_host(), int(wall_clock())):
            # A port that was given stays, 80 as well, as in curl.
            transfer.url = url = url._replace(scheme="https", port=url.port if url.port_given else 443)
            self.observer.note(f"Switched from HTTP to HTTPS due to HSTS => {url.text()}")
        config = transfer.config
        if url.user is not None and config.disallow_username_in_url:
            raise errors.LoginDeniedError()
        allowed = config.proto
        if self.transfer.result.redirects:
            from pycurl_redox.redirect import allowed_protocols

            allowed = allowed_protocols(config)
        is_known = url.scheme in DEFAULT_PORTS or url.scheme == "file"
        if not is_known or (allowed is not None and url.scheme not in allowed):
            raise errors.protocol_not_supported(url.scheme)

    def _route(self) -> Route:
        """Return the way to the current URL; to an alternative service where one is known (RFC 7838 §2.4)."""
        transfer = self.transfer
        route = self.fetcher.routing.route(transfer)
        transfer.alternative = None
        alt_svc = self.fetcher.alt_svc
        is_free = (route.dial_host.lower(), route.dial_port) == (route.host, route.port)  # no --connect-to
        if alt_svc is None or route.scheme != "https" or not is_free:
            return route
        found = alt_svc.find(route.host, route.port, int(wall_clock()))
        if found is None:
            return route
        host, port = found
        shown = f"[{host}]" if ":" in host else host
        transfer.alternative = f"{shown}:{port}"
        self.observer.note(
            f"Alt-svc connecting from [h1]{route.dial_host}:{route.port} to [h1]{transfer.alternative}"
        )
        return route._replace(dial_host=host, dial_port=port)

    async def _hop(self) -> tuple[Connection, Response]:
        """Send the request and read the head; a kept connection that turns out dead is replaced, once."""
        transfer, result = self.transfer, self.transfer.result
        try:
            self._settle_scheme()
            route = self._route()
        except errors.FetchError as error:
            self._leads_nowhere(error)
            raise
        if self.proxy_login is None and route.proxy is not None and route.proxy.user is not None:
            self.proxy_login = self.fetcher.routing.proxy_login(route.proxy)
        while True:
            connection = await self.connector.connection(route)
            if transfer.body is not None:
                result.to_upload = transfer.body.length
            is_fresh = connection.exchanges == 0
            transfer.met_http10 |= connection.is_http10
            request = self._request(route)
            result.method = request.method.decode("latin-1")
            try:
                response = await self._exchange(connection, request)
            except BaseException as error:
                if is_fresh or not isinstance(error, errors.EmptyReplyError | PeerResetError):
                    raise self.ended(connection, error) from error
                self._hop_ended(0, None)
                if isinstance(error, PeerResetError):
                    self.observer.note(str(self.translated(error)))
                self.observer.note("Connection died, retrying a fresh connect (retry count: 1)")
                self.drop(connection)
                self.observer.note(f"Issue another request to this URL: '{transfer.url.text()}'")
                self._rewind()
            else:
                return connection, response

    async def _exchange(self, connection: Connection, request: Request) -> Response:
        result, now = self.transfer.result, self.network.now
        connection.observer = self.observer
        connection.learn = self._learn_of(connection)
        connection.head_octets = self._head_octets
        self.mark("pre_transfer")
        response = await connection.exchange(
            request, self.policy, self.read_deadline(), now, self.network.spawn
        )
        self.mark("start_transfer")
        self._head_octets = connection.head_octets
        result.uploaded = connection.body_sent
        head = response.head
        result.heads.append(head)
        result.status = head.status
        result.http_version = head.http_version
        self.transfer.met_http10 |= connection.is_http10
        if head.is_too_long:
            self.observer.note(errors.FileSizeExceededError.default_text)
            raise errors.FileSizeExceededError()
        if response.upload_cut_short and (head.goes_on or not self.transfer.config.fail):
            self.observer.note("HTTP error before end of send, stop sending")
        return response

    def _learn_of(self, connection: Connection) -> Callable[[Head], None] | None:
        """Return what takes a head before it is shown; None where there is nothing to learn of one."""
        fetcher = self.fetcher
        if self.transfer.cookies is not None:
            self.transfer.cookies.begin_response()
        elif (fetcher.hsts, fetcher.alt_svc, self.login, connection.route.proxy) == (None,) * 4:
            if self.transfer.body is None:
                return None
        from pycurl_redox.learned import learn

        return lambda head: learn(self, head, connection)

    def _request(self, route: Route) -> Request:
        transfer = self.transfer
        if self.login is None and self.proxy_login is None and transfer.config.aws_sigv4 is None:
            plain = self.fetcher.plain_request(transfer, route.sends_absolute_targets)
            if plain is not None:
                return plain
        trusted = self.fetcher.routing.is_trusted(transfer)
        target = transfer.config.request_target or transfer.url.target
        method = method_word(transfer)
        credentials = Credentials()
        if route.sends_absolute_targets and self.proxy_login is not None:
            credentials.proxy = self.proxy_login.header(method, target)
            self.note_login("Proxy", self.proxy_login)
        if self.login is not None:
            credentials.host = self.login.header(method, target)
            is_typed = trusted and "authorization" in CustomHeaders(transfer.config.headers)
            if not is_typed or not self.login.is_settled:
                self.note_login("Server", self.login)
        if transfer.config.aws_sigv4 is not None:
            credentials.aws = self.fetcher.routing.signer(transfer)
        credentials.is_negotiating = self._holds_back_body(route)
        return compose(
            transfer,
            credentials,
            absolute=route.sends_absolute_targets,
            trusted=trusted,
            expects=self.expects,
        )

    def _holds_back_body(self, route: Route) -> bool:
        """True while Digest is sure to refuse the first request: it goes without its body."""
        if self.transfer.method not in ("POST", "PUT"):
            return False
        if self.login is not None and not self.login.is_settled:
            return True
        proxy_login = self.proxy_login
        return route.sends_absolute_targets and proxy_login is not None and not proxy_login.is_settled

    # ---- after a head

    async def _goes_on(self, connection: Connection, response: Response) -> bool:
        """Decide whether another request follows, and prepare it."""
        head, transfer, is_redirect = response.head, self.transfer, False
        is_417 = head.status == 417 and self.expects and transfer.body is not None
        if (is_417 and not transfer.config.fail) or self._answers_challenge(connection, head):
            self.expects = self.expects and not is_417
            self._count_request(transfer.url.text())
            self._rewind()
        elif self._came_too_early(connection, head):
            self._rewind()
        elif not (is_redirect := self._follows(head)):
            return False
        await self._let_go(connection, response)
        before, after = self._redirect_notes
        self._redirect_notes = ("", "")
        for text in (before, f"Issue another request to this URL: '{transfer.url.text()}'", after):
            if text:
                self.observer.note(text)
        if is_redirect:
            self.login = self.fetcher.routing.login(transfer)
        return True

    def _came_too_early(self, connection: Connection, head: Head) -> bool:
        """The server does not act on early data (RFC 8470 §5.2): once more, after a handshake."""
        done = connection.tls
        is_early = done is not None and done.early_data == "accepted" and connection.exchanges == 1
        if head.status != 425 or not is_early:
            return False
        self.may_be_early = False
        return True

    def _answers_challenge(self, connection: Connection, head: Head) -> bool:
        if head.status < 300 and self._holds_back_body(connection.route):
            self.login = self.proxy_login = None  # nobody asked who we are: now in earnest
            return True
        return head.goes_on

    def note_login(self, side: str, login: Authenticator) -> None:
        """Say in which scheme a request is authenticated, as `-v` does."""
        if text := login.description:
            self.observer.note(f"{side} auth using {text}")

    def _follows(self, head: Head) -> bool:
        """Take a redirect if there is one, and if the user follows them."""
        transfer, result = self.transfer, self.transfer.result
        location = head.header(b"location")
        if not 300 <= head.status < 400 or not location:
            return False
        from pycurl_redox import redirect

        if not transfer.config.location:
            result.redirect_url = redirect.shown(transfer, location)
            return False
        self._count_request(redirect.shown(transfer, location))
        self._redirect_notes = redirect.follow(transfer, head.status, location)
        self.expects = True
        return True

    def _count_request(self, url: str | None) -> None:
        """--max-redirs bounds, and -w counts, all that leads to a further request: challenges too."""
        result, limit = self.transfer.result, self.transfer.config.max_redirs
        if 0 <= limit <= result.redirects:
            result.redirect_url = url
            raise errors.too_many_redirects(limit)
        result.redirects += 1
        result.redirect_time = self.network.now() - self.began

    async def _let_go(self, connection: Connection, response: Response) -> None:
        """Read what is left of a body that nobody wants, and keep the connection if that was little."""
        drained = connection.is_reusable
        if drained:
            if not response.is_complete:  # else nothing more is read
                self.observer.note("Ignoring the response-body")
            try:
                drained = await response.drain(self.read_deadline(), DRAIN_LIMIT)
            except (errors.FetchError, StackError):
                drained = False
        self._hop_ended(response.drained, response.content_length)
        if drained and connection.is_reusable:
            self.observer.note(f"Connection #{connection.number} to host {connection.name} left intact")
            self.fetcher.pool.give(connection)
        else:
            self.drop(connection)

    def _hop_ended(self, received: int, expected: int | None) -> None:
        """Let the meter have its line, and begin to count the upload anew."""
        result = self.transfer.result
        self.observer.hop_ended(received, expected)
        result.uploaded, result.to_upload = 0, None

    def _rewind(self) -> None:
        body = self.transfer.body
        if body is not None:
            body.rewind()

    def _deliver(self, connection: Connection, response: Response) -> Incoming:
        incoming = Incoming(self, connection, response)
        incoming.check_head()
        return incoming

    # ---- time and blame

    def read_deadline(self) -> float | None:
        timeout = self.transfer.read_timeout
        return self._earliest(self.network.now() + timeout, self.deadline) if timeout else self.deadline

    @property
    def is_out_of_time(self) -> bool:
        return self.deadline is not None and self.network.now() >= self.deadline

    @property
    def milliseconds(self) -> int:
        """How long the transfer has taken so far."""
        return int((self.network.now() - self.began) * 1000)

    def check_time(self) -> None:
        """End at the deadline in a flood too, where no read ever has to wait."""
        if self.is_out_of_time:
            raise TimedOutError("HTTP: the transfer took too long")

    @staticmethod
    def _earliest(one: float, other: float | None) -> float:
        return one if other is None else min(one, other)

    def mark(self, step: str) -> None:
        setattr(self.transfer.result, step, self.network.now() - self.began)

    def drop(self, connection: Connection) -> None:
        self.observer.note(f"Closing connection {connection.number}")
        connection.abort()

    def ended(self, connection: Connection, error: BaseException) -> BaseException:
        """Give up a connection for an error, say so, and return the error as ours."""
        failure = self.translated(error)
        if isinstance(failure, errors.FetchError) and str(failure) != failure.default_text:
            self.observer.note(str(failure).partition("\n")[0])
        self.observer.transfer_ended()
        self.drop(connection)
        return failure

    def translated(self, error: BaseException) -> BaseException:
        """The one place where errors of lower layers become ours."""
        if isinstance(error, TimedOutError):
            result = self.transfer.result
            return errors.operation_timed_out(self.milliseconds, result.downloaded, result.expected)
        if isinstance(error, PeerResetError):
            return errors.ReceiveFailedError("Recv failure: Connection reset by peer")
        if isinstance(error, StackError):
            return errors.ReceiveFailedError(str(error))
        if isinstance(error, errors.FetchError) or not isinstance(error, Exception):
            return error
        from pycurl_redox import tls_failures

        return tls_failures.translated(error)
