"""What ICMP and ICMPv6 say, for both families at once (RFC 792, RFC 4443, RFC 5927).

An error that came in is a `ReportedError`: what happened, who says so, and
the packet it is about.  An error to be sent is made by `error_about`, which
also knows when to keep silent.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tcpip.device import Buffer
from tcpip.errors import ConnectRefusedError, StackError, UnreachableError
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.icmpv4 import Icmpv4Message, QuotedPacket
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import ICMP, ICMPV6

ERRORS_PER_SECOND = 10.0
ERROR_BURST = 10.0
"""RFC 4443 §2.4 (f) wants a limit and suggests these."""

_MAX_ERROR_IPV4 = 576
_MAX_ERROR_IPV6 = 1280
_PLATEAUS = (32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 552)
"""What to try when a router does not name the MTU (RFC 1191 §7.1)."""


class IcmpKind(Enum):
    """What an error says, with the sentence for the user."""

    NETWORK_UNREACHABLE = "network unreachable"
    HOST_UNREACHABLE = "host unreachable"
    PROTOCOL_UNREACHABLE = "protocol unreachable"
    PORT_UNREACHABLE = "port unreachable"
    PROHIBITED = "prohibited by a filter"
    PACKET_TOO_BIG = "packet too big"
    TIME_EXCEEDED = "time to live exceeded"
    PARAMETER_PROBLEM = "parameter problem"


class ReportedError(NamedTuple):
    """An ICMP error that came in."""

    kind: IcmpKind
    reporter: IpAddress
    quoted: QuotedPacket
    mtu: int = 0
    """Of PACKET_TOO_BIG: what would have passed."""
    code: int = 0

    def as_exception(self) -> StackError:
        """Make the error that a socket raises."""
        text = f"ICMP from {self.reporter}: {self.kind.value}, {self.quoted.destination}"
        if self.kind in (IcmpKind.PORT_UNREACHABLE, IcmpKind.PROTOCOL_UNREACHABLE):
            return ConnectRefusedError(text)
        return UnreachableError(text)

    @property
    def ping_text(self) -> str:
        """Word it as iputils' ping does."""
        return ping_text(self.kind, self.reporter, self.mtu)


_PING_TEXTS_V4 = {
    IcmpKind.NETWORK_UNREACHABLE: "Destination Net Unreachable",
    IcmpKind.HOST_UNREACHABLE: "Destination Host Unreachable",
    IcmpKind.PROTOCOL_UNREACHABLE: "Destination Protocol Unreachable",
    IcmpKind.PORT_UNREACHABLE: "Destination Port Unreachable",
    IcmpKind.PROHIBITED: "Packet filtered",
    IcmpKind.PACKET_TOO_BIG: "Frag needed and DF set (mtu = {mtu})",
    IcmpKind.TIME_EXCEEDED: "Time to live exceeded",
    IcmpKind.PARAMETER_PROBLEM: "Parameter problem",
}
_PING_TEXTS_V6 = {
    IcmpKind.NETWORK_UNREACHABLE: "Destination unreachable: No route",
    IcmpKind.HOST_UNREACHABLE: "Destination unreachable: Address unreachable",
    IcmpKind.PROTOCOL_UNREACHABLE: "Parameter problem: Unknown header",
    IcmpKind.PORT_UNREACHABLE: "Destination unreachable: Port unreachable",
    IcmpKind.PROHIBITED: "Destination unreachable: Administratively prohibited",
    IcmpKind.PACKET_TOO_BIG: "Packet too big: mtu={mtu}",
    IcmpKind.TIME_EXCEEDED: "Time exceeded: Hop limit",
    IcmpKind.PARAMETER_PROBLEM: "Parameter problem: Wrong header field",
}


def ping_text(kind: IcmpKind, address: IpAddress, mtu: int = 0) -> str:
    """Word an error of the family of `address` as iputils' ping does."""
    return (_PING_TEXTS_V4 if address.version == 4 else _PING_TEXTS_V6)[kind].format(mtu=mtu)


def read_error(message: Icmpv4Message | Icmpv6Message, reporter: IpAddress) -> ReportedError | None:
    """Understand an error; None for those that nobody acts on, MalformedPacketError for a bad quotation."""
    if isinstance(message, Icmpv4Message):
        kind = _kind_v4(message)
        if kind is None:
            return None
        quoted = icmpv4.parse_quoted(message.body)
        mtu = 0
        if kind is IcmpKind.PACKET_TOO_BIG:
            mtu = message.next_hop_mtu or _plateau_below(int.from_bytes(message.body[2:4], "big"))
        return ReportedError(kind, reporter, quoted, mtu, message.code)
    kind = _kind_v6(message)
    if kind is None:
        return None
    mtu = message.value if kind is IcmpKind.PACKET_TOO_BIG else 0
    return ReportedError(kind, reporter, icmpv6.parse_quoted(message.body), mtu, message.code)


