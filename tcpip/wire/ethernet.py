"""Ethernet II frames (RFC 894, RFC 2464)."""

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD

BROADCAST_MAC = b"\xff" * 6

HEADER_SIZE = 14
_HEADER = struct.Struct("!6s6sH")


class EthernetHeader(NamedTuple):
    """The fourteen octets before the packet; there is no trailer, the device keeps the FCS."""

    destination: bytes
    source: bytes
    ethertype: int

    @classmethod
    def parse(cls, frame: bytes | bytearray | memoryview) -> Self:
        if len(frame) < HEADER_SIZE:
            raise MalformedPacketError(f"Ethernet: {len(frame)} octets, need {HEADER_SIZE}")
        return cls._make(_HEADER.unpack_from(frame))

    def build(self) -> bytes:
        return _HEADER.pack(*self)


def mac_text(mac: bytes) -> str:
    """Write an address as `52:54:00:12:34:56`."""
    return bytes(mac).hex(":")


def multicast_mac(destination: bytes) -> bytes:
    """The group address that carries an IP multicast destination (RFC 1112 §6.4, RFC 2464 §7)."""
    if len(destination) == 4:
        return b"\x01\x00\x5e" + bytes((destination[1] & 0x7F,)) + destination[2:]
    return b"\x33\x33" + destination[12:]
