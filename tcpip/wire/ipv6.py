"""IPv6 packets and their extension headers (RFC 8200).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-------+---------------+---------------------------------------+
|Version| Traffic Class |              Flow Label               |
+-------+---------------+-------+---------------+---------------+
|         Payload Length        |  Next Header  |   Hop Limit   |
+-------------------------------+---------------+---------------+
|                Source Address (16 octets)                     |
|             Destination Address (16 octets)                   |
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import Buffer
from tcpip.wire.protocols import DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING

HEADER_SIZE = 40
MIN_MTU = 1280
"""Every link carries packets of so many octets (RFC 8200 §5)."""
MAX_PAYLOAD_SIZE = 65_535
MAX_EXTENSION_HEADERS = 8
"""A packet with more is refused: nobody needs them, and walking them is work (RFC 8504 §5.3)."""

ERRONEOUS_FIELD = 0
UNRECOGNIZED_NEXT_HEADER = 1
UNRECOGNIZED_OPTION = 2

_HEADER = struct.Struct("!IHBB16s16s")
_FRAGMENT = struct.Struct("!BBHI")
_PAD1 = 0


class ParameterProblemError(MalformedPacketError):
    """A packet of which the sender is to be told what is wrong (RFC 4443 §3.4)."""

    def __init__(self, message: str, code: int, pointer: int, answers_multicast: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.pointer = pointer
        self.answers_multicast = answers_multicast


class Ipv6Packet(NamedTuple):
    """A packet, its extension headers walked; or a fragment of one."""

    source: IpAddress
    destination: IpAddress
    protocol: int
    """What the payload is; of a fragment, what the whole begins with."""
    payload: Buffer
    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0
    identification: int = 0
    more_fragments: bool = False
    fragment_offset: int = 0
    """In octets, a multiple of 8."""
    has_fragment_header: bool = False
    next_header_offset: int = 6
    """Where the packet names `protocol`, for the pointer of an ICMPv6 parameter problem."""

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Read a packet; the payload is a slice of `data`.

        The walk over the extension headers ends at a fragment header, unless
        that one says that the packet is whole (RFC 6946).
        """
        if len(data) < HEADER_SIZE:
            raise MalformedPacketError(f"IPv6: {len(data)} octets, need {HEADER_SIZE}")
        first, length, protocol, hop_limit, source, destination = _HEADER.unpack_from(data)
        if first >> 28 != 6:
            raise MalformedPacketError(f"IPv6: version {first >> 28}")
        if HEADER_SIZE + length > len(data):
            raise MalformedPacketError(f"IPv6: payload length {length}, but {len(data)} octets are here")
        packet = cls(
            IpAddress(source),
            IpAddress(destination),
            protocol,
            data[HEADER_SIZE : HEADER_SIZE + length],
            hop_limit,
            first >> 20 & 0xFF,
            first & 0xFFFFF,
        )
        return packet._walk(HEADER_SIZE)

    @property
    def is_fragment(self) -> bool:
        return self.more_fragments or self.fragment_offset > 0

    def reassembled(self, payload: Buffer) -> Self:
        """Make the whole packet of its first fragment and all the payload; walks what was hidden."""
        whole = self._replace(payload=payload, more_fragments=False, fragment_offset=0)
        return whole._walk(HEADER_SIZE)

    def build_header(self, payload_length: int) -> bytes:
        """Make the header, with a fragment header if there is one, for a payload kept elsewhere."""
        if self.has_fragment_header:
            extension = _FRAGMENT.pack(
                self.protocol, 0, self.fragment_offset | self.more_fragments, self.identification
            )
            return self._base_header(payload_length + len(extension), FRAGMENT) + extension
        return self._base_header(payload_length, self.protocol)

    def build(self) -> bytes:
        return self.build_header(len(self.payload)) + self.payload

    def _base_header(self, length: int, next_header: int) -> bytes:
        first = 6 << 28 | self.traffic_class << 20 | self.flow_label
        return _HEADER.pack(first, length, next_header, self.hop_limit, self.source, self.destination)

    def _walk(self, start: int) -> Self:
        """Step over the extension headers; `start` is where the payload lies in the packet."""
        packet, offset = self, start
        for _ in range(MAX_EXTENSION_HEADERS + 1):
            kind, data = packet.protocol, packet.payload
            if kind == FRAGMENT:
                packet = packet._enter_fragment(offset)
                if packet.is_fragment:
                    return packet
                size = 8
            elif kind in (HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING):
                if kind == HOP_BY_HOP and offset != HEADER_SIZE:
                    raise ParameterProblemError(  # RFC 8200 §4.1: only directly after the IPv6 header
                        "IPv6: hop-by-hop options are not first",
                        UNRECOGNIZED_NEXT_HEADER,
                        packet.next_header_offset,
                    )
                size = _check_extension(kind, data, offset)
                packet = packet._replace(protocol=data[0], payload=data[size:], next_header_offset=offset)
            else:
                return packet
            offset += size
        raise MalformedPacketError(f"IPv6: more than {MAX_EXTENSION_HEADERS} extension headers")

    def _enter_fragment(self, offset: int) -> Self:
        data = self.payload
        if self.has_fragment_header:
            raise MalformedPacketError("IPv6: a fragment within a fragment")
        if len(data) < 8:
            raise MalformedPacketError("IPv6: fragment header is cut short")
        protocol, _, position, identification = _FRAGMENT.unpack_from(data)
        more, position = bool(position & 1), position & 0xFFF8
        if more and len(data) & 7:  # RFC 8200 §4.5: pointing to the payload length field
            raise ParameterProblemError("IPv6: fragment length is no multiple of 8", ERRONEOUS_FIELD, 4)
        if position + len(data) - 8 > MAX_PAYLOAD_SIZE:
            raise ParameterProblemError(
                f"IPv6: fragment at {position} ends beyond {MAX_PAYLOAD_SIZE}", ERRONEOUS_FIELD, offset + 2
            )
        return self._replace(
            protocol=protocol,
            payload=data[8:],
            identification=identification,
            more_fragments=more,
            fragment_offset=position,
            has_fragment_header=True,
            next_header_offset=offset,
        )


def _check_extension(kind: int, data: Buffer, offset: int) -> int:
    """Return the size of an options or routing header after reading all of it."""
    if len(data) < 8 or len(data) < (size := 8 + data[1] * 8):
        raise MalformedPacketError(f"IPv6: extension header {kind} is cut short")
    if kind == ROUTING:
        if data[3] != 0:  # RFC 8200 §4.4: segments left, and no routing type is known here (RFC 5095)
            raise ParameterProblemError(
                f"IPv6: routing type {data[2]} with segments left", ERRONEOUS_FIELD, offset + 2
            )
        return size
    _check_options(data[2:size], offset + 2)
    return size


def _check_options(options: Buffer, offset: int) -> None:
    """Skip options that may be skipped; the two high bits say what of the others (RFC 8200 §4.2)."""
    i = 0
    while i < len(options):
        kind = options[i]
        if kind == _PAD1:
            i += 1
            continue
        if i + 1 >= len(options) or i + 2 + options[i + 1] > len(options):
            raise MalformedPacketError(f"IPv6: option {kind:#04x} is cut short")
        action = kind >> 6
        if action == 1:
            raise MalformedPacketError(f"IPv6: option {kind:#04x} is not known")
        if action > 1:
            raise ParameterProblemError(
                f"IPv6: option {kind:#04x} is not known",
                UNRECOGNIZED_OPTION,
                offset + i,
                answers_multicast=action == 2,
            )
        i += 2 + options[i + 1]
