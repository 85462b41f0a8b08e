"""A guest that pings 192.0.2.1 and 2001:db8::1 through the user-mode network; a program for tests."""

from __future__ import annotations

import os
import select
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tcpip.usernet import UserNetConfig, UserNetwork
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tests.fakes.bare_client import BareClient

_WORDS = {
    (4, icmpv4.ECHO_REPLY, 0): "reply",
    (4, icmpv4.DESTINATION_UNREACHABLE, icmpv4.COMMUNICATION_PROHIBITED): "prohibited",
    (6, icmpv6.ECHO_REPLY, 0): "reply6",
    (6, icmpv6.DESTINATION_UNREACHABLE, icmpv6.PROHIBITED): "prohibited6",
}


def answer(client: BareClient, packet: Ipv4Packet | Ipv6Packet) -> str:
    """Send an echo request and name what comes back within two seconds."""
    client.send_packet(packet)
    end = time.monotonic() + 2.0
    while not client.packets and time.monotonic() < end:
        client.turn(time.monotonic())
        select.select(client.network.wait_fds(), [], [], 0.05)
    if not client.packets:
        return "nothing"
    got = client.packets.popleft()
    if isinstance(got, Ipv4Packet):
        message4 = Icmpv4Message.parse(got.payload)
        return _WORDS[4, message4.type, message4.code]
    message6 = Icmpv6Message.parse(got.payload, got.source, got.destination)
    return _WORDS[6, message6.type, message6.code]


def main() -> None:
    network = UserNetwork(UserNetConfig(), random_bytes=os.urandom)
    client = BareClient(network, now=time.monotonic())
    to4, to6 = IpAddress.parse("192.0.2.1"), IpAddress.parse("2001:db8::1")
    echo4 = Icmpv4Message.echo(7, 1, b"data").build()
    echo6 = Icmpv6Message.echo(7, 1, b"data").build(client.address6, to6)
    words = [
        answer(client, Ipv4Packet(client.address, to4, 1, echo4)),
        answer(client, Ipv6Packet(client.address6, to6, 58, echo6)),
    ]
    refusal = network.icmp_refusal()
    words.append(
        "net.ipv4.ping_group_range" if refusal and "net.ipv4.ping_group_range" in refusal else str(refusal)
    )
    print(*words)


if __name__ == "__main__":
    main()
