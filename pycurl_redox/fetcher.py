"""What transfers share: `Fetcher`.

incoming = await fetcher.fetch(transfer)
while chunk := await incoming.read():
    ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pycurl_redox.compose import Credentials, compose
from pycurl_redox.fetch import Session
from pycurl_redox.incoming import Incoming
from pycurl_redox.message import Request
from pycurl_redox.pool import Names, Pool
from pycurl_redox.transfer import Transfer

if TYPE_CHECKING:
    from pycurl_redox.alt_svc import AltSvcCache
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.connection import Lookup
    from pycurl_redox.dial import NetworkLike
    from pycurl_redox.doh import DohResolver
    from pycurl_redox.file_url import FileTransfer
    from pycurl_redox.hsts import HstsCache
    from pycurl_redox.routing import Routing
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.tls_settings import TlsSettings
    from pycurl_redox.url import Url
    from tcpip.wire.dns import ServiceBinding

PlainKey = tuple["OperationConfig", "Url", str, str | None, tuple[str, ...], bool]


class Fetcher:
    """What transfers share: the network, the connections, what is known of routes and trust."""

    def __init__(
        self,
        network: NetworkLike,
        pool: Pool,
        routing: Routing,
        make_tls: Callable[[TlsOptions], TlsSettings],
        names: Names | None = None,
    ) -> None:
        self.network = network
        self.pool = pool
        self.routing = routing
        self.names = names
        self.hsts: HstsCache | None = None
        self.alt_svc: AltSvcCache | None = None
        self._make_tls = make_tls
        self._tls: dict[TlsOptions, TlsSettings] = {}
        self._doh: DohResolver | None = None
        self._plain: tuple[PlainKey, Request] | None = None

    def plain_request(self, transfer: Transfer, absolute: bool) -> Request | None:
        """Return the request of a transfer that only its URL and its settings decide; None where more does.

        The last one is kept: a program that asks for the same again gets the
        same request, and HTTP the same octets.
        """
        if transfer.body is not None or transfer.resume_from or transfer.cookies or transfer.result.referer:
            return None
        if (
            transfer.url is not transfer.first_url
            or transfer.met_http10
            or transfer.method not in ("GET", "HEAD")
        ):
            return None
        key = (
            transfer.config,
            transfer.url,
            transfer.method,
            transfer.word,
            tuple(transfer.extra_headers),
            absolute,
        )
        if self._plain is None or self._plain[0] != key:
            self._plain = key, compose(transfer, Credentials(), absolute=absolute, trusted=True)
        return self._plain[1]

    def tls(self, options: TlsOptions) -> TlsSettings:
        """Made when the first connection needs it: plain http loads no TLS."""
        settings = self._tls.get(options)
        if settings is None:
            settings = self._tls[options] = self._make_tls(options)
        return settings

    def lookup(self, transfer: Transfer) -> Lookup | None:
        """Return who finds addresses in the network's place: --doh-url."""
        if not transfer.config.doh_url:
            return None
        if self._doh is None:
            from pycurl_redox.doh import DohResolver

            self._doh = DohResolver(self, transfer.config)
        doh, observer = self._doh, transfer.observer
        return lambda name, family, deadline: doh.resolve(name, family, deadline, observer)

    async def services(
        self, transfer: Transfer, name: str, deadline: float | None
    ) -> tuple[ServiceBinding, ...]:
        """Return a name's HTTPS records (RFC 9460), by DoH where that is in use."""
        if self.lookup(transfer) is not None:
            assert self._doh is not None
            return await self._doh.services(name, deadline, transfer.observer)
        dial = self.routing.dial
        return await self.network.services(name, deadline, dial.names if dial is not None else None)

    async def fetch(self, transfer: Transfer) -> Incoming | FileTransfer:
        """Return the final response, its body still to be read; FetchError with curl's exit code."""
        return await Session(self, transfer).run()

    async def close(self) -> None:
        """Let go of the connections that rest."""
        for connection in self.pool.take_all():
            await connection.close(self.network.now() + 1.0)
