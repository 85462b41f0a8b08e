"""Address Resolution Protocol for IPv4 over Ethernet (RFC 826).

 0                   1                   2                   3
+-------------------------------+-------------------------------+
|   hardware type: 1 Ethernet   |     protocol type: 0x0800     |
+---------------+---------------+-------------------------------+
|  6 octets     |  4 octets     |           operation           |
+---------------+---------------+-------------------------------+
|  sender MAC (6), sender IP (4), target MAC (6), target IP (4) |
"""

from __future__ import annotations

from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import Buffer

REQUEST = 1
REPLY = 2

_FORMAT = b"\x00\x01\x08\x00\x06\x04"  # Ethernet, IPv4 and the lengths of their addresses


class ArpPacket(NamedTuple):
    """Who asks or answers (`sender`), and whom it is about (`target`)."""

    operation: int
    sender_mac: bytes
    sender_ip: IpAddress
    target_mac: bytes
    target_ip: IpAddress

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Read a packet; octets after it are the padding of short frames."""
        if len(data) < 28:
            raise MalformedPacketError(f"ARP: {len(data)} octets, need 28")
        if bytes(data[:6]) != _FORMAT:
            raise MalformedPacketError("ARP: not IPv4 over Ethernet")
        operation = int.from_bytes(data[6:8], "big")
        if operation not in (REQUEST, REPLY):
            raise MalformedPacketError(f"ARP: operation {operation}, neither request nor reply")
        return cls(
            operation,
            bytes(data[8:14]),
            IpAddress(data[14:18]),
            bytes(data[18:24]),
            IpAddress(data[24:28]),
        )

    def build(self) -> bytes:
        return (
            _FORMAT
            + self.operation.to_bytes(2, "big")
            + self.sender_mac
            + self.sender_ip
            + self.target_mac
            + self.target_ip
        )
