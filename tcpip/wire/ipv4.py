"""IPv4 packets (RFC 791).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-------+-------+---------------+-------------------------------+
|Version|  IHL  |Type of Service|          Total Length         |
+-------+-------+---------------+-----+-------------------------+
|         Identification        |Flags|      Fragment Offset    |
+---------------+---------------+-----+-------------------------+
|  Time to Live |    Protocol   |         Header Checksum       |
+---------------+---------------+-------------------------------+
|                       Source Address                          |
|                    Destination Address                        |
|                    Options                    |    Padding    |
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import Buffer, checksum, is_valid, ones_sum

HEADER_SIZE = 20
MAX_PACKET_SIZE = 65_535
MIN_MTU = 68
"""Every link carries packets of so many octets (RFC 791 §3.2)."""

_HEADER = struct.Struct("!BBHHHBBH4s4s")
_DONT_FRAGMENT = 0x4000
_MORE_FRAGMENTS = 0x2000


class Ipv4Packet(NamedTuple):
    """A packet, or a fragment of one."""

    source: IpAddress
    destination: IpAddress
    protocol: int
    payload: Buffer
    hop_limit: int = 64
    """Time to Live, under the name that IPv6 gave it."""
    traffic_class: int = 0
    identification: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    """In octets, a multiple of 8."""
    options: bytes = b""
    """As on the wire, padded to a multiple of 4."""

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Read a packet; the payload is a slice of `data`, without the padding of short frames."""
        if len(data) < HEADER_SIZE:
            raise MalformedPacketError(f"IPv4: {len(data)} octets, need {HEADER_SIZE}")
        first, tos, total, identification, fragment, ttl, protocol, _, source, destination = (
            _HEADER.unpack_from(data)
        )
        size = (first & 0x0F) * 4
        if first >> 4 != 4:
            raise MalformedPacketError(f"IPv4: version {first >> 4}")
        if size < HEADER_SIZE:
            raise MalformedPacketError(f"IPv4: header length says {size} octets, at least {HEADER_SIZE}")
        if total < size:
            raise MalformedPacketError(f"IPv4: total length {total} is less than the header's {size}")
        if total > len(data):
            raise MalformedPacketError(f"IPv4: total length {total}, but {len(data)} octets are here")
        if not is_valid(ones_sum(data[:size])):
            raise MalformedPacketError("IPv4: header checksum is wrong")
        offset = (fragment & 0x1FFF) * 8
        if offset + total - size > MAX_PACKET_SIZE:
            raise MalformedPacketError(f"IPv4: fragment at {offset} ends beyond {MAX_PACKET_SIZE}")
        return cls(
            IpAddress(source),
            IpAddress(destination),
            protocol,
            data[size:total],
            ttl,
            tos,
            identification,
            bool(fragment & _DONT_FRAGMENT),
            bool(fragment & _MORE_FRAGMENTS),
            offset,
            bytes(data[HEADER_SIZE:size]),
        )

    @property
    def is_fragment(self) -> bool:
        return self.more_fragments or self.fragment_offset > 0

    @property
    def next_header_offset(self) -> int:
        """Where the header names the protocol, for the pointer of an ICMP parameter problem."""
        return 9

    def reassembled(self, payload: Buffer) -> Self:
        """Make the whole packet out of its first fragment and all the payload."""
        return self._replace(payload=payload, more_fragments=False, fragment_offset=0)

    def build_header(self, payload_length: int) -> bytes:
        """Make the header for a payload kept elsewhere."""
        size = HEADER_SIZE + len(self.options)
        fragment = (
            self.fragment_offset >> 3
            | (_DONT_FRAGMENT if self.dont_fragment else 0)
            | (_MORE_FRAGMENTS if self.more_fragments else 0)
        )
        header = bytearray(
            _HEADER.pack(
                0x40 | size >> 2,
                self.traffic_class,
                size + payload_length,
                self.identification,
                fragment,
                self.hop_limit,
                self.protocol,
                0,
                self.source,
                self.destination,
            )
        )
        header += self.options
        header[10:12] = checksum(ones_sum(header)).to_bytes(2, "big")
        return bytes(header)

    def build(self) -> bytes:
        return self.build_header(len(self.payload)) + self.payload


def has_source_route(options: bytes) -> bool:
    """Tell whether options hold a source route (RFC 6274 §3.13.2.3), or they are malformed."""
    i = 0
    while i < len(options) and options[i] != 0:
        if options[i] == 1:
            i += 1
            continue
        if options[i] in (131, 137) or i + 1 >= len(options) or options[i + 1] < 2:
            return True
        i += options[i + 1]
    return i > len(options)
