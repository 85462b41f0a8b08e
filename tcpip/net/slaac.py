"""Routers and prefixes of an IPv6 link: discovery and autoconfiguration (RFC 4861 §6.3, RFC 4862, RFC 8106).

Deviates from RFC 4861 §6.3.7: the first solicitation goes out at once, for
somebody waits.  The interface identifier comes from the MAC (RFC 2464 §4).
"""

from __future__ import annotations

from collections.abc import Callable

from tcpip.net.interface import Interface, LocalAddress
from tcpip.net.routes import Route, RoutingTable
from tcpip.wire.address import IpAddress, IpNetwork
from tcpip.wire.ipv6 import MIN_MTU
from tcpip.wire.ndisc import INFINITE_LIFETIME, PrefixInformation, RouterAdvertisement

MAX_SOLICITATIONS = 3
SOLICITATION_INTERVAL = 4.0
MAX_DNS_SERVERS = 4
TWO_HOURS = 7200.0
"""RFC 4862 §5.5.3 (e): a forged advertisement cannot shorten a lifetime below this."""

LINK_LOCAL = IpNetwork.parse("fe80::/64")
_DEFAULT = IpNetwork.parse("::/0")
_ORIGIN = "ra"


def interface_identifier(mac: bytes) -> bytes:
    """Modified EUI-64 (RFC 4291 appendix A)."""
    return bytes((mac[0] ^ 2, mac[1], mac[2], 0xFF, 0xFE, mac[3], mac[4], mac[5]))


def address_in(network: IpNetwork, mac: bytes) -> IpAddress:
    """Make the address of a host in a /64."""
    return IpAddress(network.address[:8] + interface_identifier(mac))


class RouterDiscovery:
    """Asks for routers, and does what they say."""

    def __init__(
        self, interface: Interface, routes: RoutingTable, add_address: Callable[[LocalAddress, float], None]
    ) -> None:
        self._interface = interface
        self._routes = routes
        self._add_address = add_address
        self._deadline: float | None = None
        self._solicitations = 0
        self._is_due = False
        self._dns: dict[IpAddress, float | None] = {}
        self.search: tuple[str, ...] = ()

    def dns_servers(self, now: float) -> tuple[IpAddress, ...]:
        return tuple(a for a, until in self._dns.items() if until is None or until > now)

    def start(self, now: float) -> None:
        self._solicit(now)

    def next_solicitation(self) -> bool:
        """Tell whether a router solicitation is to be sent now; each is told once."""
        is_due, self._is_due = self._is_due, False
        return is_due

    def next_timeout(self) -> float | None:
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        if self._deadline is not None and self._deadline <= now:
            self._solicit(now)

    def receive_advertisement(
        self, advertisement: RouterAdvertisement, router: IpAddress, now: float
    ) -> None:
        """Take an advertisement, whose hop limit and sender the caller has checked (RFC 4861 §6.1.2)."""
        interface = self._interface
        if advertisement.hop_limit:
            interface.hop_limit = advertisement.hop_limit
        if advertisement.mtu is not None and MIN_MTU <= advertisement.mtu <= interface.link_mtu:
            interface.set_mtu(6, advertisement.mtu)
        if advertisement.router_lifetime:
            self._deadline = None
            expires = now + advertisement.router_lifetime
            self._routes.add(Route(_DEFAULT, interface.name, router, 0, _ORIGIN, expires))
        else:
            self._routes.remove(_DEFAULT, router, _ORIGIN)
        for prefix in advertisement.prefixes:
            if not prefix.network.address.is_link_local and not prefix.network.address.is_multicast:
                self._take_prefix(prefix, now)
        self._take_dns(advertisement, now)

    def _solicit(self, now: float) -> None:
        self._is_due = True
        self._solicitations += 1
        self._deadline = now + SOLICITATION_INTERVAL if self._solicitations < MAX_SOLICITATIONS else None

    def _take_prefix(self, prefix: PrefixInformation, now: float) -> None:
        if prefix.is_on_link:
            if prefix.valid_lifetime:
                expires = _until(prefix.valid_lifetime, now)
                route = Route(prefix.network, self._interface.name, None, 0, _ORIGIN, expires)
                self._routes.add(route)
            else:
                self._routes.remove(prefix.network, None, _ORIGIN)
        if (
            prefix.is_autonomous
            and prefix.network.prefix_length == 64
            and prefix.preferred_lifetime <= prefix.valid_lifetime
        ):
            self._take_autonomous(prefix, now)

    def _take_autonomous(self, prefix: PrefixInformation, now: float) -> None:
        """RFC 4862 §5.5.3 (d) and (e)."""
        address = address_in(prefix.network, self._interface.mac)
        valid, preferred = _until(prefix.valid_lifetime, now), _until(prefix.preferred_lifetime, now)
        known = self._interface.find(address)
        if known is None:
            if prefix.valid_lifetime:
                self._add_address(LocalAddress(address, 64, "slaac", valid, preferred), now)
            return
        self._interface.touch()
        known.preferred_until = preferred
        if valid is None or valid > now + TWO_HOURS:
            known.valid_until = valid
        elif known.valid_until is None or known.valid_until > now + TWO_HOURS:
            known.valid_until = now + TWO_HOURS
        elif valid > known.valid_until:
            known.valid_until = valid

    def _take_dns(self, advertisement: RouterAdvertisement, now: float) -> None:
        for server in advertisement.dns_servers:
            self._dns.pop(server, None)
            if advertisement.dns_lifetime and len(self._dns) < MAX_DNS_SERVERS:
                self._dns[server] = _until(advertisement.dns_lifetime, now)
        if advertisement.dns_search:
            self.search = advertisement.dns_search[:MAX_DNS_SERVERS]


def _until(lifetime: int, now: float) -> float | None:
    return None if lifetime == INFINITE_LIFETIME else now + lifetime
