"""UDP datagrams (RFC 768, over IPv6 RFC 8200 §8.1).

 0      7 8     15 16    23 24    31
+--------+--------+--------+--------+
|     Source      |   Destination   |
|      Port       |      Port       |
+--------+--------+--------+--------+
|     Length      |    Checksum     |
+--------+--------+--------+--------+
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.checksum import Buffer, checksum, is_valid, ones_sum, pseudo_header_sum
from tcpip.wire.protocols import UDP

HEADER_SIZE = 8
MAX_PAYLOAD_SIZE = 65_507
"""What fits an IPv4 packet."""
_HEADER = struct.Struct("!HHHH")


class UdpDatagram(NamedTuple):
    """Ports and payload."""

    source_port: int
    destination_port: int
    payload: Buffer

    @classmethod
    def parse(cls, data: Buffer, source: bytes, destination: bytes, *, verify: bool = True) -> Self:
        """Read a datagram between two addresses; the payload is a slice of `data`.

        `verify` is False when the device vouches for the checksum.
        """
        if len(data) < HEADER_SIZE:
            raise MalformedPacketError(f"UDP: {len(data)} octets, need {HEADER_SIZE}")
        source_port, destination_port, length, check = _HEADER.unpack_from(data)
        if not HEADER_SIZE <= length <= len(data):
            raise MalformedPacketError(f"UDP: length says {length} of {len(data)} octets")
        if destination_port == 0:
            raise MalformedPacketError("UDP: destination port 0")
        if check == 0:
            if len(source) == 16:
                raise MalformedPacketError("UDP: no checksum over IPv6")
        elif verify:
            pseudo = pseudo_header_sum(source, destination, UDP, length)
            if not is_valid(pseudo + ones_sum(data[:length])):
                raise MalformedPacketError("UDP: checksum is wrong")
        return cls(source_port, destination_port, data[HEADER_SIZE:length])

    def build(self, source: bytes, destination: bytes) -> bytes:
        length = HEADER_SIZE + len(self.payload)
        header = _HEADER.pack(self.source_port, self.destination_port, length, 0)
        total = (
            pseudo_header_sum(source, destination, UDP, length) + ones_sum(header) + ones_sum(self.payload)
        )
        return header[:6] + checksum(total).to_bytes(2, "big") + self.payload
