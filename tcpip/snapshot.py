"""The state of a stack in plain values, for `redox-netcfg` and for logs."""

from __future__ import annotations

from tcpip.counters import Counters
from tcpip.dhcp import DhcpClient
from tcpip.flows import Flows
from tcpip.net.ip import LOOPBACK_MTU, IpLayer
from tcpip.net.routes import LOOPBACK
from tcpip.wire.address import IpAddress
from tcpip.wire.ethernet import mac_text


def snapshot(
    ip: IpLayer,
    flows: Flows,
    dhcp: DhcpClient,
    dns_servers: tuple[IpAddress, ...],
    counters: Counters,
    now: float,
) -> dict[str, object]:
    """Interfaces, routes, neighbours, lease, resolvers, connections, counters; times in seconds from now."""
    return {
        "interfaces": [_loopback(), _interface(ip, now)],
        "routes": [
            {
                "destination": str(route.network),
                "gateway": str(route.gateway) if route.gateway is not None else None,
                "interface": route.interface,
                "metric": route.metric,
                "origin": route.origin,
                "expires": _left(route.expires_at, now),
            }
            for route in ip.routes
        ],
        "neighbors": [
            {
                "address": str(neighbor.address),
                "mac": mac_text(neighbor.mac) if neighbor.mac is not None else None,
                "state": neighbor.state.value,
                "router": neighbor.is_router,
            }
            for neighbor in ip.link.neighbors
        ],
        "dhcp": {"state": dhcp.state.value, "lease": _lease(dhcp, now)},
        "resolvers": [str(server) for server in dns_servers],
        "connections": [
            {
                "local": str(flow.local),
                "local_port": flow.connection.local_port,
                "remote": str(flow.remote),
                "remote_port": flow.connection.remote_port,
                "state": flow.connection.state.value,
            }
            for flow in flows
        ],
        "counters": _counters(counters, flows),
    }


def _counters(counters: Counters, flows: Flows) -> dict[str, int]:
    """Those of the stack, and of connections gone and living together."""
    shown = counters.as_dict()
    for flow in flows:
        shown["tcp_retransmissions"] += flow.connection.retransmissions
        shown["tcp_timeouts"] += flow.connection.timeouts
    return shown


def _loopback() -> dict[str, object]:
    return {
        "name": LOOPBACK,
        "mac": None,
        "mtu": LOOPBACK_MTU,
        "addresses": [
            {"address": "127.0.0.1", "prefix_length": 8, "origin": "kernel", "valid": None},
            {"address": "::1", "prefix_length": 128, "origin": "kernel", "valid": None},
        ],
    }


def _interface(ip: IpLayer, now: float) -> dict[str, object]:
    interface = ip.interface
    return {
        "name": interface.name,
        "mac": mac_text(interface.mac),
        "mtu": interface.link_mtu,
        "addresses": [
            {
                "address": str(local.address),
                "prefix_length": local.prefix_length,
                "origin": local.origin,
                "valid": _left(local.valid_until, now),
            }
            for local in interface
        ],
    }


def _lease(dhcp: DhcpClient, now: float) -> dict[str, object] | None:
    lease = dhcp.lease
    if lease is None:
        return None
    return {
        "address": str(lease.address),
        "prefix_length": lease.prefix_length,
        "server": str(lease.server),
        "routers": [str(router) for router in lease.routers],
        "dns_servers": [str(server) for server in lease.dns_servers],
        "domain": lease.domain,
        "mtu": lease.mtu,
        "renew": _left(lease.renew_at, now),
        "rebind": _left(lease.rebind_at, now),
        "expires": _left(lease.expires_at, now),
    }


def _left(when: float | None, now: float) -> float | None:
    return None if when is None else round(max(0.0, when - now), 3)
