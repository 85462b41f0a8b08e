"""ICMP messages (RFC 792, RFC 1191 for the MTU, RFC 1812 for the codes).

 0                   1                   2                   3
+---------------+---------------+-------------------------------+
|     Type      |     Code      |          Checksum             |
+---------------+---------------+-------------------------------+
|  value: identifier and sequence, or unused and MTU, ...       |
+---------------------------------------------------------------+
|  data, or the packet that the error is about                  |
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import Buffer, checksum, is_valid, ones_sum

ECHO_REPLY = 0
DESTINATION_UNREACHABLE = 3
ECHO_REQUEST = 8
TIME_EXCEEDED = 11
PARAMETER_PROBLEM = 12

NETWORK_UNREACHABLE = 0
HOST_UNREACHABLE = 1
PROTOCOL_UNREACHABLE = 2
PORT_UNREACHABLE = 3
FRAGMENTATION_NEEDED = 4
NETWORK_PROHIBITED = 9
HOST_PROHIBITED = 10
COMMUNICATION_PROHIBITED = 13

ERROR_TYPES = frozenset((DESTINATION_UNREACHABLE, 4, 5, TIME_EXCEEDED, PARAMETER_PROBLEM))

HEADER_SIZE = 8
_HEADER = struct.Struct("!BBHI")


class Icmpv4Message(NamedTuple):
    """A message of any type; `value` are the four octets after the checksum."""

    type: int
    code: int
    value: int
    body: Buffer

    @classmethod
    def echo(cls, identifier: int, sequence: int, data: Buffer, *, is_reply: bool = False) -> Self:
        return cls(ECHO_REPLY if is_reply else ECHO_REQUEST, 0, identifier << 16 | sequence, data)

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Read a message; the body is a slice of `data`."""
        if len(data) < HEADER_SIZE:
            raise MalformedPacketError(f"ICMP: {len(data)} octets, need {HEADER_SIZE}")
        if not is_valid(ones_sum(data)):
            raise MalformedPacketError("ICMP: checksum is wrong")
        kind, code, _, value = _HEADER.unpack_from(data)
        return cls(kind, code, value, data[HEADER_SIZE:])

    @property
    def identifier(self) -> int:
        return self.value >> 16

    @property
    def sequence(self) -> int:
        return self.value & 0xFFFF

    @property
    def next_hop_mtu(self) -> int:
        """Of fragmentation needed (RFC 1191 §4); 0 from routers that do not say."""
        return self.value & 0xFFFF

    def build(self) -> bytes:
        header = _HEADER.pack(self.type, self.code, 0, self.value)
        check = checksum(ones_sum(header) + ones_sum(self.body))
        return header[:2] + check.to_bytes(2, "big") + header[4:] + self.body


class QuotedPacket(NamedTuple):
    """What an ICMP error tells of the packet it is about; as much as came back of it."""

    source: IpAddress
    destination: IpAddress
    protocol: int
    payload: bytes
    """At least the first 8 octets: the ports, and the sequence number of TCP."""

    @property
    def source_port(self) -> int:
        return int.from_bytes(self.payload[0:2], "big")

    @property
    def destination_port(self) -> int:
        return int.from_bytes(self.payload[2:4], "big")

    @property
    def sequence_number(self) -> int:
        """Of a TCP segment."""
        return int.from_bytes(self.payload[4:8], "big")


def parse_quoted(data: Buffer) -> QuotedPacket:
    """Read the packet in an error's body: cut off, its checksum and lengths perhaps changed on the way."""
    if len(data) < 28:
        raise MalformedPacketError(f"ICMP: {len(data)} octets quoted, need 28")
    size = (data[0] & 0x0F) * 4
    if data[0] >> 4 != 4 or size < 20 or len(data) < size + 8:
        raise MalformedPacketError("ICMP: what is quoted is no IPv4 packet")
    if (data[6] & 0x1F) | data[7]:
        raise MalformedPacketError("ICMP: what is quoted is not a first fragment")
    return QuotedPacket(IpAddress(data[12:16]), IpAddress(data[16:20]), data[9], bytes(data[size:]))
