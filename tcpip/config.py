"""What can be set on a stack, with the reason of each default."""

from __future__ import annotations

from typing import NamedTuple

from tcpip.tcp.config import TcpConfig
from tcpip.wire.address import IpAddress


class StaticAddress(NamedTuple):
    """An address with the length of its network's prefix."""

    address: IpAddress
    prefix_length: int

    @classmethod
    def parse(cls, text: str) -> StaticAddress:
        """Read `10.0.2.15/24`."""
        address, _, length = text.partition("/")
        parsed = IpAddress.parse(address)
        return cls(parsed, int(length) if length else parsed.bits)


class StackConfig(NamedTuple):
    """The network side of a host; the defaults are those of a host that knows nothing yet."""

    addresses: tuple[StaticAddress, ...] = ()
    gateways: tuple[IpAddress, ...] = ()
    """Default routers, the first of each family is used."""
    dns_servers: tuple[IpAddress, ...] = ()
    dhcp: bool = True
    """Ask for an IPv4 address and the rest by DHCP."""
    router_advertisements: bool = True
    """Take IPv6 addresses, routes and resolvers from routers; also makes the link-local address."""
    host_name: str = ""
    interface_name: str = "eth0"
    tcp: TcpConfig = TcpConfig()
    max_connections: int = 16_384
    """TCP connections of all states; twice what a thousand fetches at once leave in TIME-WAIT."""
    max_sockets: int = 1_024
    """UDP sockets, and as many for echo."""
