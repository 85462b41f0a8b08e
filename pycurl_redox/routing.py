"""Which way a transfer goes: proxy or not, --connect-to, --resolve, and whose login is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.config import AUTH_ANY, AUTH_BASIC, AUTH_BEARER, AUTH_DIGEST
from pycurl_redox.pool import Proxy, Route
from pycurl_redox.url import unquote

if TYPE_CHECKING:
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.transfer import Transfer
    from pycurl_redox.url import Url
    from tcpip.wire.address import IpAddress

PROXY_PORT = 1080
"""curl's port for a proxy that names none."""

Login = tuple[str | None, str | None, str | None]


class Routing:
    """The rules of one operation; they are read once, when the first transfer asks."""

    def __init__(
        self, config: OperationConfig, environment: Mapping[str, str], warn: Callable[[str], None]
    ) -> None:
        self._config = config
        self._environment = environment
        self._warn = warn
        self._tls_key = (config.insecure, config.cacert, config.capath, config.pinnedpubkey, config.no_alpn)
        self._addresses: dict[tuple[str, int], list[IpAddress]] | None = None

    def route(self, transfer: Transfer) -> Route:
        """Return the way to the transfer's current URL."""
        url, config = transfer.url, self._config
        host = url.ascii_host()
        dial_host, dial_port = self._redirected(host, url.port)
        proxy = self._proxy(url)
        is_tunnel = proxy is not None and (
            config.proxytunnel or url.scheme == "https" or (dial_host, dial_port) != (host, url.port)
        )
        return Route(
            url.scheme,
            host.lower(),
            url.port,
            dial_host,
            dial_port,
            proxy,
            is_tunnel,
            config.ip_version,
            self._tls_key if url.scheme == "https" else (),
        )

    def is_trusted(self, transfer: Transfer) -> bool:
        """Say whether the current URL is of the host, port and scheme that the user named."""
        first, url = transfer.first_url, transfer.url
        same = (first.scheme, first.host.lower(), first.port) == (url.scheme, url.host.lower(), url.port)
        return same or self._config.location_trusted

    def credentials(self, transfer: Transfer) -> Login:
        """Return user, password and bearer token for the current URL; None where there is none."""
        config, url = self._config, transfer.url
        bearer = config.oauth2_bearer
        user, password = _split(config.user)
        login = url.login()
        if config.user is None and login is not None:
            user, password = (part.decode("utf-8", "surrogateescape") for part in login)
        if config.netrc or config.netrc_optional or config.netrc_file is not None:
            user, password = self._netrc(url, user, password if login is None or login[1] else None, login)
        return user, password, bearer

    def proxy_auth(self) -> int:
        """Return the AUTH_* bits to try on the proxy."""
        config = self._config
        if config.proxy_anyauth:
            return AUTH_ANY & ~AUTH_BEARER
        return AUTH_DIGEST if config.proxy_digest else AUTH_BASIC

    def fixed_addresses(self, host: str, port: int) -> list[IpAddress] | None:
        """Return what --resolve says of a host and port; None when it says nothing."""
        if not self._config.resolve:
            return None
        if self._addresses is None:
            from pycurl_redox.resolve_rules import parse_resolve

            self._addresses = parse_resolve(self._config.resolve)
        found = self._addresses.get((host.lower(), port))
        return found if found is not None else self._addresses.get(("*", port))

    def _redirected(self, host: str, port: int) -> tuple[str, int]:
        """Apply --connect-to."""
        if not self._config.connect_to:
            return host, port
        from pycurl_redox.resolve_rules import connect_to

        return connect_to(self._config.connect_to, host, port)

    def _proxy(self, url: Url) -> Proxy | None:
        config, environment = self._config, self._environment
        text = config.proxy
        if text is None:
            text = _proxy_of_environment(url.scheme, environment)
        if not text:
            return None
        noproxy = config.noproxy
        if noproxy is None:
            noproxy = environment.get("no_proxy", environment.get("NO_PROXY", ""))
        if noproxy:
            from pycurl_redox.noproxy import is_excluded

            if is_excluded(url.host, noproxy):
                return None
        proxy = parse_proxy(text, config.proxy_http10)
        if config.proxy_user is not None:
            user, password = _split(config.proxy_user)
            proxy = proxy._replace(user=user, password=password)
        return proxy

    def _netrc(
        self, url: Url, user: str | None, password: str | None, login: tuple[bytes, bytes] | None
    ) -> tuple[str | None, str | None]:
        """A user and password of .netrc; --netrc-optional leaves those of the URL alone."""
        config = self._config
        if config.user is not None:
            return user, password
        if not config.netrc_optional:
            user = password = None
        elif user is not None and password:
            return user, password
        import os

        from pycurl_redox.netrc import find_login

        path = config.netrc_file or os.path.join(self._environment.get("HOME", ""), ".netrc")
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                found = find_login(file.read(), url.host, user)
        except OSError:
            if config.netrc_file is not None or not config.netrc_optional:
                if config.netrc_file is not None:
                    raise errors.ReadFailedError(f".netrc file missing: {path}") from None
            return user, password
        if found is None:
            return user, password
        return found.user or user, found.password if found.password is not None else password


def parse_proxy(text: str, is_http10: bool = False) -> Proxy:
    """Read `[http://][user:password@]host[:port]`."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    if scheme.lower() != "http":
        raise errors.ConnectFailedError(f"Unsupported proxy scheme for '{text}'")
    rest = rest.partition("/")[0]
    login, at, host = rest.rpartition("@")
    user = password = None
    if at:
        user, password = _split(login, decode=True)
    host, port = _split_port(host, text)
    if not host:
        raise errors.ProxyResolveError(f"Unsupported proxy syntax in '{text}'")
    return Proxy(host, port, user, password, is_http10)


def _split_port(text: str, whole: str) -> tuple[str, int]:
    if text.startswith("["):
        host, _, digits = text[1:].partition("]")
        digits = digits.removeprefix(":")
    else:
        host, _, digits = text.partition(":")
    if not digits:
        return host, PROXY_PORT
    if not digits.isdigit() or int(digits) > 0xFFFF:
        raise errors.ProxyResolveError(f"Unsupported proxy syntax in '{whole}'")
    return host, int(digits)


def _split(text: str | None, decode: bool = False) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    user, _, password = text.partition(":")
    if decode:
        user, password = (unquote(part).decode("utf-8", "surrogateescape") for part in (user, password))
    return user, password


def _proxy_of_environment(scheme: str, environment: Mapping[str, str]) -> str | None:
    """`HTTP_PROXY` in capitals is left alone: a CGI server sets it from a request's header."""
    names = ["http_proxy"] if scheme == "http" else [f"{scheme}_proxy", f"{scheme}_proxy".upper()]
    for name in (*names, "all_proxy", "ALL_PROXY"):
        if environment.get(name):
            return environment[name]
    return None
