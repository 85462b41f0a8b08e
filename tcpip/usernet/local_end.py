"""The host's end of a flow, made before the flow is there: interface, address, port, marks of its packets.

`LocalEnd` is a socket of the host that is bound as the user wishes.  The rule
of a port of the guest keeps it (`UserNetwork.prepare`), and the next flow from
that port connects it.  What cannot be bound is known before a frame is sent.
"""

from __future__ import annotations

import os
import socket

from tcpip.usernet.sockets import interface_addresses as host_interface_addresses
from tcpip.wire.address import IpAddress

_SO_BINDTODEVICE, _SO_PRIORITY, _TCP_FASTOPEN_CONNECT, _IPV6_TCLASS = 25, 12, 30, 67
_MAX_DEVICE_NAME = 15  # IFNAMSIZ, without its NUL


class LocalEnd:
    """A socket of the host that is connected to nobody yet."""

    def __init__(self, version: int, *, is_datagram: bool = False) -> None:
        self._is_v4 = version == 4
        family = socket.AF_INET if self._is_v4 else socket.AF_INET6
        kind = socket.SOCK_DGRAM if is_datagram else socket.SOCK_STREAM
        self.socket = socket.socket(family, kind | socket.SOCK_NONBLOCK)

    def mark(self, traffic_class: int | None, priority: int) -> None:
        """Set the octet that IPv4 calls TOS and IPv6 traffic class, and the queueing priority (socket(7)).

        OSError: the host does not allow it.
        """
        if traffic_class is not None and self._is_v4:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, traffic_class)
        elif traffic_class is not None:
            self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_TCLASS, traffic_class)
        if priority:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_PRIORITY, priority)

    def open_fast(self) -> None:
        """Send the first octets with the SYN (RFC 7413), once the server has given a cookie; OSError."""
        self.socket.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN_CONNECT, 1)

    def bind_to_device(self, name: str) -> bool:
        """Send through this interface only; False when there is none, or when it is not allowed."""
        octets = os.fsencode(name)
        if len(octets) > _MAX_DEVICE_NAME or b"\0" in octets:
            return False
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, octets)
        except OSError:
            return False
        return True

    def bind(self, address: IpAddress | None, port: int, zone: int = 0) -> None:
        """Take an address of the host, None for any, and a port, 0 for any; OSError.

        `zone` is the number of the interface that a link-local address belongs to (RFC 4007 §6).
        """
        text = str(address) if address is not None else "0.0.0.0" if self._is_v4 else "::"
        self.socket.bind((text, port) if self._is_v4 else (text, port, 0, zone))

    def close(self) -> None:
        self.socket.close()


def interface_addresses(name: str) -> list[IpAddress] | None:
    """Addresses of an interface of the host; None when it has no interface of that name."""
    try:
        number = socket.if_nametoindex(name)
    except (OSError, ValueError):
        return None
    return [address for index, address, _ in host_interface_addresses() if index == number]


def zone_number(address: IpAddress, zone: str) -> int | None:
    """The number of a zone (RFC 4007 §11); by the name of an interface only for link-local addresses.

    None: there is no such interface.
    """
    if zone.isascii() and zone.isdigit():
        return int(zone) if address.is_link_local and int(zone) < 1 << 32 else 0
    try:
        return socket.if_nametoindex(zone) if address.is_link_local else None
    except (OSError, ValueError):
        return None


def source_for(address: IpAddress) -> IpAddress | None:
    """The address that the host would send from; None when it has no way there.  Nothing is sent."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return IpAddress.parse(probe.getsockname()[0].partition("%")[0])
    except OSError:
        return None
