"""One stack with a hand-written peer: frames go in and come out as the test says."""

from __future__ import annotations

from tcpip.config import StackConfig
from tcpip.stack import Stack
from tcpip.wire import icmpv6, ndisc
from tcpip.wire.address import IPV4_BROADCAST, IpAddress
from tcpip.wire.arp import REPLY, REQUEST, ArpPacket
from tcpip.wire.ethernet import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    EthernetHeader,
)
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tests.fakes.frame_pair import MAC_A, MAC_B, random_bytes


class LoneStack:
    """Time is `now`; `sent` are the frames of the last `poll`."""

    def __init__(self, config: StackConfig, *, offloads: int = 0, mtu: int = 1500, seed: int = 1) -> None:
        self.stack = Stack(config, MAC_A, mtu, offloads, random_bytes(seed))
        self.now = 10.0

    def poll(self) -> list[bytes]:
        """Do what is due now and give the frames that go out."""
        due = self.stack.next_timeout()
        if due is not None and due <= self.now:
            self.stack.handle_timeout(self.now)
        return [b"".join(map(bytes, frame.pieces)) for frame in self.stack.frames_to_send(self.now)]

    def advance(self, seconds: float) -> list[bytes]:
        """Let time pass, stopping at each deadline; give all frames."""
        end, frames = self.now + seconds, self.poll()
        while (due := self.stack.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            frames += self.poll()
        self.now = end
        return frames + self.poll()

    def receive(self, frame: bytes, flags: int = 0) -> list[bytes]:
        self.stack.receive_frame(memoryview(frame), flags, 0, self.now)
        return self.poll()

    def receive_packet(self, packet: Ipv4Packet | Ipv6Packet, mac: bytes = MAC_B) -> list[bytes]:
        ethertype = ETHERTYPE_IPV4 if len(packet.source) == 4 else ETHERTYPE_IPV6
        destination = b"\xff" * 6 if packet.destination == IPV4_BROADCAST else MAC_A
        return self.receive(EthernetHeader(destination, mac, ethertype).build() + packet.build())

    def receive_arp(self, operation: int, sender: str, target: str, mac: bytes = MAC_B) -> list[bytes]:
        target_mac = MAC_A if operation == REPLY else bytes(6)
        packet = ArpPacket(operation, mac, IpAddress.parse(sender), target_mac, IpAddress.parse(target))
        destination = MAC_A if operation == REPLY else b"\xff" * 6
        return self.receive(EthernetHeader(destination, mac, ETHERTYPE_ARP).build() + packet.build())

    def answer_arp(self, address: str, own: str = "10.0.2.15", mac: bytes = MAC_B) -> list[bytes]:
        return self.receive_arp(REPLY, address, own, mac)

    def ask_arp(self, address: str, asked: str, mac: bytes = MAC_B) -> list[bytes]:
        return self.receive_arp(REQUEST, address, asked, mac)

    def answer_nd(self, address: str, own: str, mac: bytes = MAC_B, **fields: bool) -> list[bytes]:
        target = IpAddress.parse(address)
        fields.setdefault("is_solicited", True)
        message = ndisc.NeighborAdvertisement(target, mac, **fields).build()
        return self.receive_discovery(message, address, own)

    def receive_discovery(
        self, message: icmpv6.Icmpv6Message, source: str, destination: str, hop_limit: int = 255
    ) -> list[bytes]:
        a, b = IpAddress.parse(source), IpAddress.parse(destination)
        return self.receive_packet(Ipv6Packet(a, b, 58, message.build(a, b), hop_limit))
