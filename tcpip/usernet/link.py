"""The gateway's end of the link: frames for the guest, and what the guest's device can take off our hands."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tcpip.usernet.port import NetHeader, Port, scatter
from tcpip.wire.address import IpAddress
from tcpip.wire.ethernet import ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet

# Feature bits of virtio 1.2 §5.1.3 that matter to a backend.
FEATURE_CSUM = 1 << 0
FEATURE_GUEST_CSUM = 1 << 1
FEATURE_GUEST_TSO4 = 1 << 7
FEATURE_GUEST_TSO6 = 1 << 8
FEATURE_HOST_TSO4 = 1 << 11
FEATURE_HOST_TSO6 = 1 << 12
OFFERED = (
    FEATURE_CSUM
    | FEATURE_GUEST_CSUM
    | FEATURE_GUEST_TSO4
    | FEATURE_GUEST_TSO6
    | FEATURE_HOST_TSO4
    | FEATURE_HOST_TSO6
)

NEEDS_CSUM, DATA_VALID = 1, 2
GSO_TCPV4, GSO_TCPV6 = 1, 4

PLAIN: NetHeader = (0, 0, 0, 0, 0, 0)
_VALID: NetHeader = (DATA_VALID, 0, 0, 0, 0, 0)


class Link:
    """Sends frames to the guest; what finds no receive buffer waits in a bounded queue."""

    def __init__(self, gateway_mac: bytes, guest_mac: bytes, mtu: int, max_queued: int) -> None:
        self.mtu = mtu
        self.headers = {
            4: EthernetHeader(guest_mac, gateway_mac, ETHERTYPE_IPV4).build(),
            6: EthernetHeader(guest_mac, gateway_mac, ETHERTYPE_IPV6).build(),
        }
        self.port: Port | None = None
        self.takes_partial = False
        self.takes_merged = {4: False, 6: False}
        self.finished_header = PLAIN
        self._queue: deque[bytes] = deque()
        self._max_queued = max_queued
        self._identification = 0
        self.frames_sent = 0
        self.frames_dropped = 0

    def attach(self, port: Port, features: int) -> None:
        self.port = port
        self.takes_partial = bool(features & FEATURE_GUEST_CSUM)
        self.takes_merged = {
            4: self.takes_partial and bool(features & FEATURE_GUEST_TSO4),
            6: self.takes_partial and bool(features & FEATURE_GUEST_TSO6),
        }
        self.finished_header = _VALID if self.takes_partial else PLAIN

    def detach(self) -> None:
        self.port = None
        self._queue.clear()

    @property
    def has_queued(self) -> bool:
        return bool(self._queue)

    def room(self, size: int) -> Sequence[memoryview] | None:
        """Receive buffers for a frame; None as well while earlier frames wait for theirs."""
        if self.port is None or self._queue:
            return None
        return self.port.rx_room(size)

    def done(self, length: int, header: NetHeader) -> None:
        assert self.port is not None
        self.frames_sent += 1
        self.port.rx_done(length, header)

    def send(self, frame: bytes) -> None:
        """Send a whole frame with its checksums made."""
        if not self.send_now(frame):
            if len(self._queue) < self._max_queued and self.port is not None:
                self._queue.append(frame)
            else:
                self.frames_dropped += 1

    def send_now(self, frame: bytes) -> bool:
        """Send a whole frame if there is room for it."""
        views = self.room(len(frame))
        if views is None:
            return False
        scatter(views, frame)
        self.done(len(frame), self.finished_header)
        return True

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        queue, port = self._queue, self.port
        while queue and port is not None:
            views = port.rx_room(len(queue[0]))
            if views is None:
                return
            frame = queue.popleft()
            scatter(views, frame)
            self.done(len(frame), self.finished_header)

    def send_packet(
        self, source: bytes, destination: bytes, protocol: int, payload: bytes, hop_limit: int = 64
    ) -> None:
        """Send an IP packet, in fragments if the MTU demands it."""
        self._identification = self._identification + 1 & 0xFFFF
        if len(source) == 4:
            packet4 = Ipv4Packet(
                IpAddress(source), IpAddress(destination), protocol, payload, hop_limit,
                identification=self._identification,
            )  # fmt: skip
            self._send4(packet4, payload)
        else:
            packet6 = Ipv6Packet(
                IpAddress(source), IpAddress(destination), protocol, payload, hop_limit,
                identification=self._identification,
            )  # fmt: skip
            self._send6(packet6, payload)

    def _send4(self, packet: Ipv4Packet, payload: bytes) -> None:
        size = self.mtu - 20 & ~7
        if len(payload) <= self.mtu - 20:
            self.send(self.headers[4] + packet.build())
            return
        for start in range(0, len(payload), size):
            part = payload[start : start + size]
            more = start + size < len(payload)
            piece = packet._replace(payload=part, fragment_offset=start, more_fragments=more)
            self.send(self.headers[4] + piece.build())

    def _send6(self, packet: Ipv6Packet, payload: bytes) -> None:
        size = self.mtu - 48 & ~7
        if len(payload) <= self.mtu - 40:
            self.send(self.headers[6] + packet.build())
            return
        packet = packet._replace(has_fragment_header=True)
        for start in range(0, len(payload), size):
            part = payload[start : start + size]
            more = start + size < len(payload)
            piece = packet._replace(payload=part, fragment_offset=start, more_fragments=more)
            self.send(self.headers[6] + piece.build())

    def largest_segment(self, version: int, mss: int) -> int:
        """Octets of TCP payload that one frame may carry."""
        if not self.takes_merged[version]:
            return mss
        return max(mss, (65_535 - (40 if version == 4 else 20)) // mss * mss)
