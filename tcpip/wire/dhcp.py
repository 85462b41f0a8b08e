"""DHCP messages (RFC 2131 §2) and options (RFC 2132).

op, htype, hlen, hops | xid | secs, flags | ciaddr | yiaddr | siaddr | giaddr
chaddr (16) | sname (64) | file (128) | magic cookie | options
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IPV4_ANY, IpAddress
from tcpip.wire.checksum import Buffer

SERVER_PORT = 67
CLIENT_PORT = 68
MAX_MESSAGE_SIZE = 1_500

BOOT_REQUEST = 1
BOOT_REPLY = 2


class MessageType(IntEnum):
    """Option 53 (RFC 2132 §9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


SUBNET_MASK = 1
ROUTER = 3
DOMAIN_NAME_SERVER = 6
HOST_NAME = 12
DOMAIN_NAME = 15
INTERFACE_MTU = 26
REQUESTED_ADDRESS = 50
LEASE_TIME = 51
OVERLOAD = 52
MESSAGE_TYPE = 53
SERVER_IDENTIFIER = 54
PARAMETER_REQUEST_LIST = 55
MESSAGE = 56
MAXIMUM_MESSAGE_SIZE = 57
RENEWAL_TIME = 58
REBINDING_TIME = 59
CLIENT_IDENTIFIER = 61
_PAD, _END = 0, 255

_FIXED = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_COOKIE = b"\x63\x82\x53\x63"
_BROADCAST = 0x8000
_MIN_SIZE = 300
"""BOOTP relays drop what is shorter (RFC 1542 §2.1)."""


class DhcpMessage(NamedTuple):
    """One message; `options` without padding, end and overload."""

    op: int
    transaction_id: int
    client_mac: bytes
    options: Mapping[int, bytes]
    seconds: int = 0
    wants_broadcast: bool = False
    client_address: IpAddress = IPV4_ANY
    your_address: IpAddress = IPV4_ANY
    server_address: IpAddress = IPV4_ANY
    relay_address: IpAddress = IPV4_ANY

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        if len(data) < _FIXED.size + 4:
            raise MalformedPacketError(f"DHCP: {len(data)} octets, need {_FIXED.size + 4}")
        op, htype, hlen, _, xid, secs, flags, ci, yi, si, gi, chaddr, sname, file = _FIXED.unpack_from(data)
        if op not in (BOOT_REQUEST, BOOT_REPLY):
            raise MalformedPacketError(f"DHCP: op {op}, neither request nor reply")
        if (htype, hlen) != (1, 6):
            raise MalformedPacketError(f"DHCP: hardware type {htype} of {hlen} octets is not Ethernet")
        if bytes(data[_FIXED.size : _FIXED.size + 4]) != _COOKIE:
            raise MalformedPacketError("DHCP: no magic cookie")
        options: dict[int, bytes] = {}
        _read_options(data[_FIXED.size + 4 :], options, needs_end=True)
        overload = options.pop(OVERLOAD, b"\0")
        if len(overload) != 1:
            raise MalformedPacketError("DHCP: overload option is not one octet")
        if overload[0] & 1:
            _read_options(file, options, needs_end=False)
        if overload[0] & 2:
            _read_options(sname, options, needs_end=False)
        options.pop(OVERLOAD, None)
        return cls(
            op,
            xid,
            chaddr[:6],
            options,
            secs,
            bool(flags & _BROADCAST),
            IpAddress(ci),
            IpAddress(yi),
            IpAddress(si),
            IpAddress(gi),
        )

    @property
    def message_type(self) -> MessageType | None:
        """None when the option is absent or names no type that is known."""
        number = self.integer(MESSAGE_TYPE, 1)
        return MessageType(number) if number is not None and 1 <= number <= 8 else None

    def integer(self, option: int, size: int) -> int | None:
        """An option as a number of `size` octets; None when it is absent or of another size."""
        value = self.options.get(option)
        return int.from_bytes(value, "big") if value is not None and len(value) == size else None

    def addresses(self, option: int) -> list[IpAddress]:
        """An option as IPv4 addresses; none when it is absent or of a wrong size."""
        value = self.options.get(option, b"")
        if len(value) % 4:
            return []
        return [IpAddress(value[i : i + 4]) for i in range(0, len(value), 4)]

    def text(self, option: int) -> str | None:
        """An option as ASCII without its trailing zeros; None when absent or anything else."""
        value = self.options.get(option, b"").rstrip(b"\0")
        return value.decode("ascii") if value and value.isascii() and value.decode().isprintable() else None

    def build(self) -> bytes:
        """Make the message; a value longer than 255 octets is split (RFC 3396)."""
        fixed = _FIXED.pack(
            self.op,
            1,
            6,
            0,
            self.transaction_id,
            self.seconds,
            _BROADCAST if self.wants_broadcast else 0,
            self.client_address,
            self.your_address,
            self.server_address,
            self.relay_address,
            self.client_mac,
            b"",
            b"",
        )
        out = bytearray(fixed + _COOKIE)
        for option, value in self.options.items():
            for i in range(0, max(len(value), 1), 255):
                part = value[i : i + 255]
                out += bytes((option, len(part))) + part
        out.append(_END)
        return bytes(out).ljust(_MIN_SIZE, b"\0")


def _read_options(data: Buffer, options: dict[int, bytes], *, needs_end: bool) -> None:
    """Add what a field holds; the parts of an option that occurs again are joined (RFC 3396 §7)."""
    i = 0
    while i < len(data):
        option = data[i]
        if option == _END:
            return
        if option == _PAD:
            i += 1
            continue
        if i + 1 >= len(data) or i + 2 + data[i + 1] > len(data):
            raise MalformedPacketError(f"DHCP: option {option} is cut short")
        options[option] = options.get(option, b"") + bytes(data[i + 2 : i + 2 + data[i + 1]])
        i += 2 + data[i + 1]
    if needs_end:
        raise MalformedPacketError("DHCP: options have no end")
