"""What the user wants of each connection, beyond where it leads: read once for an operation.

Most users want nothing, and nothing of this is loaded then (`Routing.dial`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pycurl_redox import errors
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from pycurl_redox.address_policy import AddressPolicy
    from pycurl_redox.config import OperationConfig

DNS_PORT = 53


class NameOptions(NamedTuple):
    """Whom to ask for names, and from where."""

    servers: tuple[tuple[IpAddress, int], ...] = ()
    """Address and port of `--dns-servers`; none: those of the network."""
    interface: str = ""
    address4: IpAddress | None = None
    address6: IpAddress | None = None

    @property
    def is_bound(self) -> bool:
        return bool(self.interface or self.address4 or self.address6)


class DialOptions(NamedTuple):
    """What a connection is to be made with; equal ones may share connections, so it is part of a route."""

    interface: str = ""
    """Of `--interface`, as it was typed."""
    local_ports: tuple[int, int] | None = None
    unix_socket: str | None = None
    unix_is_abstract: bool = False
    traffic_class: int | None = None
    """The octet of `--ip-tos`."""
    priority: int = 0
    """Of `--vlan-priority`: of the queue at the host, which may map it to a tag (IEEE 802.1Q)."""
    fast_open: bool = False
    policy: AddressPolicy | None = None
    names: NameOptions | None = None

    @property
    def is_bound(self) -> bool:
        """The end on this side is not just any."""
        return bool(
            self.interface
            or self.local_ports
            or self.traffic_class is not None
            or self.priority
            or self.fast_open
        )


def dial_options(config: OperationConfig) -> DialOptions | None:
    """Return what an operation's options say; None where they say nothing.

    `BadArgumentError`, as curl has it, for what is found to be no address only now.
    """
    options = DialOptions(
        interface=config.interface or "",
        local_ports=config.local_ports,
        unix_socket=config.unix_socket,
        unix_is_abstract=config.unix_is_abstract,
        traffic_class=config.ip_tos or None,
        priority=config.vlan_priority,
        fast_open=config.tcp_fastopen,
        policy=_policy(config),
        names=_name_options(config),
    )
    return options if options != DialOptions() else None


def _policy(config: OperationConfig) -> AddressPolicy | None:
    if not config.allow_address and not config.deny_address:
        return None
    from pycurl_redox.address_policy import AddressPolicy

    return AddressPolicy.parse(config.allow_address, config.deny_address)


def _name_options(config: OperationConfig) -> NameOptions | None:
    try:
        options = NameOptions(
            servers=tuple(_server(text) for text in (config.dns_servers or "").split(",") if text.strip()),
            interface=config.dns_interface or "",
            address4=_address(config.dns_ipv4_addr, 4),
            address6=_address(config.dns_ipv6_addr, 6),
        )
    except ValueError as error:
        raise errors.BadArgumentError() from error
    return options if options != NameOptions() else None


def _server(text: str) -> tuple[IpAddress, int]:
    """Read `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`."""
    text = text.strip()
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        colon, digits = rest[:1], rest[1:]
    elif text.count(":") > 1:
        address, colon, digits = text, "", ""
    else:
        address, colon, digits = text.partition(":")
    port = DNS_PORT
    if colon:
        if colon != ":" or not digits.isascii() or not digits.isdigit() or not 0 < int(digits) <= 0xFFFF:
            raise ValueError(f"--dns-servers: {text!r} has no port behind the colon")
        port = int(digits)
    return IpAddress.parse(address), port


def _address(text: str | None, version: int) -> IpAddress | None:
    if not text:
        return None
    address = IpAddress.parse(text)
    if address.version != version:
        raise ValueError(f"{text} is no IPv{version} address")
    return address
