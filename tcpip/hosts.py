"""What a host knows about names without asking: the texts of `/etc/hosts` and `/etc/resolv.conf`.

Pure functions of the text; whoever may read files reads them. What makes no
sense is passed over, as by the C library: hosts(5), resolv.conf(5).
"""

from __future__ import annotations

from typing import NamedTuple

from tcpip.wire.address import IpAddress

# The C library's bounds (resolv.h), where it has some.
MAX_SERVERS = 3
MAX_SEARCH = 6
MAX_NDOTS = 15
MAX_TIMEOUT = 30
MAX_ATTEMPTS = 5
MAX_ADDRESSES = 64  # of one name in the hosts file


class ResolvConf(NamedTuple):
    """The part of resolv.conf that is of use here."""

    servers: tuple[IpAddress, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    attempts: int = 2
    rotate: bool = False
    """Begin with another server each time."""


def parse_hosts(text: str) -> dict[str, tuple[IpAddress, ...]]:
    """Read a hosts file: names in small letters, each with its addresses in the order of the file."""
    hosts: dict[str, tuple[IpAddress, ...]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        address = _address(words[0]) if words else None
        if address is None:
            continue
        for word in words[1:]:
            name = word.lower().removesuffix(".")
            known = hosts.get(name, ())
            if address not in known and len(known) < MAX_ADDRESSES:
                hosts[name] = (*known, address)
    return hosts


def parse_resolv_conf(text: str) -> ResolvConf:
    """Read a resolv.conf. No server in it means none here, not 127.0.0.1: that is another host's loopback."""
    servers: list[IpAddress] = []
    conf = ResolvConf()
    for line in text.splitlines():
        words = [] if line[:1] in ("#", ";") else line.split()
        match words:
            case ["nameserver", word, *_]:
                if (address := _address(word)) is not None and len(servers) < MAX_SERVERS:
                    servers.append(address)
            case ["domain", word, *_]:
                conf = conf._replace(search=_domains([word]))
            case ["search", *domains]:
                conf = conf._replace(search=_domains(domains))
            case ["options", *options]:
                for option in options:
                    conf = _with_option(conf, option)
    return conf._replace(servers=tuple(servers))


def _domains(words: list[str]) -> tuple[str, ...]:
    names = (word.lower().removesuffix(".") for word in words)
    return tuple(name for name in names if name)[:MAX_SEARCH]


def _with_option(conf: ResolvConf, option: str) -> ResolvConf:
    if option == "rotate":
        return conf._replace(rotate=True)
    name, _, digits = option.partition(":")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 6:
        return conf
    number = int(digits)
    if name == "ndots":
        return conf._replace(ndots=min(number, MAX_NDOTS))
    if name == "timeout":
        return conf._replace(timeout=float(min(max(number, 1), MAX_TIMEOUT)))
    if name == "attempts":
        return conf._replace(attempts=min(max(number, 1), MAX_ATTEMPTS))
    return conf


def _address(text: str) -> IpAddress | None:
    try:
        return IpAddress.parse(text)
    except ValueError:
        return None
