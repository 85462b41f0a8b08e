"""Names for a network: the hosts file, then DNS over the network's own stack.

The machine's files are read when a name is first looked for, so that a
literal address costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tcpip.dns import Cache, ResolverConfig, known_addresses
from tcpip.errors import ResolveError
from tcpip.hosts import parse_hosts, parse_resolv_conf
from tcpip.sockets import TcpStream
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from pycurl_redox.dial_options import NameOptions
    from pycurl_redox.name_servers import ServerSockets
    from pycurl_redox.network import Network
    from tcpip.udp import UdpSocket
    from tcpip.wire.dns import ServiceBinding

HOSTS_FILE = "/etc/hosts"
RESOLV_CONF = "/etc/resolv.conf"
MAX_FILE = 4 << 20
"""Octets read of either; blocklists kept as hosts files are a few megabytes."""
DNS_PORT = 53


class NameResolver:
    """The resolver of one network, with its cache."""

    def __init__(
        self, network: Network, random_bytes: Callable[[int], bytes], options: NameOptions | None = None
    ) -> None:
        self._network = network
        self._host = network.host
        self._options = options
        self._random_bytes = random_bytes
        self._asked = 0
        self._cache = Cache()
        self._hosts = parse_hosts(_read(HOSTS_FILE))
        self._settings = parse_resolv_conf(_read(RESOLV_CONF))

    async def resolve(self, name: str, family: int, deadline: float | None) -> list[IpAddress]:
        """Find the addresses, the best first; `ResolveError`."""
        known = known_addresses(name, family, self._hosts)
        found = list(known) if known is not None else await self._look_up(name, family, deadline)
        if len(found) < 2 or found[0].is_loopback:
            return found
        from tcpip.destinations import in_order

        return in_order(found, self._network.source_for)

    async def _look_up(self, name: str, family: int, deadline: float | None) -> list[IpAddress]:
        from tcpip.lookup import lookup

        config = self._resolver_config(name)
        return await lookup(self, config, self._cache, self._random_bytes, name, family, deadline)

    async def services(self, name: str, deadline: float | None) -> tuple[ServiceBinding, ...]:
        """Find the HTTPS records of a name; `ResolveError`."""
        from tcpip.lookup import lookup_services

        config = self._resolver_config(name)
        return await lookup_services(self, config, self._cache, self._random_bytes, name, deadline)

    def _resolver_config(self, name: str) -> ResolverConfig:
        servers = self._servers()
        if not servers:
            raise ResolveError(f"DNS: {name}: no resolver came by DHCP or router advertisement")
        settings = self._settings
        self._asked += 1
        return ResolverConfig(
            servers=tuple(address for address, _ in servers),
            ports=tuple(port for _, port in servers),
            first=self._asked if settings.rotate else 0,
            search=self._host.stack.search_domains() or settings.search,
            ndots=settings.ndots,
            timeout=settings.timeout,
            attempts=settings.attempts,
            hosts=self._hosts,
        )

    def _servers(self) -> list[tuple[IpAddress, int]]:
        """Address and port of each: the user's, else those of the network."""
        options, usernet = self._options, self._network.usernet
        if options is not None and options.servers:
            return list(options.servers)
        found = self._host.stack.dns_servers()
        if usernet is not None:
            # Both addresses of the user-mode network's DNS are one relay: asking both would double the wait.
            # Whoever chooses the end of the questions speaks to the host's resolvers himself.
            found = usernet.config.resolvers if options is not None and options.is_bound else found[:1]
        return [(address, DNS_PORT) for address in found]

    def needs_dns(self, name: str, family: int) -> bool:
        """Tell whether servers have to be asked; NameNotFoundError for what no server may be asked."""
        return known_addresses(name, family, self._hosts) is None

    def name_of(self, address: IpAddress) -> str | None:
        """The first name that the hosts file gives an address."""
        return next((name for name, found in self._hosts.items() if address in found), None)

    # what `tcpip.lookup` asks of its host

    def now(self) -> float:
        return self._host.now()

    def open_udp(self) -> UdpSocket | ServerSockets:
        if self._options is None:
            return self._host.stack.udp_open()
        from pycurl_redox.name_servers import ServerSockets

        return ServerSockets(self._host.stack, self._network.usernet, self._options)

    async def open_tcp(self, address: IpAddress, port: int, deadline: float) -> TcpStream:
        if self._options is None:
            return await self._network.connect(address, port, deadline)
        from pycurl_redox.name_servers import check_own_end, stream_options

        if self._network.usernet is None:
            check_own_end(self._host.stack, self._options, address)
            return await self._network.connect(address, port, deadline)
        return await self._network.connect(
            address, port, deadline, stream_options(self._options, address.version)
        )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(MAX_FILE)
    except OSError:
        return ""
