"""ICMPv6 messages (RFC 4443); those of neighbour discovery are in `ndisc`.

 0                   1                   2                   3
+---------------+---------------+-------------------------------+
|     Type      |     Code      |          Checksum             |
+---------------+---------------+-------------------------------+
|  value: identifier and sequence, MTU, pointer, ...            |
+---------------------------------------------------------------+
|  data, or the packet that the error is about                  |
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import Buffer, checksum, is_valid, ones_sum, pseudo_header_sum
from tcpip.wire.icmpv4 import QuotedPacket
from tcpip.wire.protocols import DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ICMPV6, ROUTING

DESTINATION_UNREACHABLE = 1
PACKET_TOO_BIG = 2
TIME_EXCEEDED = 3
PARAMETER_PROBLEM = 4
ECHO_REQUEST = 128
ECHO_REPLY = 129

NO_ROUTE = 0
PROHIBITED = 1
ADDRESS_UNREACHABLE = 3
PORT_UNREACHABLE = 4
UNRECOGNIZED_NEXT_HEADER = 1

FIRST_INFORMATIONAL_TYPE = 128
"""Types below are errors (RFC 4443 §2.1)."""

HEADER_SIZE = 8
_HEADER = struct.Struct("!BBHI")


class Icmpv6Message(NamedTuple):
    """A message of any type; `value` are the four octets after the checksum."""

    type: int
    code: int
    value: int
    body: Buffer

    @classmethod
    def echo(cls, identifier: int, sequence: int, data: Buffer, *, is_reply: bool = False) -> Self:
        return cls(ECHO_REPLY if is_reply else ECHO_REQUEST, 0, identifier << 16 | sequence, data)

    @classmethod
    def parse(cls, data: Buffer, source: bytes, destination: bytes) -> Self:
        """Read a message between two addresses, which its checksum covers; the body is a slice of `data`."""
        if len(data) < HEADER_SIZE:
            raise MalformedPacketError(f"ICMPv6: {len(data)} octets, need {HEADER_SIZE}")
        if not is_valid(pseudo_header_sum(source, destination, ICMPV6, len(data)) + ones_sum(data)):
            raise MalformedPacketError("ICMPv6: checksum is wrong")
        kind, code, _, value = _HEADER.unpack_from(data)
        return cls(kind, code, value, data[HEADER_SIZE:])

    @property
    def identifier(self) -> int:
        return self.value >> 16

    @property
    def sequence(self) -> int:
        return self.value & 0xFFFF

    def build(self, source: bytes, destination: bytes) -> bytes:
        header = _HEADER.pack(self.type, self.code, 0, self.value)
        length = HEADER_SIZE + len(self.body)
        pseudo = pseudo_header_sum(source, destination, ICMPV6, length)
        check = checksum(pseudo + ones_sum(header) + ones_sum(self.body))
        return header[:2] + check.to_bytes(2, "big") + header[4:] + self.body


def parse_quoted(data: Buffer) -> QuotedPacket:
    """Read the packet in an error's body, over extension headers, as far as it came back."""
    if len(data) < 48:
        raise MalformedPacketError(f"ICMPv6: {len(data)} octets quoted, need 48")
    if data[0] >> 4 != 6:
        raise MalformedPacketError("ICMPv6: what is quoted is no IPv6 packet")
    protocol, offset = data[6], 40
    while protocol in (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS):
        if len(data) < offset + 8:
            raise MalformedPacketError("ICMPv6: the quoted packet is cut off in its extension headers")
        if protocol == FRAGMENT and int.from_bytes(data[offset + 2 : offset + 4], "big") & 0xFFF8:
            raise MalformedPacketError("ICMPv6: what is quoted is not a first fragment")
        size = 8 if protocol == FRAGMENT else 8 + data[offset + 1] * 8
        protocol, offset = data[offset], offset + size
    if len(data) < offset + 8:
        raise MalformedPacketError("ICMPv6: the quoted packet is cut off before its ports")
    return QuotedPacket(IpAddress(data[8:24]), IpAddress(data[24:40]), protocol, bytes(data[offset:]))
