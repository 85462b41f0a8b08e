"""What the guest is told when the host says no: one table from errno to reset or ICMP error."""

from __future__ import annotations

import errno
from enum import Enum

from tcpip.wire import icmpv4, icmpv6


class Refusal(Enum):
    """An answer; ICMP ones as (IPv4 code, IPv6 code) of "destination unreachable"."""

    RESET = (-1, -1)
    SILENCE = (-2, -2)
    NO_ROUTE = (icmpv4.NETWORK_UNREACHABLE, icmpv6.NO_ROUTE)
    HOST = (icmpv4.HOST_UNREACHABLE, icmpv6.ADDRESS_UNREACHABLE)
    PORT = (icmpv4.PORT_UNREACHABLE, icmpv6.PORT_UNREACHABLE)
    PROHIBITED = (icmpv4.COMMUNICATION_PROHIBITED, icmpv6.PROHIBITED)


_TABLE = {
    errno.ECONNREFUSED: Refusal.RESET,
    errno.ECONNRESET: Refusal.RESET,
    errno.EHOSTUNREACH: Refusal.HOST,
    errno.EHOSTDOWN: Refusal.HOST,
    errno.ENETUNREACH: Refusal.NO_ROUTE,
    errno.ENETDOWN: Refusal.NO_ROUTE,
    errno.EADDRNOTAVAIL: Refusal.NO_ROUTE,  # ::1 on a host without IPv6, or no port left
    errno.EAFNOSUPPORT: Refusal.NO_ROUTE,
    errno.EINVAL: Refusal.NO_ROUTE,  # an address that cannot be connected to
    errno.EACCES: Refusal.PROHIBITED,
    errno.EPERM: Refusal.PROHIBITED,  # the host's firewall
    errno.ETIMEDOUT: Refusal.SILENCE,
}


def refusal_of(number: int | None) -> Refusal:
    """The answer for an errno; a host that is out of descriptors or memory resets."""
    return _TABLE.get(number or 0, Refusal.RESET)
