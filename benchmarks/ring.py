"""What the ring costs: frames and octets a second through driver and software device, one thread, no network.

    python benchmarks/ring.py [--seconds 1] [--json] [--memory 1000000]

TX: the frame is copied into the ring once, the backend looks at nothing.
RX: the backend copies one frame into the posted buffers, the driver yields a
view of it; the reader looks at nothing.
"""

from __future__ import annotations

import argparse
import json
import time

from virtio import spec
from virtio.device.backend import PLAIN_HEADER
from virtio.device.net import NetDevice
from virtio.net import VirtioNet, VirtioNetConfig
from virtio.transport.inprocess import InProcessTransport

BATCH = 32


class NullBackend:
    """Takes everything; gives `pending` frames of `size` octets."""

    mac = b"\x52\x54\x00\x12\x34\x56"
    mtu = 1500
    features = spec.OFFLOADS

    def __init__(self, size: int) -> None:
        self.source = bytes(size)
        self.taken = 0
        self.pending = 0

    def attach(self, port, features) -> None:
        self.port = port

    def detach(self) -> None:
        pass

    def transmit(self, pieces, header) -> None:
        self.taken += 1

    def service(self, now) -> None:
        port, source = self.port, self.source
        size = len(source)
        while self.pending:
            room = port.rx_room(size)
            if room is None:
                return
            room[0][:size] = source
            port.rx_done(size, PLAIN_HEADER)
            self.pending -= 1

    def next_timeout(self) -> None:
        return None

    def wait_fds(self) -> tuple[int, ...]:
        return ()

    def close(self) -> None:
        pass


def transmit(size: int, seconds: float, features: int) -> float:
    backend = NullBackend(size)
    net = VirtioNet(InProcessTransport(NetDevice(backend)), VirtioNetConfig(features=features))
    pieces = (bytes(66), bytes(size - 66))
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(16):
            net.service(0.0)
            for _ in range(BATCH):
                net.send_frame(pieces, 0, 0, 0, 0)
            net.flush()
    elapsed = time.perf_counter() - started
    net.close()
    return backend.taken / elapsed


def receive(size: int, seconds: float, features: int) -> float:
    backend = NullBackend(size)
    net = VirtioNet(InProcessTransport(NetDevice(backend)), VirtioNetConfig(features=features))
    count = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(16):
            backend.pending = BATCH
            net.service(0.0)
            for _frame, _flags, _size, token in net.receive_frames():
                net.release(token)
                count += 1
            net.flush()
    elapsed = time.perf_counter() - started
    net.close()
    return count / elapsed


def memory_growth(frames: int) -> tuple[int, int]:
    """Resident KiB after the first 50 000 frames and after `frames`, 1514 octets each, there and back."""
    backend = NullBackend(1514)
    net = VirtioNet(InProcessTransport(NetDevice(backend)))
    pieces = (bytes(66), bytes(1448))
    sizes = []
    for target in (50_000, frames):
        while backend.taken < target:
            backend.pending = BATCH
            net.service(0.0)
            for _frame, _flags, _size, token in net.receive_frames():
                net.release(token)
            for _ in range(BATCH):
                net.send_frame(pieces, 0, 0, 0, 0)
            net.flush()
        sizes.append(resident())
    net.close()
    return sizes[0], sizes[1]


def resident() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", type=int, metavar="FRAMES", help="only show that memory stays flat")
    arguments = parser.parse_args()
    if arguments.memory:
        print(
            "resident KiB after 50 000 frames and after {:,}: {} {}".format(
                arguments.memory, *memory_growth(arguments.memory)
            )
        )
        return
    rows = []
    for name, features in (
        ("all features", spec.ALL_FEATURES),
        ("no offload", spec.ALL_FEATURES & ~spec.OFFLOADS),
    ):
        for size in (1514, 65536):
            if size > 1514 and not features & spec.GUEST_TSO:
                continue
            for direction in (transmit, receive):
                rate = direction(size, arguments.seconds, features)
                rows.append((name, direction.__name__, size, round(rate), round(rate * size / 1e9, 2)))
    if arguments.json:
        keys = ("features", "direction", "octets", "frames_per_second", "gigabytes_per_second")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
        return
    for row in rows:
        print("{:14} {:9} {:6} octets {:10,} frames/s {:7.2f} GB/s".format(*row))


if __name__ == "__main__":
    main()
