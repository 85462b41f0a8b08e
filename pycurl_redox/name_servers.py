"""The ways to name servers that are not just a datagram from our stack.

A server on loopback is reached through the gateway, with a rule beside the
frame; `--dns-interface` and the two `--dns-ipvN-addr` bind the host's socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pycurl_redox.dial_options import DialOptions, NameOptions
from tcpip.errors import BindError
from tcpip.udp import Datagram, DatagramError, UdpSocket
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from tcpip.stack import Stack
    from tcpip.usernet.gateway import UserNetwork


class ServerSockets:
    """Fits `tcpip.lookup.DatagramSocket`: one socket of the stack for each server that is asked."""

    def __init__(self, stack: Stack, usernet: UserNetwork | None, options: NameOptions) -> None:
        self._stack = stack
        self._usernet = usernet
        self._options = options
        self._sockets: dict[tuple[IpAddress, int], tuple[UdpSocket, IpAddress]] = {}
        self.on_change: Callable[[], None] = lambda: None

    def send_datagram(self, data: bytes, address: IpAddress, port: int, now: float) -> None:
        """Send to a server; StackError when there is no way, or its end cannot be had."""
        if (address, port) not in self._sockets:
            self._sockets[address, port] = self._open(address, port)
        socket, via = self._sockets[address, port]
        socket.send_datagram(data, via, port, now)

    def receive_datagram(self) -> Datagram | None:
        """Give what came, as from the server that the user named; others' is dropped."""
        for (address, port), (socket, via) in self._sockets.items():
            while (datagram := socket.receive_datagram()) is not None:
                if (datagram.address, datagram.port) == (via, port):
                    return Datagram(datagram.data, address, port)
        return None

    def next_error(self) -> DatagramError | None:
        for (address, port), (socket, _) in self._sockets.items():
            if (error := socket.next_error()) is not None:
                return DatagramError(error.error, address, port)
        return None

    def close(self) -> None:
        for socket, _ in self._sockets.values():
            if self._usernet is not None:
                self._usernet.take_back_datagrams(socket.local_port)
            socket.close()

    def _open(self, address: IpAddress, port: int) -> tuple[UdpSocket, IpAddress]:
        """A socket, and the address that datagrams for this server are sent to."""
        usernet = self._usernet
        if usernet is None:
            check_own_end(self._stack, self._options, address)
            socket, via = self._stack.udp_open(), address
        else:
            from pycurl_redox.binding import name_server_end

            end = name_server_end(self._options, address.version)
            socket = self._stack.udp_open()
            via, target = address, None
            if address.is_loopback or address.is_unspecified:
                via, target = usernet.config.gateway, (address, port)
            if end is not None or target is not None:
                usernet.forward_datagrams(socket.local_port, target, end)
        socket.on_change = lambda: self.on_change()
        return socket, via


def check_own_end(stack: Stack, options: NameOptions, server: IpAddress) -> None:
    """On a network card of our own the end of a question is the stack's; `BindError` for another."""
    if options.interface and options.interface != stack.config.interface_name:
        raise BindError(f"Couldn't bind to interface '{options.interface}'")
    wanted = options.address4 if server.version == 4 else options.address6
    if wanted is not None and wanted != stack.source_for(server):
        raise BindError(f"{wanted} is not the address of ours that {server} is reached from")


def stream_options(options: NameOptions, version: int) -> DialOptions | None:
    """The same ends for questions over TCP."""
    address = options.address4 if version == 4 else options.address6
    if options.interface:
        return DialOptions(interface=f"if!{options.interface}")
    return DialOptions(interface=f"host!{address}") if address is not None else None
