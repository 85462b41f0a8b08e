"""Which way a transfer goes: proxy or not, --connect-to, --resolve, and whose login is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.config import AUTH_BASIC, AUTH_DIGEST
from pycurl_redox.message import Observer
from pycurl_redox.pool import Proxy, Route
from pycurl_redox.url import encode_text, normalize_ipv4, parse_url, scheme_of, unquote

if TYPE_CHECKING:
    from pycurl_redox.auth import Authenticator
    from pycurl_redox.config import OperationConfig
    from pycurl_redox.dial_options import DialOptions
    from pycurl_redox.resolve_rules import ResolveRules
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.transfer import Transfer
    from pycurl_redox.url import Url
    from tcpip.wire.address import IpAddress

PROXY_PORT = 1080
HTTPS_PROXY_PORT = 443
"""curl's ports for a proxy that names none."""

PROXY_KINDS = {
    "https": "https",
    "socks": "socks4",
    "socks4": "socks4",
    "socks4a": "socks4a",
    "socks5": "socks5",
    "socks5h": "socks5h",
}
"""By scheme; with http:// it is the option that says the kind."""

MAX_ROUTES = 1000
"""Ways remembered at most."""

DIAL_FIELDS = frozenset(
    (
        "interface", "local_ports", "unix_socket", "ip_tos", "vlan_priority", "tcp_fastopen",
        "dns_servers", "dns_interface", "dns_ipv4_addr", "dns_ipv6_addr",
    )
)  # fmt: skip
"""What `dial_options` makes something of, beside the address rules."""

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
        self._routes: dict[tuple[str, str, int], tuple[Route, list[str]]] = {}
        self._dial: tuple[DialOptions | None] | None = None

    def route(self, transfer: Transfer) -> Route:
        """Return the way to the transfer's current URL; the environment is asked once for each host."""
        url = transfer.url
        key = (url.scheme, url.host, url.port)
        found = self._routes.get(key)
        if found is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            notes: list[str] = []
            try:
                found = self._routes[key] = self._find_route(url, notes), notes
            except errors.FetchError:
                for text in notes:
                    transfer.observer.note(text)
                raise
        for text in found[1]:
            transfer.observer.note(text)
        return found[0]

    def _find_route(self, url: Url, notes: list[str]) -> Route:
        """Read the rules; `notes` takes what `-v` says each time."""
        config = self._config
        host = url.ascii_host()
        dial = self.dial
        is_local = dial is not None and dial.unix_socket is not None  # no proxy leads there
        proxy, socks = (None, None) if is_local else self._proxies(url, notes)
        dial_host, dial_port = self._redirected(host, url.port, notes)
        proxy_tls = self._proxy_tls_options(url) if proxy is not None and proxy.kind == "https" else None
        client = config.haproxy_clientip or ("" if config.haproxy_protocol else None)
        is_tunnel = proxy is not None and (
            config.proxytunnel or url.scheme == "https" or (dial_host, dial_port) != (host, url.port)
        )
        if proxy is not None and not is_tunnel:
            return Route(
                "", "", 0, "", 0, proxy,  # it leads everywhere
                family=config.ip_version, proxy_tls=proxy_tls, socks=socks, haproxy_client=client, dial=dial,
            )  # fmt: skip
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
            proxy_tls,
            socks,
            client,
            dial,
        )

    @property
    def dial(self) -> DialOptions | None:
        """What connections are made with; read when the first is wanted."""
        if self._dial is None:
            config, found = self._config, None
            if config.allow_address or config.deny_address or not DIAL_FIELDS.isdisjoint(vars(config)):
                from pycurl_redox.dial_options import dial_options

                found = dial_options(config)
            self._dial = (found,)
        return self._dial[0]

    def beside(self, config: OperationConfig) -> Routing:
        """Return the rules of another operation of the same command."""
        return Routing(config, self._environment, self._warn)

    def _tls_options(self) -> TlsOptions:
        if self._tls is None:
            from pycurl_redox.tls_options import server_options

            self._tls = server_options(self._config)
        return self._tls

    def _proxy_tls_options(self, url: Url) -> TlsOptions:
        """For an HTTPS proxy; ALPN is for URLs of https, as in curl."""
        from pycurl_redox.tls_options import proxy_options

        options = proxy_options(self._config)
        return options if url.scheme == "https" else options._replace(no_alpn=True)

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
        user, password, is_for_host = self._credentials(transfer, transfer.observer)
        if (user is None and config.oauth2_bearer is None) or config.aws_sigv4 is not None:
            return None
        if not is_for_host and not self.is_trusted(transfer):
            return None
        from pycurl_redox.auth import Authenticator

        bearer = encode_text(config.oauth2_bearer) if config.oauth2_bearer is not None else None
        return Authenticator(user, password or b"", config.auth, random_hex, bearer=bearer)

    def signer(self, transfer: Transfer) -> tuple[bytes, bytes] | None:
        """Return who signs a request for --aws-sigv4; nobody signs for other hosts than the first."""
        user, password, is_for_host = self._credentials(transfer, Observer())
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

    def load_resolve(self) -> Iterator[str]:
        """Take the rules of --resolve, and yield what `-v` says of them, before an error too."""
        if not self._config.resolve:
            return
        if self._rules is None:
            from pycurl_redox.resolve_rules import ResolveRules

            self._rules = ResolveRules(self._config.resolve)
        try:
            self._rules.load()
        finally:
            yield from self._rules.notes

    def fixed_addresses(self, host: str, port: int) -> list[IpAddress] | None:
        """Return what --resolve says of a host and port; None when it says nothing."""
        if not self._config.resolve:
            return None
        from tcpip.wire.address import IpAddress

        if self._rules is None:
            list(self.load_resolve())
        assert self._rules is not None
        found = self._rules.addresses(host, port)
        return [IpAddress.parse(text) for text in found] if found else None

    def _redirected(self, host: str, port: int, notes: list[str]) -> tuple[str, int]:
        """Apply --connect-to."""
        if not self._config.connect_to:
            return host, port
        from pycurl_redox.resolve_rules import connect_to

        found = connect_to(self._config.connect_to, host, port)
        if found is None:
            return host, port
        if found.host:
            notes.append(f"Connecting to hostname: {found.host}")
        if found.port is not None:
            notes.append(f"Connecting to port: {found.port}")
        if found.host:  # short and hexadecimal addresses mean here what they mean in a URL
            host = normalize_ipv4(found.host) or found.host
        return host, port if found.port is None else found.port

    def _proxies(self, url: Url, notes: list[str]) -> tuple[Proxy | None, Proxy | None]:
        """Return the proxy that speaks HTTP, and the SOCKS proxy before it, or instead of it."""
        config, environment = self._config, self._environment
        from pycurl_redox import noproxy

        named = [(config.proxy, config.proxy_kind), (config.preproxy, "http")]
        exempt = config.noproxy
        if exempt is None and (found := noproxy.environment_no_proxy(environment)):
            notes.append(f"Uses proxy env variable {found.variable} == '{found.value}'")
            exempt = found.value
        if exempt and noproxy.is_by_spaces(exempt):
            notes.append("space-separated NOPROXY patterns are deprecated")
        if noproxy.is_exempt(url.host, exempt or ""):
            return None, None
        if config.proxy is None and config.preproxy is None:
            found = noproxy.environment_proxy(url.scheme, environment)
            if found is not None:
                notes.append(f"Uses proxy env variable {found.variable} == '{found.value}'")
                named = [(found.value, "http")]
        proxies: dict[bool, Proxy] = {}
        for text, kind in named:
            if text:
                proxy = parse_proxy(text, kind)
                proxies[proxy.is_socks] = proxy
        http, socks = proxies.get(False), proxies.get(True)
        return (self._with_login(http), socks) if http else (None, self._with_login(socks))

    def _with_login(self, proxy: Proxy | None) -> Proxy | None:
        """Add -U; what the URL says wins, as in curl 7.88."""
        login = self._config.proxy_user
        if proxy is None or login is None or proxy.user is not None:
            return proxy
        user, _, password = login.partition(":")
        return proxy._replace(user=unquote(user), password=unquote(password))

    def _credentials(self, transfer: Transfer, observer: Observer) -> tuple[bytes | None, bytes | None, bool]:
        """-u wins over all; the user of the URL wins over .netrc, and a password of the file over the URL's.

        With --netrc-optional a password in the URL wins.  A redirect that names no login keeps that of the
        first URL.
        """
        config, url = self._config, transfer.url
        if config.user is not None:
            return *_split(encode_text(config.user)), False
        if url.login() is None and self.is_trusted(transfer):
            url = transfer.first_url
        user, password = url.login() or (None, None)
        if not (config.netrc or config.netrc_optional or config.netrc_file is not None):
            return user, password, False
        if config.netrc_optional and url.password is not None:
            return user, password, False
        found = self._netrc(transfer.url.host, user)
        if found is None:
            file = config.netrc_file or "(nil)"
            observer.note(f"Couldn't find host {transfer.url.host} in the {file} file; using defaults")
            return user, password, False
        found_user, found_password = found
        return user if user is not None else found_user, found_password or password or b"", True

    def _netrc(self, host: str, user: bytes | None) -> Pair | None:
        import os

        from pycurl_redox.config_file import account_home
        from pycurl_redox.netrc import MAX_FILE, find_login

        config = self._config
        path = config.netrc_file
        if not path:
            path = os.path.join(self._environment.get("HOME") or account_home() or "/", ".netrc")
        try:
            with open(path, "rb") as file:
                text = file.read(MAX_FILE).decode("utf-8", "surrogateescape")
            found = find_login(text, host, user.decode("utf-8", "surrogateescape") if user else None)
        except OSError:
            return None  # also where --netrc-file names it, as in curl 7.88
        if found is None or (found.user is None and found.password is None):
            return None
        return encode_text(found.user or ""), encode_text(found.password or "")


