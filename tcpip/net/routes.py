"""The routing table: there is one, and everything that routes asks it.

The longest prefix wins, among equals the lowest metric, among these the
oldest route.  A table of a host has a handful of entries, and whoever sends
often keeps the answer, so it is a sorted list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tcpip.wire.address import IpAddress, IpNetwork

LOOPBACK = "lo"
"""Name of the interface that leads back into this host."""

MAX_ROUTES = 256
"""Routers may advertise many prefixes; no host needs so many."""


class Route(NamedTuple):
    """Where packets for a network go; no gateway: the destination itself is the neighbour."""

    network: IpNetwork
    interface: str
    gateway: IpAddress | None = None
    metric: int = 0
    origin: str = "static"
    expires_at: float | None = None
    mtu: int | None = None

    @property
    def is_loopback(self) -> bool:
        return self.interface == LOOPBACK


class RoutingTable:
    """Routes of both families."""

    def __init__(self) -> None:
        self._routes: list[Route] = [
            Route(IpNetwork.parse("127.0.0.0/8"), LOOPBACK, origin="kernel"),
            Route(IpNetwork.parse("::1"), LOOPBACK, origin="kernel"),
        ]
        self.version = 0
        """Goes up with each change, so that answers may be kept until then."""

    def __iter__(self) -> Iterator[Route]:
        return iter(tuple(self._routes))

    def add(self, route: Route) -> bool:
        """Enter a route, in place of the one with the same network, gateway and origin; False: table full."""
        identity = _identity(route)
        kept = [r for r in self._routes if _identity(r) != identity]
        if len(kept) >= MAX_ROUTES:
            return False
        kept.append(route)
        kept.sort(key=lambda r: (-r.network.prefix_length, r.metric))
        self._set(kept)
        return True

    def remove(self, network: IpNetwork, gateway: IpAddress | None, origin: str) -> None:
        self._set([r for r in self._routes if _identity(r) != (network, gateway, origin)])

    def remove_origin(self, origin: str) -> None:
        """Forget all that one source of routes has entered."""
        self._set([r for r in self._routes if r.origin != origin])

    def lookup(self, destination: IpAddress) -> Route | None:
        for route in self._routes:
            if destination in route.network:
                return route
        return None

    def next_timeout(self) -> float | None:
        return min((r.expires_at for r in self._routes if r.expires_at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Forget routes whose time is over."""
        self._set([r for r in self._routes if r.expires_at is None or r.expires_at > now])

    def _set(self, routes: list[Route]) -> None:
        if routes != self._routes:
            self._routes = routes
            self.version += 1


def _identity(route: Route) -> tuple[IpNetwork, IpAddress | None, str]:
    return route.network, route.gateway, route.origin
