"""What a user-mode network is told: addresses, resolvers, and a bound for everything that could grow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tcpip.wire.address import IpAddress, IpNetwork

if TYPE_CHECKING:
    from tcpip.usernet.impair import ImpairConfig

GATEWAY_HOST, DNS_HOST, GUEST_HOST = 2, 3, 15
"""Host parts of the addresses, those of QEMU's user network."""

_FIRST_IPV4 = IpAddress(bytes((10, 0, 2, 0)))
_FIRST_IPV6 = IpAddress(bytes((0xFD, 0, 0, 2)) + bytes(12))


def at(network: IpNetwork, host: int) -> IpAddress:
    """The address of a network with this host part."""
    value = int.from_bytes(network.address, "big") + host
    return IpAddress(value.to_bytes(len(network.address), "big"))


def choose_network(taken: Sequence[IpNetwork], wanted: Collection[IpAddress] | None = None) -> IpNetwork:
    """Pick the first of 10.0.2.0/24, 10.0.3.0/24, ... that hides nothing the host can reach.

    `taken` are the host's own networks.  A network that overlaps one of them
    is passed over if one of our three addresses of it is `wanted`; with None,
    when nobody knows yet what will be wanted, any overlap counts.
    """
    return _choose(IpNetwork(_FIRST_IPV4, 24), taken, wanted)


def choose_network6(taken: Sequence[IpNetwork], wanted: Collection[IpAddress] | None = None) -> IpNetwork:
    """The same for fd00:2::/64, fd00:3::/64, ..."""
    return _choose(IpNetwork(_FIRST_IPV6, 64), taken, wanted)


def _choose(first: IpNetwork, taken: Sequence[IpNetwork], wanted: Collection[IpAddress] | None) -> IpNetwork:
    bits = first.address.bits
    step = 1 << (8 if bits == 32 else 96)
    start = int.from_bytes(first.address, "big")
    for i in range(253):
        address = IpAddress((start + i * step).to_bytes(bits // 8, "big"))
        candidate = IpNetwork(address, first.prefix_length)
        ours = {at(candidate, host) for host in (GATEWAY_HOST, DNS_HOST, GUEST_HOST)}
        is_hidden = any(_overlap(candidate, other) for other in taken)
        if not is_hidden or (wanted is not None and not ours.intersection(wanted)):
            return candidate
    return first


def _overlap(one: IpNetwork, other: IpNetwork) -> bool:
    return one.address in other or other.address in one


class UserNetConfig(NamedTuple):
    """All that can be set; the defaults are QEMU's addresses."""

    network: IpNetwork = IpNetwork(_FIRST_IPV4, 24)
    network6: IpNetwork | None = IpNetwork(_FIRST_IPV6, 64)
    """None: no router advertisement, IPv4 only."""
    guest_mac: bytes = b"\x52\x54\x00\x12\x34\x56"
    gateway_mac: bytes = b"\x52\x55\x0a\x00\x02\x02"
    mtu: int = 1_500
    resolvers: tuple[IpAddress, ...] = ()
    """Where questions to the DNS address go, in this order; none: port unreachable."""
    lease_time: int = 86_400
    verify_checksums: bool = True
    """Check what the guest computed; nothing is checked that it left to the device."""

    max_tcp_flows: int = 4_096
    """A descriptor each; more are answered with a reset."""
    max_udp_flows: int = 1_024
    """The one idle longest makes room."""
    max_echo_flows: int = 64
    max_forwards: int = 4_096
    """Loopback rules; the oldest makes room."""
    max_queued_frames: int = 256
    """Answers that wait for the guest's receive buffers; the next is dropped, as on a wire."""
    max_fragments: int = 256
    """Fragments held for packets that are not whole, in all; a packet of 64 KiB at MTU 1500 has 45."""
    fragment_timeout: float = 15.0
    connect_timeout: float = 75.0
    """How long the host may try to connect; silence then, so that the guest's own time-out decides."""
    idle_timeout: float = 7_200.0
    """TCP without a segment."""
    linger_timeout: float = 10.0
    """How long a closed flow still answers a repeated FIN; several retransmissions of it."""
    udp_timeout: float = 60.0
    max_retransmissions: int = 10
    """Without a sign of life; with doubling from 0.2 s that is minutes."""
    quantum: int = 262_144
    """Octets that one flow may send before the next has its turn."""
    turn_budget: int = 4_194_304
    """Octets moved to the guest in one `service`."""
    impair: ImpairConfig | None = None

    @property
    def gateway(self) -> IpAddress:
        return at(self.network, GATEWAY_HOST)

    @property
    def dns(self) -> IpAddress:
        return at(self.network, DNS_HOST)

    @property
    def guest(self) -> IpAddress:
        return at(self.network, GUEST_HOST)

    @property
    def gateway6(self) -> IpAddress | None:
        return at(self.network6, GATEWAY_HOST) if self.network6 else None

    @property
    def dns6(self) -> IpAddress | None:
        return at(self.network6, DNS_HOST) if self.network6 else None