def parse_proxy(text: str, kind: str = "http") -> Proxy:
    """Read `[scheme://][user:password@]host[:port]`; `kind` is that of one without a scheme, or with http.

    `localhost/PATH` is a SOCKS proxy on a Unix socket.
    """
    scheme = scheme_of(text)
    if scheme and scheme != "http" and scheme not in PROXY_KINDS:
        raise errors.ConnectFailedError(f"Unsupported proxy scheme for '{text}'")
    rest = text[len(scheme) + 1 :].lstrip("/") if scheme else text
    is_bad = rest.startswith("/") or (not scheme and rest.endswith(":"))
    try:
        url = parse_url("" if is_bad else f"http://{rest}")
        login = url.login()
    except errors.FetchError as error:
        raise errors.ProxyResolveError(f"Unsupported proxy syntax in '{text}'") from error
    kind = PROXY_KINDS.get(scheme, kind)
    port = url.port if url.port_given else HTTPS_PROXY_PORT if kind == "https" else PROXY_PORT
    host = f"{url.host}%{url.zone}" if url.zone else url.ascii_host()
    user, password = login or (None, None)
    path = ""
    if kind.startswith("socks") and host.lower() == "localhost" and url.path != "/":
        path = unquote(url.path).decode("utf-8", "surrogateescape")
        host = f"localhost{path}"
    return Proxy(host, port, user, password, kind, path)


def _split(login: bytes) -> Pair:
    user, _, password = login.partition(b":")
    return user, password


def random_hex(digits: int) -> str:
    """Return so many hexadecimal digits that nobody can guess."""
    from pycurl_redox.chance import random_bytes

    return random_bytes((digits + 1) // 2).hex()[:digits]
