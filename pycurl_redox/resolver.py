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
from tcpip.sockets import TcpStream, connect
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from tcpip.host import Host
    from tcpip.udp import UdpSocket

HOSTS_FILE = "/etc/hosts"
RESOLV_CONF = "/etc/resolv.conf"
MAX_FILE = 4 << 20
"""Octets read of either; blocklists kept as hosts files are a few megabytes."""


class NameResolver:
    """The resolver of one network, with its cache."""

    def __init__(
        self, host: Host, random_bytes: Callable[[int], bytes], max_servers: int | None = None
    ) -> None:
        self._host = host
        self._max_servers = max_servers
        self._random_bytes = random_bytes
        self._cache = Cache()
        self._hosts = parse_hosts(_read(HOSTS_FILE))
        self._settings = parse_resolv_conf(_read(RESOLV_CONF))

    async def resolve(self, name: str, family: int, deadline: float | None) -> list[IpAddress]:
        """Find the addresses, IPv6 first; `ResolveError`."""
        known = known_addresses(name, family, self._hosts)
        if known is not None:
            return list(known)
        from tcpip.lookup import lookup

        servers = self._host.stack.dns_servers()[: self._max_servers]
        if not servers:
            raise ResolveError(f"DNS: {name}: no resolver came by DHCP or router advertisement")
        settings = self._settings
        config = ResolverConfig(
            servers=servers,
            search=self._host.stack.search_domains() or settings.search,
            ndots=settings.ndots,
            timeout=settings.timeout,
            attempts=settings.attempts,
            hosts=self._hosts,
        )
        return await lookup(self, config, self._cache, self._random_bytes, name, family, deadline)

    def needs_dns(self, name: str, family: int) -> bool:
        """Tell whether servers have to be asked; NameNotFoundError for what no server may be asked."""
        return known_addresses(name, family, self._hosts) is None

    def name_of(self, address: IpAddress) -> str | None:
        """The first name that the hosts file gives an address."""
        return next((name for name, found in self._hosts.items() if address in found), None)

    # what `tcpip.lookup` asks of its host

    def now(self) -> float:
        return self._host.now()

    def open_udp(self) -> UdpSocket:
        return self._host.stack.udp_open()

    async def open_tcp(self, address: IpAddress, port: int, deadline: float) -> TcpStream:
        return await connect(self._host, address, port, deadline)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(MAX_FILE)
    except OSError:
        return ""
