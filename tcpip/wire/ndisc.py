"""Neighbour discovery: the five ICMPv6 messages' bodies and their options (RFC 4861 §4, RFC 8106 for DNS).

Each class is what an `Icmpv6Message` of its type means: `parse(message)`
reads `value` and `body`, `build()` makes the message.  Options that are not
known are skipped; an option of length 0 refuses the packet (§4.6).
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IPV6_ANY, IpAddress, IpNetwork
from tcpip.wire.checksum import Buffer
from tcpip.wire.icmpv6 import Icmpv6Message

ROUTER_SOLICITATION = 133
ROUTER_ADVERTISEMENT = 134
NEIGHBOR_SOLICITATION = 135
NEIGHBOR_ADVERTISEMENT = 136

HOP_LIMIT = 255
"""A message that was forwarded has less, and is not to be believed (RFC 4861 §7.1)."""

INFINITE_LIFETIME = 0xFFFFFFFF
MAX_OPTIONS = 64

_SOURCE_LINK_LAYER = 1
_TARGET_LINK_LAYER = 2
_PREFIX = 3
_MTU = 5
_RDNSS = 25
_DNSSL = 31

_ON_LINK, _AUTONOMOUS = 0x80, 0x40
_ROUTER, _SOLICITED, _OVERRIDE = 1 << 31, 1 << 30, 1 << 29
_ADVERTISEMENT = struct.Struct("!II")
_PREFIX_INFORMATION = struct.Struct("!BBBBIII16s")


def solicited_node(address: bytes) -> IpAddress:
    """The group that a neighbour with this address listens to (RFC 4291 §2.7.1)."""
    return IpAddress(bytes.fromhex("ff0200000000000000000001ff") + address[13:])


class RouterSolicitation(NamedTuple):
    """A host asks for advertisements; the MAC is there unless the host has no address yet."""

    source_mac: bytes | None = None

    @classmethod
    def parse(cls, message: Icmpv6Message) -> Self:
        return cls(_link_layer(_options(message.body), _SOURCE_LINK_LAYER))

    def build(self) -> Icmpv6Message:
        return Icmpv6Message(ROUTER_SOLICITATION, 0, 0, _mac_option(_SOURCE_LINK_LAYER, self.source_mac))


class PrefixInformation(NamedTuple):
    """A prefix of the link (RFC 4861 §4.6.2); lifetimes in seconds, `INFINITE_LIFETIME` for ever."""

    network: IpNetwork
    valid_lifetime: int = INFINITE_LIFETIME
    preferred_lifetime: int = INFINITE_LIFETIME
    is_on_link: bool = True
    is_autonomous: bool = True


class RouterAdvertisement(NamedTuple):
    """What a router tells of the link; 0 and None where it does not say."""

    hop_limit: int = 0
    router_lifetime: int = 0
    """Seconds as a default router; 0: it is none."""
    reachable_time: int = 0
    """Milliseconds."""
    retransmit_time: int = 0
    """Milliseconds."""
    flags: int = 0
    source_mac: bytes | None = None
    mtu: int | None = None
    prefixes: tuple[PrefixInformation, ...] = ()
    dns_servers: tuple[IpAddress, ...] = ()
    dns_lifetime: int = 0
    """Seconds that `dns_servers` may be used."""
    dns_search: tuple[str, ...] = ()

    @classmethod
    def parse(cls, message: Icmpv6Message) -> Self:
        body = message.body
        if len(body) < 8:
            raise MalformedPacketError("ND: router advertisement is cut short")
        reachable, retransmit = _ADVERTISEMENT.unpack_from(body)
        options = _options(body[8:])
        servers, dns_lifetime = _dns_servers(options)
        return cls(
            message.value >> 24,
            message.value & 0xFFFF,
            reachable,
            retransmit,
            message.value >> 16 & 0xFF,
            _link_layer(options, _SOURCE_LINK_LAYER),
            next(
                (int.from_bytes(o[4:8], "big") for kind, o in options if kind == _MTU and len(o) == 8), None
            ),
            tuple(_prefix(o) for kind, o in options if kind == _PREFIX),
            servers,
            dns_lifetime,
            tuple(name for kind, o in options if kind == _DNSSL for name in _names(o[8:])),
        )

    def build(self) -> Icmpv6Message:
        body = _ADVERTISEMENT.pack(self.reachable_time, self.retransmit_time)
        body += _mac_option(_SOURCE_LINK_LAYER, self.source_mac)
        if self.mtu is not None:
            body += struct.pack("!BBHI", _MTU, 1, 0, self.mtu)
        for p in self.prefixes:
            flags = (_ON_LINK if p.is_on_link else 0) | (_AUTONOMOUS if p.is_autonomous else 0)
            body += _PREFIX_INFORMATION.pack(
                _PREFIX,
                4,
                p.network.prefix_length,
                flags,
                p.valid_lifetime,
                p.preferred_lifetime,
                0,
                p.network.address,
            )
        if self.dns_servers:
            size = 1 + 2 * len(self.dns_servers)
            body += struct.pack("!BBHI", _RDNSS, size, 0, self.dns_lifetime) + b"".join(self.dns_servers)
        if self.dns_search:
            names = b"".join(_name(name) for name in self.dns_search)
            names += bytes(-len(names) % 8)
            body += struct.pack("!BBHI", _DNSSL, 1 + len(names) // 8, 0, self.dns_lifetime) + names
        value = self.hop_limit << 24 | self.flags << 16 | self.router_lifetime
        return Icmpv6Message(ROUTER_ADVERTISEMENT, 0, value, body)


class NeighborSolicitation(NamedTuple):
    """Who has `target`?  Without a MAC it asks whether anybody has it (duplicate address detection)."""

    target: IpAddress
    source_mac: bytes | None = None

    @classmethod
    def parse(cls, message: Icmpv6Message) -> Self:
        target, options = _target(message)
        return cls(target, _link_layer(options, _SOURCE_LINK_LAYER))

    def build(self) -> Icmpv6Message:
        body = self.target + _mac_option(_SOURCE_LINK_LAYER, self.source_mac)
        return Icmpv6Message(NEIGHBOR_SOLICITATION, 0, 0, body)


class NeighborAdvertisement(NamedTuple):
    """I have `target`."""

    target: IpAddress
    target_mac: bytes | None = None
    is_router: bool = False
    is_solicited: bool = False
    is_override: bool = True

    @classmethod
    def parse(cls, message: Icmpv6Message) -> Self:
        target, options = _target(message)
        value = message.value
        return cls(
            target,
            _link_layer(options, _TARGET_LINK_LAYER),
            bool(value & _ROUTER),
            bool(value & _SOLICITED),
            bool(value & _OVERRIDE),
        )

    def build(self) -> Icmpv6Message:
        value = (
            (_ROUTER if self.is_router else 0)
            | (_SOLICITED if self.is_solicited else 0)
            | (_OVERRIDE if self.is_override else 0)
        )
        body = self.target + _mac_option(_TARGET_LINK_LAYER, self.target_mac)
        return Icmpv6Message(NEIGHBOR_ADVERTISEMENT, 0, value, body)


def _target(message: Icmpv6Message) -> tuple[IpAddress, list[tuple[int, Buffer]]]:
    if len(message.body) < 16:
        raise MalformedPacketError("ND: no target address")
    target = IpAddress(message.body[:16])
    if target.is_multicast or target == IPV6_ANY:
        raise MalformedPacketError(f"ND: target {target} is no unicast address")
    return target, _options(message.body[16:])


def _options(data: Buffer) -> list[tuple[int, Buffer]]:
    """Cut options apart: kind, and all octets of the option, its kind and length included."""
    options: list[tuple[int, Buffer]] = []
    while data:
        size = data[1] * 8 if len(data) > 1 else 0
        if size == 0 or size > len(data):
            raise MalformedPacketError(f"ND: option {data[0]} has length {size} of {len(data)}")
        if len(options) == MAX_OPTIONS:
            raise MalformedPacketError(f"ND: more than {MAX_OPTIONS} options")
        options.append((data[0], data[:size]))
        data = data[size:]
    return options


def _link_layer(options: list[tuple[int, Buffer]], wanted: int) -> bytes | None:
    for kind, option in options:
        if kind == wanted and len(option) == 8:
            return bytes(option[2:8])
    return None


def _mac_option(kind: int, mac: bytes | None) -> bytes:
    return b"" if mac is None else bytes((kind, 1)) + mac


def _prefix(option: Buffer) -> PrefixInformation:
    if len(option) != 32:
        raise MalformedPacketError(f"ND: prefix option of {len(option)} octets, not 32")
    _, _, length, flags, valid, preferred, _, address = _PREFIX_INFORMATION.unpack(option)
    if length > 128:
        raise MalformedPacketError(f"ND: prefix length {length}")
    return PrefixInformation(
        IpNetwork.of(IpAddress(address), length),
        valid,
        preferred,
        bool(flags & _ON_LINK),
        bool(flags & _AUTONOMOUS),
    )


def _dns_servers(options: list[tuple[int, Buffer]]) -> tuple[tuple[IpAddress, ...], int]:
    servers: list[IpAddress] = []
    lifetime = 0
    for kind, option in options:
        if kind != _RDNSS:
            continue
        if len(option) < 24 or len(option) % 16 != 8:
            raise MalformedPacketError(f"ND: RDNSS option of {len(option)} octets")
        lifetime = max(lifetime, int.from_bytes(option[4:8], "big"))
        servers += [IpAddress(option[i : i + 16]) for i in range(8, len(option), 16)]
    return tuple(servers), lifetime


def _name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.split(".")]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _names(data: Buffer) -> list[str]:
    """Read domain names without compression (RFC 8106 §5.2); zeros fill the option up."""
    names: list[str] = []
    labels: list[str] = []
    i = 0
    while i < len(data):
        size = data[i]
        if size > 63 or i + 1 + size > len(data):
            raise MalformedPacketError("ND: DNSSL name is malformed")
        if size:
            label = bytes(data[i + 1 : i + 1 + size])
            if not label.isascii() or b"." in label:
                raise MalformedPacketError("ND: DNSSL label is malformed")
            labels.append(label.decode("ascii"))
        elif labels:
            names.append(".".join(labels))
            labels = []
        i += 1 + size
    if labels:
        raise MalformedPacketError("ND: DNSSL name has no end")
    return names
