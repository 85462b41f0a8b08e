"""News of the stack, from `Stack.next_event`."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from tcpip.wire.address import IpAddress


class Lease(NamedTuple):
    """What a DHCP server gave; times in seconds of the host's clock, None: for ever."""

    address: IpAddress
    prefix_length: int
    server: IpAddress
    routers: tuple[IpAddress, ...] = ()
    dns_servers: tuple[IpAddress, ...] = ()
    domain: str | None = None
    mtu: int | None = None
    renew_at: float | None = None
    rebind_at: float | None = None
    expires_at: float | None = None


class AddressConfigured(NamedTuple):
    """An address can be used from now on; `origin` is static, dhcp, slaac or link-local."""

    address: IpAddress
    prefix_length: int
    origin: str


class AddressRemoved(NamedTuple):
    """An address cannot be used any more: it ran out, was taken back, or somebody else has it."""

    address: IpAddress
    reason: str


class AddressConflict(NamedTuple):
    """Somebody else on the link claims an address of ours."""

    address: IpAddress
    mac: bytes


class LeaseObtained(NamedTuple):
    """The DHCP server gave or renewed a lease."""

    lease: Lease


class LeaseLost(NamedTuple):
    """The lease ran out or was taken back."""

    address: IpAddress
    reason: str


class NeighborFailed(NamedTuple):
    """A neighbour did not answer; what waited for it has been told."""

    address: IpAddress


Event: TypeAlias = (
    AddressConfigured | AddressRemoved | AddressConflict | LeaseObtained | LeaseLost | NeighborFailed
)
