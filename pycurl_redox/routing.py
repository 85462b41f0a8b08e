"""Which way a transfer goes: proxy or not, --connect-to, --resolve, and whose login is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.config import AUTH_BASIC, AUTH_DIGEST
from pycurl_redox.pool import Proxy, Route
from pycurl_redox.url import encode_text, unquote

if TYPE_CHECKING:
    from pycurl_redox.auth import Authenticator
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.resolve_rules import ResolveRules
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.transfer import Transfer
    from pycurl_redox.url import Url
    from tcpip.wire.address import IpAddress

PROXY_PORT = 1080
"""curl's port for a proxy that names none."""

MAX_ROUTES = 1000
"""Ways remembered at most."""

Pair = tuple[bytes | None, bytes | None]


class Routing:
    """The rules of one operation; they are read once, when the first transfer asks."""

    def __init__(
        self, config: OperationConfig, environment: Mapping[str, str], warn: Callable[[str], None]
    ) -> None:
        self._config = config
        self._environment = environment
        self._warn = warn
        self._tls: TlsOptions | None = None
        self._rules: ResolveRules | None = None
        self._routes: dict[tuple[str, str, int], Route] = {}

    def route(self, transfer: Transfer) -> Route:
        """Return the way to the transfer's current URL; the environment is asked once for each host."""
        url = transfer.url
        key = (url.scheme, url.host, url.port)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            route = self._routes[key] = self._find_route(url)
        return route

    def _find_route(self, url: Url) -> Route:
        config = self._config
        host = url.ascii_host()
        dial_host, dial_port = self._redirected(host, url.port)
        proxy = self._proxy(url)
        is_tunnel = proxy is not None and (
            config.proxytunnel or url.scheme == "https" or (dial_host, dial_port) != (host, url.port)
        )
        if proxy is not None and not is_tunnel:
            return Route("", "", 0, "", 0, proxy, family=config.ip_version)  # it leads everywhere
        return Route(
            url.scheme,
            host.lower(),
            url.port,
            dial_host,
            dial_port,
            proxy,
            is_tunnel,
            config.ip_version,
            self._tls_options() if url.scheme == "https" else None,
        )

    def _tls_options(self) -> TlsOptions:
        if self._tls is None:
            from pycurl_redox.tls_options import server_options

            self._tls = server_options(self._config)
        return self._tls

    def is_trusted(self, transfer: Transfer) -> bool:
        """Say whether the current URL is of the host, port and scheme that the user named."""
        first, url = transfer.first_url, transfer.url
        same = (first.scheme, first.host.lower(), first.port) == (url.scheme, url.host.lower(), url.port)
        return same or self._config.location_trusted

    def login(self, transfer: Transfer) -> Authenticator | None:
        """Return who the user is to the current URL's host; None when nobody, or when it is not its business.

        What .netrc has for a host is for that host, wherever the redirect came from.
        """
        config = self._config
        user, password, is_for_host = self._credentials(transfer)
        if (user is None and config.oauth2_bearer is None) or config.aws_sigv4 is not None:
            return None
        if not is_for_host and not self.is_trusted(transfer):
            return None
        from pycurl_redox.auth import Authenticator

        bearer = encode_text(config.oauth2_bearer) if config.oauth2_bearer is not None else None
        return Authenticator(user or b"", password or b"", config.auth, random_hex, bearer=bearer)

    def signer(self, transfer: Transfer) -> tuple[bytes, bytes] | None:
        """Return who signs a request for --aws-sigv4; nobody signs for other hosts than the first."""
        user, password, is_for_host = self._credentials(transfer)
        if user is None or not (is_for_host or self.is_trusted(transfer)):
            return None
        return user, password or b""

    def proxy_login(self, proxy: Proxy) -> Authenticator:
        """Return who the user is to a proxy that has a user."""
        from pycurl_redox.auth import Authenticator

        config = self._config
        wanted = AUTH_BASIC
        if config.proxy_anyauth:
            wanted = AUTH_BASIC | AUTH_DIGEST
        elif config.proxy_digest:
            wanted = AUTH_DIGEST
        return Authenticator(proxy.user or b"", proxy.password or b"", wanted, random_hex)

    def load_resolve(self) -> list[str]:
        """Take the rules of --resolve, and return what `-v` says of them."""
        if not self._config.resolve:
            return []
        if self._rules is None:
            from pycurl_redox.resolve_rules import ResolveRules

            self._rules = ResolveRules(self._config.resolve)
        else:
            self._rules.load()
        return self._rules.notes

    def fixed_addresses(self, host: str, port: int) -> list[IpAddress] | None:
        """Return what --resolve says of a host and port; None when it says nothing."""
        if not self._config.resolve:
            return None
        from tcpip.wire.address import IpAddress

        if self._rules is None:
            self.load_resolve()
        assert self._rules is not None
        found = self._rules.addresses(host, port)
        return [IpAddress.parse(text) for text in found] if found else None

    def _redirected(self, host: str, port: int) -> tuple[str, int]:
        """Apply --connect-to."""
        if not self._config.connect_to:
            return host, port
        from pycurl_redox.resolve_rules import connect_to

        found = connect_to(self._config.connect_to, host, port)
        if found is None:
            return host, port
        return found.host or host, port if found.port is None else found.port

    def _proxy(self, url: Url) -> Proxy | None:
        config, environment = self._config, self._environment
        from pycurl_redox import noproxy

        text = config.proxy
        if text is None:
            found = noproxy.environment_proxy(url.scheme, environment)
            text = found.value if found else None
        if not text:
            return None
        exempt = config.noproxy
        if exempt is None:
            found = noproxy.environment_no_proxy(environment)
            exempt = found.value if found else ""
        if noproxy.is_exempt(url.host, exempt):
            return None
        proxy = parse_proxy(text, config.proxy_http10)
        if config.proxy_user is not None and proxy.user is None:  # the URL's own wins, as in curl 7.88
            user, password = _split(encode_text(config.proxy_user))
            proxy = proxy._replace(user=user, password=password)
        return proxy

    def _credentials(self, transfer: Transfer) -> tuple[bytes | None, bytes | None, bool]:
        """-u wins over the URL; .netrc stands in for both, or fills in with --netrc-optional.

        A redirect that names no login keeps that of the first URL.
        """
        url = transfer.url
        config = self._config
        if config.user is not None:
            return *_split(encode_text(config.user)), False
        kept = transfer.first_url.login() if self.is_trusted(transfer) else None
        user, password = url.login() or kept or (None, None)
        if not (config.netrc or config.netrc_optional or config.netrc_file is not None):
            return user, password, False
        if not config.netrc_optional:
            user = password = None
        elif user and password:
            return user, password, False
        found = self._netrc(url.host, user)
        return (user, password, False) if found is None else (*found, True)

    def _netrc(self, host: str, user: bytes | None) -> Pair | None:
        import os

        from pycurl_redox.netrc import find_login

        config = self._config
        path = config.netrc_file or os.path.join(self._environment.get("HOME", ""), ".netrc")
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                found = find_login(
                    file.read(), host, user.decode("utf-8", "surrogateescape") if user else None
                )
        except OSError:
            return None  # also where --netrc-file names it, as in curl 7.88
        if found is None or (found.user is None and found.password is None):
            return None
        return encode_text(found.user or ""), encode_text(found.password or "")


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
        user, password = (unquote(part) for part in login.partition(":")[::2])
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


def _split(login: bytes) -> Pair:
    user, _, password = login.partition(b":")
    return user, password


def random_hex(digits: int) -> str:
    """Return so many hexadecimal digits that nobody can guess."""
    from pycurl_redox.chance import random_bytes

    return random_bytes((digits + 1) // 2).hex()[:digits]
