"""Which addresses may be connected to: `--allow-address`, `--deny-address`.

The address that is judged is the one that is dialled next, so a name that
answers otherwise the second time leads nowhere else.  `private` is what the
IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) call not
globally reachable, but for `loopback` and `multicast`, which are words of
their own.  An IPv4 address inside of an IPv6 one is judged as well.  A unix
socket counts as loopback: it leads to this machine.

Who resolves a name for us is not judged (a resolver is configuration), nor
what a proxy connects to: of a proxy, its own address is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pycurl_redox.errors import AddressDeniedError
from tcpip.wire.address import IPV4_LOOPBACK, IPV6_LOOPBACK, IpAddress, IpNetwork

_WORDS = {
    "loopback": "127.0.0.0/8 ::1",  # RFC 1122 §3.2.1.3, RFC 4291 §2.5.3
    "multicast": "224.0.0.0/4 ff00::/8",
    "private": (
        "0.0.0.0/8 "  # this network, RFC 791 §3.2
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 "  # RFC 1918
        "100.64.0.0/10 "  # shared with the provider, RFC 6598
        "169.254.0.0/16 "  # link-local, RFC 3927: the metadata of clouds, too
        "192.0.0.0/24 "  # protocol assignments, RFC 6890
        "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 "  # documentation, RFC 5737
        "198.18.0.0/15 "  # benchmarking, RFC 2544
        "240.0.0.0/4 "  # reserved, RFC 1112 §4, and limited broadcast
        "64:ff9b:1::/48 "  # local translation, RFC 8215
        "100::/64 "  # discard only, RFC 6666
        "2001:2::/48 "  # benchmarking, RFC 5180
        "2001:db8::/32 3fff::/20 "  # documentation, RFC 3849, RFC 9637
        "5f00::/16 "  # segment routing, RFC 9602
        "fc00::/7 "  # unique local, RFC 4193
        "fe80::/10 fec0::/10"  # link-local, and site-local of old, RFC 3879
    ),
}

# Where an IPv6 address holds the IPv4 address that its packets come to in the end.
_EMBEDDED = (
    (IpNetwork.parse("64:ff9b::/96"), 12),  # RFC 6052 §2.1
    (IpNetwork.parse("2002::/16"), 2),  # RFC 3056 §2
    (IpNetwork.parse("::/96"), 12),  # RFC 4291 §2.5.5.1
)
_MAPPED = IpNetwork.parse("::ffff:0:0/96")  # RFC 4291 §2.5.5.2: the kernel makes IPv4 of it

Rule = tuple[str, IpNetwork]


class AddressPolicy(NamedTuple):
    """What may be connected to; equal ones may share connections, so it is part of a route."""

    allowed: tuple[Rule, ...] = ()
    """None at all: everything that is not denied."""
    denied: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, allow: Iterable[str], deny: Iterable[str]) -> AddressPolicy | None:
        """Read the lists of both options; None for none, ValueError for what is neither network nor word."""
        allowed, denied = _rules(allow), _rules(deny)
        return cls(allowed, denied) if allowed or denied else None

    def check(self, address: IpAddress, host: str) -> None:
        """AddressDeniedError unless a connection to this address of a host may be made."""
        real, *others = _forms(address)
        for word, network in self.denied:
            if real in network or any(other in network for other in others):
                raise AddressDeniedError(
                    f"Address {address} of {host} is refused: --deny-address {word} holds it"
                )
        if self.allowed and not any(real in network for _, network in self.allowed):
            raise AddressDeniedError(f"Address {address} of {host} is refused: no --allow-address holds it")

    def check_local(self, path: str) -> None:
        """The same for a unix socket."""
        try:
            self.check(IPV4_LOOPBACK, path)
        except AddressDeniedError:
            raise AddressDeniedError(
                f"Unix socket '{path}' is refused: it counts as loopback, which no address rule lets pass"
            ) from None


def permitted(
    policy: AddressPolicy,
    reached_by: Callable[[IpAddress], IpAddress],
    addresses: list[IpAddress],
    host: str,
    note: Callable[[str], None],
) -> list[IpAddress]:
    """Return those that pass, which are dialled as they are; AddressDeniedError when none does.

    `reached_by` tells where an address of the network's own leads to.
    """
    passed, refusal = [], None
    for address in addresses:
        try:
            policy.check(reached_by(address), host)
            policy.check(address, host)
        except AddressDeniedError as error:
            note(str(error))
            refusal = error
        else:
            passed.append(address)
    if refusal is not None and not passed:
        raise refusal
    return passed


def _forms(address: IpAddress) -> list[IpAddress]:
    """The address that a packet is sent to, then others that it leads to."""
    if address in _MAPPED:
        return _forms(IpAddress(address[12:]))
    if address.is_unspecified:  # to which Linux connects on this machine
        return [IPV4_LOOPBACK if address.version == 4 else IPV6_LOOPBACK, address]
    if address.is_loopback:
        return [address]
    return [address, *(IpAddress(address[at : at + 4]) for network, at in _EMBEDDED if address in network)]


def _rules(lists: Iterable[str]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for text in lists:
        for word in text.split(","):
            word = word.strip()
            if word:
                rules += [(word, network) for network in _networks(word)]
    return tuple(rules)


def _networks(word: str) -> list[IpNetwork]:
    texts = _WORDS.get(word.lower())
    if texts is not None:
        return [IpNetwork.parse(text) for text in texts.split()]
    if word.startswith("[") and "]" in word:
        word = word[1:].replace("]", "", 1)
    network = IpNetwork.parse(word)
    if network.address in _MAPPED and network.prefix_length >= _MAPPED.prefix_length:
        return [IpNetwork(IpAddress(network.address[12:]), network.prefix_length - _MAPPED.prefix_length)]
    return [network]