def _kind_v4(message: Icmpv4Message) -> IcmpKind | None:
    if message.type == icmpv4.DESTINATION_UNREACHABLE:
        match message.code:
            case icmpv4.PROTOCOL_UNREACHABLE:
                return IcmpKind.PROTOCOL_UNREACHABLE
            case icmpv4.PORT_UNREACHABLE:
                return IcmpKind.PORT_UNREACHABLE
            case icmpv4.FRAGMENTATION_NEEDED:
                return IcmpKind.PACKET_TOO_BIG
            case icmpv4.NETWORK_PROHIBITED | icmpv4.HOST_PROHIBITED | icmpv4.COMMUNICATION_PROHIBITED:
                return IcmpKind.PROHIBITED
            case icmpv4.NETWORK_UNREACHABLE | 6 | 11:
                return IcmpKind.NETWORK_UNREACHABLE
            case _:
                return IcmpKind.HOST_UNREACHABLE
    if message.type == icmpv4.TIME_EXCEEDED:
        return IcmpKind.TIME_EXCEEDED
    return IcmpKind.PARAMETER_PROBLEM if message.type == icmpv4.PARAMETER_PROBLEM else None


def _kind_v6(message: Icmpv6Message) -> IcmpKind | None:
    match message.type:
        case icmpv6.DESTINATION_UNREACHABLE:
            match message.code:
                case icmpv6.NO_ROUTE:
                    return IcmpKind.NETWORK_UNREACHABLE
                case icmpv6.PORT_UNREACHABLE:
                    return IcmpKind.PORT_UNREACHABLE
                case icmpv6.PROHIBITED | 5 | 6:
                    return IcmpKind.PROHIBITED
                case _:
                    return IcmpKind.HOST_UNREACHABLE
        case icmpv6.PACKET_TOO_BIG:
            return IcmpKind.PACKET_TOO_BIG
        case icmpv6.TIME_EXCEEDED:
            return IcmpKind.TIME_EXCEEDED
        case icmpv6.PARAMETER_PROBLEM:
            # A next header that the peer does not know is a protocol that it does not have.
            if message.code == icmpv6.UNRECOGNIZED_NEXT_HEADER:
                return IcmpKind.PROTOCOL_UNREACHABLE
            return IcmpKind.PARAMETER_PROBLEM
        case _:
            return None


def _plateau_below(size: int) -> int:
    return next((plateau for plateau in _PLATEAUS if plateau < size), _PLATEAUS[-1])


def error_about(
    packet: Ipv4Packet | Ipv6Packet,
    types: tuple[tuple[int, int], tuple[int, int]],
    source: IpAddress,
    value: int = 0,
) -> Ipv4Packet | Ipv6Packet | None:
    """Make an error for the sender of a packet; None where silence is due (RFC 1122 §3.2.2, RFC 4443 §2.4).

    `types` are type and code in IPv4 and in IPv6.
    """
    sender = packet.source
    if sender.is_unspecified or sender.is_multicast or sender.is_broadcast or packet.fragment_offset:
        return None
    if isinstance(packet, Ipv4Packet):
        if packet.protocol == ICMP and not (packet.payload and packet.payload[0] in (0, 8)):
            return None  # never about an error, or what might be one
        kind, code = types[0]
        quoted = packet.build()[: _MAX_ERROR_IPV4 - 28]
        body = Icmpv4Message(kind, code, value, quoted).build()
        return Ipv4Packet(source, sender, ICMP, body)
    if packet.protocol == ICMPV6 and not (packet.payload and packet.payload[0] >= 128):
        return None
    kind, code = types[1]
    quoted = packet.build()[: _MAX_ERROR_IPV6 - 48]
    body = Icmpv6Message(kind, code, value, quoted).build(source, sender)
    return Ipv6Packet(source, sender, ICMPV6, body)


PORT_UNREACHABLE = ((3, 3), (1, 4))
PROTOCOL_UNREACHABLE = ((3, 2), (4, 1))
REASSEMBLY_TIME_EXCEEDED = ((11, 1), (3, 1))


def parameter_problem(code: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Types and codes of a parameter problem; `code` is IPv6's."""
    return (12, 0), (4, code)


def echo_packet(
    source: IpAddress,
    destination: IpAddress,
    echo: tuple[int, int, Buffer],
    *,
    is_reply: bool,
    hop_limit: int = 64,
) -> Ipv4Packet | Ipv6Packet:
    """Make an echo request or reply of (identifier, sequence, data)."""
    identifier, sequence, data = echo
    if source.version == 4:
        body = Icmpv4Message.echo(identifier, sequence, data, is_reply=is_reply).build()
        return Ipv4Packet(source, destination, ICMP, body, hop_limit)
    body = Icmpv6Message.echo(identifier, sequence, data, is_reply=is_reply).build(source, destination)
    return Ipv6Packet(source, destination, ICMPV6, body, hop_limit)


class RateLimiter:
    """A token bucket: so many at once, so many a second."""

    __slots__ = ("_tokens", "_when")

    def __init__(self) -> None:
        self._tokens = ERROR_BURST
        self._when = 0.0

    def allows(self, now: float) -> bool:
        self._tokens = min(ERROR_BURST, self._tokens + (now - self._when) * ERRORS_PER_SECOND)
        self._when = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
