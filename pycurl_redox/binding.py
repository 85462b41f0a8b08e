"""`--interface` and `--local-port`: our end of a connection, before the other one is dialled.

On the user-mode network it is a socket of the host (`LocalEnd`); elsewhere it
is an address and a port of our own stack.  The notes and the errors are
curl's.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tcpip.errors import AddressError, BindError, StackError
from tcpip.sockets import TcpStream, connect
from tcpip.usernet.local_end import LocalEnd, interface_addresses, zone_number
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from pycurl_redox.dial_options import DialOptions, NameOptions
    from tcpip.host import Host

Note = Callable[[str], None]
Resolve = Callable[[str, int, float | None], Awaitable[list[IpAddress]]]

_FAMILIES = {4: 2, 6: 10}
"""AF_INET and AF_INET6 of Linux, by which curl's notes call them."""
_NOT_HERE = "99: Cannot assign requested address"


async def host_end(
    options: DialOptions, version: int, resolve: Resolve, deadline: float | None, note: Note
) -> LocalEnd:
    """Make the host's end of a connection of this family; `BindError` says why it cannot be had."""
    end = LocalEnd(version)
    try:
        _mark(end, options, note)
        kind, name = split_interface(options.interface)
        if name and kind != "host" and end.bind_to_device(name):
            return end
        address, zone = None, 0
        if name or kind == "host":
            address = await _interface_address(kind, name, version, note)
            if address is None:
                address, zone = await _named_address(name, version, resolve, deadline, note)
        if address is not None or options.local_ports:
            _bind(end, address, options.local_ports, note, zone)
    except BaseException:
        end.close()
        raise
    return end


async def connect_own(
    host: Host,
    address: IpAddress,
    port: int,
    deadline: float | None,
    options: DialOptions,
    resolve: Resolve,
    note: Note,
) -> TcpStream:
    """Connect from an address and a port of our own stack; `BindError` when it has no such."""
    local = await _own_address(host, options.interface, address.version, resolve, deadline, note)
    if options.fast_open:
        note("TCP Fast Open is not spoken on this network card, connecting without")
    first, last = options.local_ports or (0, 0)
    for number in range(first, last + 1):
        shown = local is not None or number
        try:
            return await connect(
                host,
                address,
                port,
                deadline,
                opened=(lambda _, number=number: note(f"Local port: {number}")) if shown else None,  # type: ignore[misc]
                local=local,
                local_port=number,
                traffic_class=options.traffic_class or 0,
            )
        except AddressError as error:
            if local is None and not number:
                raise
            if number == last:
                raise _refused("bind failed with errno 98: Address already in use", note) from error
            note(f"Bind to local port {number} failed, trying next")
    raise AssertionError


def name_server_end(options: NameOptions, version: int) -> LocalEnd | None:
    """Make the host's end for questions to a name server; None for any, `BindError` as above."""
    address = options.address4 if version == 4 else options.address6
    if not options.interface and address is None:
        return None
    end = LocalEnd(version, is_datagram=True)
    try:
        if options.interface and not end.bind_to_device(options.interface):
            raise BindError(f"Couldn't bind to interface '{options.interface}'")
        if address is not None:
            _bind(end, address, None, lambda text: None, 0)
    except BaseException:
        end.close()
        raise
    return end


def split_interface(text: str) -> tuple[str, str]:
    """Read `if!NAME`, `host!NAME` or just NAME, which may be either: the kind, or "", and the name."""
    for kind in ("if", "host"):
        if text.startswith(kind + "!"):
            return kind, text[len(kind) + 1 :]
    return "", text


def _mark(end: LocalEnd, options: DialOptions, note: Note) -> None:
    """Set what packets are marked with; a host that does not allow it is no reason to stop, as in curl."""
    try:
        end.mark(options.traffic_class, 0)
    except OSError as error:
        note(f"Setting type of service to {options.traffic_class} failed with errno {error.errno}")
    try:
        end.mark(None, options.priority)
    except OSError as error:
        note(f"VLAN priority {options.priority} failed with errno {error.errno}")
    if options.fast_open:
        try:
            end.open_fast()
        except OSError:
            note("Failed to enable TCP Fast Open")


async def _interface_address(kind: str, name: str, version: int, note: Note) -> IpAddress | None:
    """The address of an interface that cannot be bound to by name; None where it is no interface's name."""
    if kind == "host":
        return None
    addresses = interface_addresses(name)
    if addresses is None:
        if kind == "if":
            raise _refused(f"Couldn't bind to interface '{name}'", note)
        return None
    for address in addresses:
        if address.version == version and not address.is_link_local:
            note(f"Local Interface {name} is ip {address} using address family {_FAMILIES[version]}")
            return address
    raise BindError("")


async def _named_address(
    name: str, version: int, resolve: Resolve, deadline: float | None, note: Note
) -> tuple[IpAddress, int]:
    """An address and its zone's number: a literal, `ADDRESS%ZONE` of IPv6 too, or what a name resolves to."""
    found, zone = [], 0
    try:
        found = [IpAddress.parse(name.partition("%")[0])]
    except ValueError:
        pass
    if found and "%" in name:
        number = zone_number(found[0], name.partition("%")[2]) if found[0].version == 6 else None
        found, zone = ([], 0) if number is None else (found, number)
    if not found:
        try:
            found = await resolve(name, 0, deadline)
        except (StackError, ValueError) as error:
            note(f"Could not resolve host: {name}")
            raise _refused(f"Couldn't bind to '{name}'", note) from error
    address = next((each for each in found if each.version == version), found[0])
    families = _FAMILIES[version], _FAMILIES[address.version]
    note(f"Name '{name}' family {families[0]} resolved to '{address}' family {families[1]}")
    if address.version != version:
        raise BindError("")
    return address, zone


async def _own_address(
    host: Host, interface: str, version: int, resolve: Resolve, deadline: float | None, note: Note
) -> IpAddress | None:
    kind, name = split_interface(interface)
    if not name or (kind != "host" and name == host.stack.config.interface_name):
        return None
    if kind == "if":
        raise _refused(f"Couldn't bind to interface '{name}'", note)
    address, _ = await _named_address(name, version, resolve, deadline, note)
    if not host.stack.has_address(address):
        raise _refused(f"bind failed with errno {_NOT_HERE}", note)
    return address


def _bind(
    end: LocalEnd, address: IpAddress | None, ports: tuple[int, int] | None, note: Note, zone: int
) -> None:
    """Take the first port of the range that is free."""
    first, last = ports or (0, 0)
    for port in range(first, last + 1):
        try:
            end.bind(address, port, zone)
        except OSError as error:
            if port < last:
                note(f"Bind to local port {port} failed, trying next")
                continue
            number = error.errno or 0
            raise _refused(f"bind failed with errno {number}: {os.strerror(number)}", note) from error
        note(f"Local port: {port}")
        return


def _refused(text: str, note: Note) -> BindError:
    note(text)
    return BindError(text)
