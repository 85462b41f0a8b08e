"""The one interface of a host: its addresses, and which of them to use (RFC 6724)."""

from __future__ import annotations

from collections.abc import Iterator

from tcpip.errors import AddressError
from tcpip.wire.address import IPV4_BROADCAST, IPV6_LOOPBACK, IpAddress, IpNetwork
from tcpip.wire.ndisc import solicited_node

ALL_NODES_IPV4 = IpAddress.parse("224.0.0.1")
ALL_NODES = IpAddress.parse("ff02::1")
ALL_ROUTERS = IpAddress.parse("ff02::2")

MAX_ADDRESSES = 32
"""Routers may advertise many prefixes; each gives an address."""


class LocalAddress:
    """An address of ours; times None: for ever."""

    __slots__ = ("address", "is_tentative", "origin", "preferred_until", "prefix_length", "valid_until")

    def __init__(
        self,
        address: IpAddress,
        prefix_length: int,
        origin: str,
        valid_until: float | None = None,
        preferred_until: float | None = None,
    ) -> None:
        self.address = address
        self.prefix_length = prefix_length
        self.origin = origin
        self.valid_until = valid_until
        self.preferred_until = preferred_until
        self.is_tentative = False
        """Duplicate address detection runs; the address is used meanwhile (RFC 4429)."""


class Interface:
    """Name, MAC, MTU and addresses."""

    def __init__(self, name: str, mac: bytes, mtu: int) -> None:
        self.name = name
        self.mac = mac
        self.link_mtu = mtu
        self._mtus = {4: mtu, 6: mtu}
        self.hop_limit = 64
        """Of IPv6 packets; a router may say otherwise (RFC 4861 §6.3.4)."""
        self._addresses: dict[IpAddress, LocalAddress] = {}
        self._groups: frozenset[IpAddress] = frozenset()
        self.version = 0
        """Goes up when addresses or their lifetimes change."""
        self._update_groups()

    def __iter__(self) -> Iterator[LocalAddress]:
        return iter(list(self._addresses.values()))

    def mtu_of(self, version: int) -> int:
        """The largest packet of a family: the link's, or less when DHCP or a router said so."""
        return self._mtus[version]

    def set_mtu(self, version: int, mtu: int) -> None:
        self._mtus[version] = min(mtu, self.link_mtu)

    def find(self, address: IpAddress) -> LocalAddress | None:
        return self._addresses.get(address)

    def is_local(self, address: IpAddress) -> bool:
        """Tell whether packets for an address stay in this host."""
        return address in self._addresses or address.is_loopback

    def accepts(self, destination: IpAddress) -> bool:
        """Tell whether a packet from the link is for us: an address, a group or a broadcast."""
        return destination in self._addresses or destination in self._groups

    def is_group(self, destination: IpAddress) -> bool:
        """Tell whether others get a packet for this destination, too."""
        return destination.is_multicast or destination in self._groups

    def has_usable(self, version: int) -> bool:
        """Tell whether there is an address that reaches beyond the link."""
        return any(a.address.version == version and not a.address.is_link_local for a in self)

    def add(self, local: LocalAddress) -> bool:
        """Add an address or renew its times; False when there are too many."""
        if local.address not in self._addresses and len(self._addresses) == MAX_ADDRESSES:
            return False
        self._addresses[local.address] = local
        self._update_groups()
        return True

    def remove(self, address: IpAddress) -> None:
        self._addresses.pop(address, None)
        self._update_groups()

    def source_for(self, destination: IpAddress, now: float) -> IpAddress:
        """Choose our address for a destination by the rules of RFC 6724 §5 that apply to one interface.

        AddressError when there is none of the family.
        """
        if destination.is_loopback:
            return destination if destination.version == 4 else IPV6_LOOPBACK
        if destination in self._addresses:
            return destination
        candidates = [a for a in self._addresses.values() if len(a.address) == len(destination)]
        if not candidates:
            raise AddressError(f"IPv{destination.version}: no address of ours to reach {destination} from")
        return max(candidates, key=lambda a: _preference(a, destination, now)).address

    def next_timeout(self) -> float | None:
        return min((a.valid_until for a in self if a.valid_until is not None), default=None)

    def expired(self, now: float) -> list[LocalAddress]:
        """Take out addresses whose time is over."""
        gone = [a for a in self if a.valid_until is not None and a.valid_until <= now]
        for local in gone:
            self.remove(local.address)
        return gone

    def touch(self) -> None:
        """Take note that a lifetime has changed."""
        self.version += 1

    def _update_groups(self) -> None:
        self.version += 1
        groups = {ALL_NODES_IPV4, ALL_NODES, IPV4_BROADCAST}
        for local in self._addresses.values():
            if local.address.version == 6:
                groups.add(solicited_node(local.address))
            else:
                broadcast = IpNetwork.of(local.address, local.prefix_length).broadcast
                if broadcast is not None:
                    groups.add(broadcast)
        self._groups = frozenset(groups)


def _preference(local: LocalAddress, destination: IpAddress, now: float) -> tuple[bool, int, bool, int]:
    scope, wanted = _scope(local.address), _scope(destination)
    reaches = scope >= wanted
    return (
        reaches,  # rule 2: the smallest scope that is wide enough, else the widest
        -scope if reaches else scope,
        local.preferred_until is None or local.preferred_until > now,  # rule 3: not deprecated
        _common_prefix(local.address, destination),  # rule 8
    )


def _scope(address: IpAddress) -> int:
    """Scope as RFC 4291 §2.7 numbers it."""
    if address.version == 6 and address.is_multicast:
        return address[1] & 0x0F
    return 2 if address.is_link_local or address.is_loopback else 14


def _common_prefix(a: IpAddress, b: IpAddress) -> int:
    return a.bits - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()
