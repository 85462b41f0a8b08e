"""The library: requests with connections kept, from one thread or several, one at a time or many.

    with Client() as client:
        print(client.get("https://example.org/").text)
        for response in client.map(urls):
            ...

A call runs a coroutine on the network's loop, on the caller's thread.  The
coroutines themselves are `request_async` and `stream_async`; `gather` runs
several of them side by side.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from pycurl_redox import arguments, errors
from pycurl_redox.collected import Collected
from pycurl_redox.config import AUTH_ANY, AUTH_BASIC, AUTH_DIGEST, OperationConfig
from pycurl_redox.fetcher import Fetcher
from pycurl_redox.incoming import Incoming
from pycurl_redox.pool import Pool, SharedSessions
from pycurl_redox.request_data import Data, Fields, body_of, header_lines, with_query
from pycurl_redox.response import Response
from pycurl_redox.routing import Routing
from pycurl_redox.streamed import StreamedResponse
from pycurl_redox.transfer import Transfer
from pycurl_redox.url import Url, parse_url
from tcpip.errors import StackError

if TYPE_CHECKING:
    from pycurl_redox.cookies import CookieJar
    from pycurl_redox.dial import NetworkLike
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.tls_settings import TlsSettings

T = TypeVar("T")
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
MAX_CONNECTIONS = 100
"""Transfers of `map` that are on their way at once."""
MAX_CONTENT = 4 << 30
"""Octets of a body that is returned whole; longer ones are read with `stream`."""

CLOSED = "this client is closed"

REQUEST_OPTIONS = ("params", "headers", "data", "json", "timeout", "max_size")

_AUTH = {"basic": AUTH_BASIC, "digest": AUTH_DIGEST, "any": AUTH_ANY}


class Client:
    """Connections, cookies and settings for many requests.

    `connect_timeout` bounds name, TCP and TLS together, `read_timeout` each
    wait for octets, `timeout` the whole of a request: more than 0 seconds;
    None is no bound.
    `max_size` is how many octets, decoded, a body may have that is returned
    whole; a longer one ends the request with `FileSizeExceededError`, as soon
    as it is known to be too long.  None is no bound: a few compressed octets
    may then fill the memory.  `stream` reads bodies of any size.
    `verify` False accepts any certificate; `cacert` names a file to trust.
    `cert` is what we show a server that asks: a PEM file with certificate and
    key, or a pair of files, or these and the pass phrase of the key.
    `background` lets a thread of the network look after idle connections.
    `allow_addresses` and `deny_addresses` are networks (`10.0.0.0/8`) or the
    words `private`, `loopback` and `multicast`: of each connection, those of
    redirects too, the address it comes to is judged, `AddressDeniedError`.
    `interface` is an interface's name or an address of the machine to connect
    from, `unix_socket` a path that leads to every host.

    Threads may share a client: the one that waits for its response moves
    those of the others as well.
    """

    def __init__(
        self,
        *,
        network: NetworkLike | None = None,
        nic: str = "user",
        connect_timeout: float | None = CONNECT_TIMEOUT,
        read_timeout: float | None = READ_TIMEOUT,
        timeout: float | None = None,
        verify: bool = True,
        cacert: str | None = None,
        cert: str | tuple[str, str] | tuple[str, str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        auth_method: str = "basic",
        follow_redirects: bool = True,
        max_redirects: int = 20,
        proxy: str | None = None,
        family: int = 0,
        max_connections: int = MAX_CONNECTIONS,
        max_size: int | None = MAX_CONTENT,
        background: bool = True,
        allow_addresses: Iterable[str] = (),
        deny_addresses: Iterable[str] = (),
        interface: str | None = None,
        unix_socket: str | None = None,
    ) -> None:
        for seconds in (connect_timeout, read_timeout, timeout):
            arguments.check_seconds(seconds)
        arguments.check_size(max_size)
        self._owns_network = network is None
        self._network = network
        self._opening = threading.Lock()
        self._is_closed = False
        self._nic = nic
        self._background = background
        self.read_timeout = read_timeout
        self.max_size = max_size
        self.headers = arguments.merged_headers({}, headers)
        self.max_connections = max_connections
        self._pool = Pool(max_connections)
        self._cookies: CookieJar | None = None
        self._tls_sessions = SharedSessions()
        self._last_url: tuple[str, Url] | None = None
        self._timed: OperationConfig | None = None  # the settings with the last request's own time-out
        self._fetchers: tuple[OperationConfig, Fetcher] | None = None
        config = self._config = OperationConfig()
        config.connect_timeout = connect_timeout
        config.max_time = timeout
        config.insecure = not verify
        config.cacert = cacert
        if cert is not None:
            config.cert, config.key, config.passphrase = _certificate_files(cert)
        config.location = follow_redirects
        config.max_redirs = max_redirects
        config.proxy = proxy
        config.ip_version = family
        config.compressed = True
        config.allow_address, config.deny_address = _rules(allow_addresses), _rules(deny_addresses)
        if interface is not None:
            config.interface = interface
        if unix_socket is not None:
            config.unix_socket = unix_socket
        if auth is not None:
            config.user, config.auth = arguments.login(auth, auth_method, _AUTH)

    # ---- one request

    def request(self, method: str, url: str, **options: Any) -> Response:
        """Send a request and return the response with its body; `FetchError` when there is none.

        `params`, `headers`, `data` (octets, text, a form as a mapping, a file
        or an iterable of octets), `json`, `timeout` and `max_size` in place of
        the client's.  In `params` and in a
        form a list is a field for each of its values, and None is left out.
        What an iterable raises ends the request and comes out of it.
        """
        return self._run(self.request_async(method, url, **options))

    def get(self, url: str, **options: Any) -> Response:
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> Response:
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Response:
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> Response:
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> Response:
        return self.request("DELETE", url, **options)

    def stream(self, method: str, url: str, **options: Any) -> StreamedResponse:
        """Send a request and return the response as soon as its head is in; use it in a `with`."""
        response = self._run(self.stream_async(method, url, **options))
        response.is_of_coroutine = False
        return response

    # ---- many requests

    @overload
    def map(
        self, urls: Iterable[str], *, return_exceptions: Literal[False] = False, **options: Any
    ) -> Iterator[Response]: ...
    @overload
    def map(
        self, urls: Iterable[str], *, return_exceptions: bool, **options: Any
    ) -> Iterator[Response | errors.FetchError]: ...
    def map(
        self, urls: Iterable[str], *, return_exceptions: bool = False, **options: Any
    ) -> Iterator[Response | errors.FetchError]:
        """Get all these URLs on this thread, `max_connections` at once; responses in their order.

        They are fetched ahead of the reader, and no more than
        `max_connections` are held.  With `return_exceptions` a `FetchError`
        stands in the place of its response; else it is raised there, and the
        rest is given up.
        """
        from pycurl_redox.many import Ahead, settled

        left, network = iter(urls), self.network
        ahead = Ahead[Response | errors.FetchError](network, self.max_connections)
        try:
            while (more := list(islice(left, ahead.room))) or len(ahead):
                requests = (self.request_async("GET", url, **options) for url in more)
                yield self._run(ahead.take(map(settled, requests) if return_exceptions else requests))
        finally:
            if len(ahead) and not self._is_closed:
                self._run(ahead.cancel())

    @overload
    def gather(
        self, coroutines: Iterable[Coroutine[Any, Any, T]], *, return_exceptions: Literal[False] = False
    ) -> list[T]: ...
    @overload
    def gather(
        self, coroutines: Iterable[Coroutine[Any, Any, T]], *, return_exceptions: bool
    ) -> list[T | errors.FetchError]: ...
    def gather(
        self, coroutines: Iterable[Coroutine[Any, Any, T]], *, return_exceptions: bool = False
    ) -> list[T] | list[T | errors.FetchError]:
        """Run coroutines of this client side by side, `max_connections` at once.

        They are those that `request_async` and `stream_async` return, or await
        them.  The first error ends them all and is raised; with `return_exceptions`
        a `FetchError` is the result of its coroutine, and ends no other.
        """
        from pycurl_redox import many

        found = arguments.check_coroutines(coroutines)
        return self._run(many.gather(self.network, found, self.max_connections, return_exceptions))

    # ---- coroutines

    async def request_async(self, method: str, url: str, **options: Any) -> Response:
        """`request`, for a coroutine that `gather` or the client's own network runs; asyncio cannot."""
        incoming, response = await self._start(method, url, **options)
        content = Collected(options.get("max_size", self.max_size))
        try:
            content.expect(incoming)
            while len(chunk := await incoming.read()):
                content.add(chunk)
        finally:
            incoming.close()
        response.content = content.take()
        return response

    async def stream_async(self, method: str, url: str, **options: Any) -> StreamedResponse:
        """`stream`, for a coroutine that `gather` or the client's own network runs; asyncio cannot."""
        incoming, response = await self._start(method, url, **options)
        return StreamedResponse(self._run, response, incoming, options.get("max_size", self.max_size))

    async def _start(
        self,
        method: str,
        url: str,
        *,
        params: Fields | None = None,
        headers: Mapping[str, str] | None = None,
        data: Data = None,
        json: Any = None,
        timeout: float | None = None,
        max_size: int | None = None,
    ) -> tuple[Incoming, Response]:
        arguments.check_target(method, url)
        arguments.check_seconds(timeout)
        arguments.check_size(max_size)
        config, fetcher = self._settings(timeout)
        parsed = self._parsed(url)
        if params:
            arguments.check_fields("params", params)
            parsed = with_query(parsed, params)
        merged = arguments.merged_headers(self.headers, headers)
        arguments.check_headers(merged)
        names = {name.lower(): name for name in merged}
        length = merged.pop(names["content-length"]) if "content-length" in names else None
        body, content_type = body_of(data, json, length)
        if content_type is not None and "content-type" not in names:
            merged["Content-Type"] = content_type
        kind = "HEAD" if method == "HEAD" else "GET"
        if body is not None:
            kind = "POST" if method == "POST" else "PUT"
        transfer = Transfer(config, parsed, kind, body=body)
        transfer.word = method
        transfer.read_timeout = self.read_timeout
        transfer.cookies = self._jar()
        transfer.extra_headers = ["Expect:"] if "expect" not in names else []
        transfer.extra_headers += header_lines(merged)
        incoming = await fetcher.fetch(transfer)
        assert isinstance(incoming, Incoming)  # file:// is the command's alone
        heads = transfer.result.heads
        return incoming, Response(transfer, incoming.head, heads[:-1], b"")

    # ---- what is shared

    def _parsed(self, text: str) -> Url:
        """Take a URL apart, unless it was the last one as well."""
        last = self._last_url
        if last is None or last[0] != text:
            last = self._last_url = text, parse_url(text, default_scheme="http")
        return last[1]

    @property
    def network(self) -> NetworkLike:
        """Brought up by the first request, unless it was given."""
        network = self._network
        if network is not None and not self._is_closed:
            return network
        with self._opening:
            if self._is_closed:
                raise errors.UsageError(CLOSED)
            if self._network is None:
                from pycurl_redox.network import open_network

                self._network = open_network(self._nic, background=self._background)
            return self._network

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the network; `AbortedError` when `close`, in another thread, ends it."""
        try:
            network = self.network
        except BaseException:
            coroutine.close()
            raise
        try:
            return network.run(coroutine)
        except (
            StackError
        ) as error:  # those of a connection are `FetchError`s by now: it is the network itself
            why = "the client was closed meanwhile" if self._is_closed else str(error)
            raise errors.AbortedError(why) from error

    def _settings(self, timeout: float | None) -> tuple[OperationConfig, Fetcher]:
        if self._fetchers is None:
            routing = Routing(self._config, os.environ, lambda text: None)
            self._fetchers = self._config, Fetcher(self.network, self._pool, routing, self._make_tls)
        config, fetcher = self._fetchers
        if timeout is not None and timeout != config.max_time:
            timed = self._timed
            if timed is None or timed.max_time != timeout:
                timed = self._timed = _changed(config, max_time=timeout)
            config = timed
        return config, fetcher

    def _make_tls(self, options: TlsOptions) -> TlsSettings:
        from pycurl_redox.tls_settings import TlsSettings

        return TlsSettings(options, os.environ, sessions=self._tls_sessions)

    def _jar(self) -> CookieJar:
        if self._cookies is None:
            from pycurl_redox.cookies import CookieJar

            self._cookies = CookieJar()
        return self._cookies

    def close(self) -> None:
        """End the connections in order, and the network, if it is ours.

        What other threads still wait for ends in `AbortedError`; whatever is
        asked of a closed client, in `UsageError`.
        """
        with self._opening:
            network, fetchers = self._network, self._fetchers
            self._is_closed = True
            self._network = self._fetchers = None
            if network is None:
                return
        try:
            if fetchers is not None:
                network.run(fetchers[1].close())
        finally:
            if self._owns_network:
                network.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _certificate_files(
    cert: str | tuple[str, str] | tuple[str, str, str],
) -> tuple[str, str | None, str | None]:
    if isinstance(cert, str):
        return cert, None, None
    return cert[0], cert[1], cert[2] if len(cert) == 3 else None


def _rules(addresses: Iterable[str]) -> list[str]:
    rules = [addresses] if isinstance(addresses, str) else list(addresses)
    if rules:
        from pycurl_redox.address_policy import AddressPolicy

        try:
            AddressPolicy.parse(rules, ())
        except ValueError as error:
            raise errors.ArgumentError(f"address rules: {error}") from error
    return rules


def _changed(config: OperationConfig, **fields: Any) -> OperationConfig:
    changed = OperationConfig()
    changed.__dict__.update(config.__dict__, **fields)
    return changed
