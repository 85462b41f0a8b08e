"""Encrypted ClientHello as `--ech` wants it: where the configs come from (RFC 9849 §4, RFC 9848).

A config on the command line serves every server.  Without one the server's
HTTPS record is asked for, by DoH where that is in use; a name behind a proxy
is not looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import errors
from tcpip.errors import StackError

if TYPE_CHECKING:
    from pycurl_redox.fetcher import Fetcher
    from pycurl_redox.pool import Route
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.transfer import Transfer
    from tcpip.wire.dns import ServiceBinding

ECH_PARAMETER = 5
"""SvcParamKey `ech` (RFC 9848 §3)."""
HTTPS_PORT = 443


async def configs(
    fetcher: Fetcher, transfer: Transfer, route: Route, options: TlsOptions, deadline: float
) -> bytes:
    """Return the ECHConfigList for a server, b"" for none; EchRequiredError where one is insisted on.

    What comes from DNS has a config in it that can be used.
    """
    if options.ech_config:
        from binascii import a2b_base64

        return a2b_base64(options.ech_config)
    if options.ech not in ("true", "hard"):
        return b""
    from tls.names import parse_ip

    found, why = b"", "its name is looked up by the proxy"
    if options.tls_max == "1.2":
        why = "TLS 1.3 is not allowed"
    elif parse_ip(route.host) is not None:
        why = "an address has no HTTPS record"
    elif route.proxy is None and route.socks is None:
        found, why = await _from_dns(fetcher, transfer, route, deadline)
    if not found and options.ech == "hard":
        raise errors.EchRequiredError(f"ECH: no config for {route.host}: {why} (--ech ecl:BASE64 gives one)")
    transfer.observer.note(f"ECH: {'config from DNS' if found else f'no config, {why}'}")
    return found


async def _from_dns(fetcher: Fetcher, transfer: Transfer, route: Route, deadline: float) -> tuple[bytes, str]:
    host = route.host.removesuffix(".")
    name = host if route.port == HTTPS_PORT else f"_{route.port}._https.{host}"
    try:
        services = await fetcher.services(transfer, name, deadline)
    except (StackError, errors.FetchError) as error:
        return b"", f"the HTTPS record of {name} was not found: {error}"
    if not (found := config_of(services, host)):
        return b"", f"there is none in an HTTPS record of {name}"
    return (found, "") if _is_usable(found) else (b"", f"none in the HTTPS record of {name} can be used")


def _is_usable(found: bytes) -> bool:
    from tls import ech
    from tls.errors import UsageError

    try:
        return ech.choose(found) is not None
    except UsageError:
        return False


def config_of(services: tuple[ServiceBinding, ...], host: str) -> bytes:
    """The config of the best record that is about this very host (RFC 9460 §2.4.3)."""
    for service in services:
        is_here = service.priority > 0 and service.target in ("", host.lower())
        if is_here and (found := service.parameters.get(ECH_PARAMETER)):
            return found
    return b""
