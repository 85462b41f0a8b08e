"""In which order addresses of a host are tried: RFC 6724 §6, as far as a source address tells.

`source_of` gives the address that would be sent from, or None where there is
no way.  Rules 3, 4 and 7 (deprecated, home, encapsulated) have nothing to say
here; rule 9 is for IPv6, where prefixes mean something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tcpip.wire.address import IpAddress, IpNetwork

# RFC 6724 §2.1: prefix, precedence, label; the longest prefix that fits.
_POLICY = tuple(
    (IpNetwork.parse(prefix), precedence, label)
    for prefix, precedence, label in (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 35, 4),
        ("::/96", 1, 3),
        ("2001::/32", 5, 5),
        ("2002::/16", 30, 2),
        ("3ffe::/16", 1, 12),
        ("fec0::/10", 1, 11),
        ("fc00::/7", 3, 13),
        ("::/0", 40, 1),
    )
)
_MAPPED = bytes(10) + b"\xff\xff"
_LINK_LOCAL, _SITE_LOCAL, _GLOBAL = 0x2, 0x5, 0xE


def in_order(
    addresses: Sequence[IpAddress], source_of: Callable[[IpAddress], IpAddress | None]
) -> list[IpAddress]:
    """Return the addresses, the best first; what no rule tells apart stays in its order (rule 10)."""
    return sorted(addresses, key=lambda address: _rank(address, source_of(address)))


def _rank(address: IpAddress, source: IpAddress | None) -> tuple[int, ...]:
    """The smaller, the sooner."""
    precedence, label = _policy(address)
    if source is None:
        return 1, 0, 0, -precedence, _scope(address), 0  # rule 1: there is no way
    return (
        0,
        _scope(address) != _scope(source),  # rule 2
        label != _policy(source)[1],  # rule 5
        -precedence,  # rule 6
        _scope(address),  # rule 8
        -_common_prefix(address, source) if len(address) == len(source) == 16 else 0,  # rule 9
    )


def _policy(address: IpAddress) -> tuple[int, int]:
    mapped = IpAddress(_MAPPED + address) if len(address) == 4 else address
    for network, precedence, label in _POLICY:
        if mapped in network:
            return precedence, label
    raise AssertionError  # ::/0 holds everything


def _scope(address: IpAddress) -> int:
    """RFC 6724 §3.1 and §3.2."""
    if len(address) == 16 and address.is_multicast:
        return address[1] & 0x0F
    if address.is_link_local or address.is_loopback:
        return _LINK_LOCAL
    if len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0xC0:
        return _SITE_LOCAL
    return _GLOBAL


def _common_prefix(one: IpAddress, other: IpAddress) -> int:
    """Bits that are alike, of the first 64 (RFC 6724 §2.2)."""
    differing = int.from_bytes(one[:8], "big") ^ int.from_bytes(other[:8], "big")
    return 64 - differing.bit_length()
