"""Two stacks on a wire in memory, in virtual time, with each offload present or absent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tcpip import device
from tcpip.config import StackConfig, StaticAddress
from tcpip.stack import Frame, Stack
from tcpip.wire.checksum import ones_sum

MAC_A = bytes.fromhex("525400000001")
MAC_B = bytes.fromhex("525400000002")
ALL_OFFLOADS = device.TX_CHECKSUM | device.RX_CHECKSUM | device.TSO4 | device.TSO6 | device.LRO4 | device.LRO6


def random_bytes(seed: int) -> Callable[[int], bytes]:
    import random

    return random.Random(seed).randbytes


def static_config(*addresses: str, **fields) -> StackConfig:
    return StackConfig(
        addresses=tuple(map(StaticAddress.parse, addresses)),
        dhcp=False,
        router_advertisements=False,
        **fields,
    )


class Node:
    """A stack at one end of the wire, and what it has been sent."""

    def __init__(self, stack: Stack, offloads: int, mtu: int) -> None:
        self.stack = stack
        self.offloads = offloads
        self.mtu = mtu
        self.inbox: deque[tuple[float, bytes, int, int]] = deque()
        self.sent: list[bytes] = []


class FramePair:
    """The wire: `step` moves what there is, `run_until` lets time jump to the next deadline."""

    def __init__(
        self,
        config_a: StackConfig,
        config_b: StackConfig,
        *,
        offloads_a: int = 0,
        offloads_b: int = 0,
        mtu: int = 1500,
        delay: float = 0.0,
        lose: Callable[[bytes], bool] = lambda frame: False,
        seed: int = 1,
    ) -> None:
        self.a = Node(Stack(config_a, MAC_A, mtu, offloads_a, random_bytes(seed)), offloads_a, mtu)
        self.b = Node(Stack(config_b, MAC_B, mtu, offloads_b, random_bytes(seed + 1)), offloads_b, mtu)
        self.now = 100.0
        self.delay = delay
        self.lose = lose

    def step(self) -> bool:
        """Move everything that moves now; False when nothing did."""
        moved = False
        for node, other in ((self.a, self.b), (self.b, self.a)):
            while node.inbox and node.inbox[0][0] <= self.now:
                _, frame, flags, gso_size = node.inbox.popleft()
                node.stack.receive_frame(memoryview(frame), flags, gso_size, self.now)
                moved = True
            due = node.stack.next_timeout()
            if due is not None and due <= self.now:
                node.stack.handle_timeout(self.now)
                moved = True
            for frame in node.stack.frames_to_send(self.now):
                moved = True
                self._carry(node, other, frame)
        return moved

    def run_until(self, condition: Callable[[], bool], *, at_most: float = 60.0) -> None:
        """Step until the condition holds; AssertionError when it does not in time."""
        end = self.now + at_most
        while not condition():
            if not self.step() and not condition():
                due = self._next()
                assert due is not None and due <= end, f"nothing happens until {due}"
                self.now = max(due, self.now)

    def run_for(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            while self.step():
                pass
            due = self._next()
            if due is None or due > end:
                self.now = end
                return
            self.now = max(due, self.now)

    def _next(self) -> float | None:
        times = [self.a.stack.next_timeout(), self.b.stack.next_timeout()]
        times += [node.inbox[0][0] for node in (self.a, self.b) if node.inbox]
        return min((t for t in times if t is not None), default=None)

    def _carry(self, node: Node, other: Node, frame: Frame) -> None:
        whole = b"".join(map(bytes, frame.pieces))
        for part, flags, gso_size in as_received(whole, frame, other.offloads):
            limit = other.mtu + 14
            assert len(part) <= limit or gso_size, f"{len(part)} octets in a frame of at most {limit}"
            node.sent.append(part)
            if not self.lose(part):
                other.inbox.append((self.now + self.delay, part, flags, gso_size))


def as_received(whole: bytes, frame: Frame, offloads: int) -> list[tuple[bytes, int, int]]:
    """What a device does to a frame sent, for a receiver with these offloads."""
    if frame.gso_type and not offloads & (device.LRO4 | device.LRO6):
        return [(part, _good(offloads), 0) for part in _cut(whole, frame)]
    if frame.csum_offset:
        if offloads & device.RX_CHECKSUM:
            return [(whole, device.CHECKSUM_PARTIAL, frame.gso_size)]
        return [(complete(whole, frame.csum_start, frame.csum_offset), 0, frame.gso_size)]
    return [(whole, _good(offloads), 0)]


def complete(whole: bytes, start: int, offset: int) -> bytes:
    """Fill the checksum in, as a device does."""
    check = 0xFFFF - ones_sum(whole[start:]) % 0xFFFF
    return whole[: start + offset] + check.to_bytes(2, "big") + whole[start + offset + 2 :]


def _good(offloads: int) -> int:
    return device.CHECKSUM_GOOD if offloads & device.RX_CHECKSUM else 0


def _cut(whole: bytes, frame: Frame) -> list[bytes]:
    """Segment a frame: lengths, sequence numbers, flags and checksums of each part (virtio 1.2 §5.1.6.2)."""
    start = frame.csum_start
    size = start + (whole[start + 12] >> 4) * 4
    payload, parts = whole[size:], []
    sequence = int.from_bytes(whole[start + 4 : start + 8], "big")
    identification = int.from_bytes(whole[18:20], "big")
    pseudo = int.from_bytes(whole[start + 16 : start + 18], "big") - (len(whole) - start)
    for i, at in enumerate(range(0, len(payload), frame.gso_size)):
        data = payload[at : at + frame.gso_size]
        header = bytearray(whole[:size])
        header[start + 4 : start + 8] = (sequence + at & 0xFFFFFFFF).to_bytes(4, "big")
        if at + len(data) < len(payload):
            header[start + 13] &= ~0x09  # FIN and PSH belong to the last
        length = size - start + len(data)
        header[start + 16 : start + 18] = ((pseudo + length) % 0xFFFF).to_bytes(2, "big")
        if start == 34:
            header[16:18] = (20 + length).to_bytes(2, "big")
            header[18:20] = (identification + i & 0xFFFF).to_bytes(2, "big")
            header[24:26] = b"\0\0"
            header[24:26] = (0xFFFF - ones_sum(bytes(header[14:34]))).to_bytes(2, "big")
        else:
            header[18:20] = length.to_bytes(2, "big")
        parts.append(complete(bytes(header) + data, start, frame.csum_offset))
    return parts
