"""Which proxy a request takes: `-x`, `--noproxy` and the variables of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class EnvironmentProxy(NamedTuple):
    """A proxy, or a list of hosts without one, out of the environment; `variable` is its name, for `-v`."""

    value: str
    variable: str


def environment_proxy(scheme: str, environment: Mapping[str, str]) -> EnvironmentProxy | None:
    """Return the proxy for a scheme: of its own variable, then all_proxy; small letters first.

    HTTP_PROXY is not read: in a CGI program it is what a client's `Proxy:` header says.  An empty one
    does not count.
    """
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    for name in names:
        if name != "HTTP_PROXY" and environment.get(name):
            return EnvironmentProxy(environment[name], name)
    return None


def environment_no_proxy(environment: Mapping[str, str]) -> EnvironmentProxy | None:
    """Return the list of no_proxy or NO_PROXY."""
    for name in ("no_proxy", "NO_PROXY"):
        if environment.get(name):
            return EnvironmentProxy(environment[name], name)
    return None


def is_exempt(host: str, no_proxy: str) -> bool:
    """Say whether a host, without brackets, is in a list of those that need no proxy.

    An entry is a host with all below it, an address, or a network (10.0.0.0/8); "*" alone is everything.
    """
    if not host or not no_proxy:
        return False
    if no_proxy == "*":
        return True
    entries = no_proxy.replace(",", " ").replace("\t", " ").split(" ")
    host = host.partition("%")[0]
    address = _address(host)
    if address is not None:
        return any(_network_has(entry, address) for entry in entries if entry)
    name = host.lower().removesuffix(".")
    for entry in entries:
        entry = entry.lower().removesuffix(".").removeprefix(".")
        if entry and (name == entry or name.endswith("." + entry)):
            return True
    return False


def is_by_spaces(no_proxy: str) -> bool:
    """Say whether a list has blanks where commas belong, of which curl warns."""
    return any(" " in entry.strip(" \t") for entry in no_proxy.split(","))


def _address(text: str) -> bytes | None:
    if ":" not in text and not text[-1:].isdigit():
        return None
    from tcpip.wire.address import IpAddress

    try:
        return IpAddress.parse(text)
    except ValueError:
        return None


def _network_has(entry: str, address: bytes) -> bool:
    text, slash, digits = entry.partition("/")
    network = _address(text)
    if network is None or len(network) != len(address):
        return False
    width = 8 * len(address)
    bits = int(digits[:5]) if slash and digits.isascii() and digits.isdigit() else 0
    if bits > width:
        return False
    # Without a length, and with one of 0, it is the one address, as in curl.
    shift = width - bits if bits else 0
    return int.from_bytes(address, "big") >> shift == int.from_bytes(network, "big") >> shift
