"""`redox-netcfg`: brings a network up, shows all of it, and takes it down.

It reads the one routing table and the driver's own counters, and it always
answers: what has not come by its deadline is shown as missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pycurl_redox.own_process import run_in_own_process

if TYPE_CHECKING:
    from pycurl_redox.network import Network

USAGE = """\
Usage: redox-netcfg [--nic NIC] [--json] [--timeout SECONDS] [--fetch URL [--cacert FILE]]

  --nic NIC          the network to bring up: user (default), tap:NAME
  --json             print JSON
  --timeout SECONDS  how long to wait for addresses (default 10)
  --fetch URL        fetch this over the network first, so that there is something to count
  --cacert FILE      trust these certificates for it
"""

EXIT_CONFIGURED, EXIT_UNCONFIGURED, EXIT_OTHER = 0, 1, 2


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0: there is an address, 1: none came, 2: no network, or a bad command line."""
    if argv is None:
        return run_in_own_process(lambda: main(sys.argv[1:]), "redox-netcfg", EXIT_OTHER)
    import getopt

    try:
        flags, words = getopt.getopt(
            argv,
            "h",
            ["nic=", "json", "timeout=", "fetch=", "cacert=", "help"],
        )
        settings = dict(flags)
        timeout = float(settings.get("--timeout", "10"))
        if words or not 0 <= timeout <= 86_400:
            raise ValueError("words" if words else "--timeout is 0 to 86400 seconds")
    except (getopt.GetoptError, ValueError) as error:
        sys.stderr.write(f"redox-netcfg: {error}\n{USAGE}")
        return EXIT_OTHER
    if "-h" in settings or "--help" in settings:
        sys.stdout.write(USAGE)
        return EXIT_CONFIGURED
    from pycurl_redox.network import NetworkError, open_network

    try:
        network = open_network(settings.get("--nic", "user"))
    except NetworkError as error:
        sys.stderr.write(f"redox-netcfg: {error}\n")
        return EXIT_OTHER
    try:
        return _show(network, settings, timeout)
    except KeyboardInterrupt:
        return EXIT_OTHER
    finally:
        network.close()


def _show(network: Network, settings: Mapping[str, str], timeout: float) -> int:
    is_configured = network.run(_configure(network, timeout))
    failure = (
        _fetch(network, settings["--fetch"], settings.get("--cacert")) if "--fetch" in settings else None
    )
    state = network.info()
    if "--json" in settings:
        import json

        sys.stdout.write(json.dumps(state, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(text(state)) + "\n")
    if failure is not None:
        sys.stderr.write(f"redox-netcfg: {failure}\n")
        return EXIT_OTHER
    if not is_configured:
        sys.stderr.write(f"redox-netcfg: no address came within {timeout:g} seconds\n")
    return EXIT_CONFIGURED if is_configured else EXIT_UNCONFIGURED


async def _configure(network: Network, timeout: float) -> bool:
    """Wait for an address of each family; a link without IPv6 routers costs a second more."""
    host = network.host
    deadline = host.now() + timeout
    found = await host.configured(4, deadline)
    return await host.configured(6, min(deadline, host.now() + 1.0)) or found


def _fetch(network: Network, url: str, cacert: str | None) -> str | None:
    """Get a URL and forget it; what went wrong, or None."""
    from pycurl_redox.client import Client
    from pycurl_redox.errors import FetchError

    try:
        with Client(network=network, cacert=cacert) as client, client.stream("GET", url) as response:
            for _ in response.iter_bytes():
                pass
    except FetchError as error:
        return str(error)
    return None


def text(state: Mapping[str, Any]) -> Iterable[str]:
    """The state of `Network.info` as a page for people, line by line."""
    for interface in state["interfaces"]:
        yield f"{interface['name']}: mtu {interface['mtu']}" + (
            f" mac {interface['mac']}" if interface["mac"] else ""
        )
        for address in interface["addresses"]:
            valid = "" if address["valid"] is None else f", valid {address['valid']:.0f} s"
            yield f"    {address['address']}/{address['prefix_length']} ({address['origin']}{valid})"
    yield "routes:"
    for route in state["routes"]:
        way = f"via {route['gateway']}" if route["gateway"] else "on link"
        yield f"    {route['destination']} {way} dev {route['interface']} ({route['origin']})"
    yield "neighbours:"
    for neighbor in state["neighbors"]:
        router = ", router" if neighbor["router"] else ""
        yield f"    {neighbor['address']} {neighbor['mac'] or '?'} ({neighbor['state']}{router})"
    yield "resolvers: " + (" ".join(state["resolvers"]) or "none")
    lease = state["dhcp"]["lease"]
    if lease is None:
        yield f"lease: none (DHCP {state['dhcp']['state']})"
    else:
        renewal = "" if lease["renew"] is None else f", renewed in {lease['renew']:.0f} s"
        yield f"lease: {lease['address']}/{lease['prefix_length']} from {lease['server']}{renewal}"
    yield from _driver(state["virtio"])


def _driver(driver: Mapping[str, Any]) -> Iterable[str]:
    link = "up" if driver["link_up"] else "down"
    yield f"virtio-net: status 0x{driver['status']:02x}, link {link}, features {' '.join(driver['features'])}"
    for name in ("receive", "transmit"):
        ring = driver[name]
        yield (
            f"    {name}: ring {ring['size']}, posted {ring['posted']}, used {ring['used']}, "
            f"outstanding {ring['outstanding']}, kicks {ring['kicks']}, "
            f"frames {ring['frames']}, octets {ring['octets']}"
        )
    yield (
        f"    interrupts {driver['interrupts']}, found without one {driver['found_without_interrupt']}, "
        f"resets {driver['resets']}"
    )
