"""The line of the PROXY protocol, version 1: who the client is, told before anything else.

haproxy's proxy-protocol.txt §2.1; both addresses are of one family, the ports those of the connection.
"""

from __future__ import annotations

from pycurl_redox.errors import OptionSyntaxError
from tcpip.wire.address import IpAddress

End = tuple[str, int]


def proxy_line(local: End, remote: End, client: str = "") -> bytes:
    """Return the line for a connection; `client` stands for our own address.

    Where it is of the other family than the connection, it stands for the server's as well.
    """
    source, target = IpAddress.parse(local[0]), IpAddress.parse(remote[0])
    if client:
        try:
            source = IpAddress.parse(client)
        except ValueError as error:
            raise OptionSyntaxError(f"--haproxy-clientip {client}: not an IP address") from error
        if source.version != target.version:
            target = source
    return f"PROXY TCP{source.version} {source} {target} {local[1]} {remote[1]}\r\n".encode("ascii")
