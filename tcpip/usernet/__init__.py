"""The user-mode network: frames on one side, the host's sockets on the other.

`UserNetwork` fits the software device's `Backend`.  It is another machine
than the client: it shares the formats of `tcpip.wire` with the stack and
nothing else.
"""

from tcpip.usernet.config import UserNetConfig, choose_network, choose_network6
from tcpip.usernet.gateway import UserNetwork
from tcpip.usernet.sockets import HostSockets, host_addresses, host_resolvers

__all__ = [
    "HostSockets",
    "UserNetConfig",
    "UserNetwork",
    "choose_network",
    "choose_network6",
    "host_addresses",
    "host_resolvers",
]
