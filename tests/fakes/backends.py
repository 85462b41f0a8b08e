"""Backends for the software virtio-net device that need no world: a wire to hold in the hand."""

from collections import deque

from virtio import spec
from virtio.device.backend import PLAIN_HEADER


class WireBackend:
    """Keeps what the driver sends in `sent`; what a test puts into `to_driver` arrives at the driver.

    Both hold `(octets, header)`.  With `echo`, each frame sent comes back.
    """

    def __init__(self, mtu=1500, mac=b"\x52\x54\x00\x12\x34\x56", features=spec.OFFLOADS, echo=False):
        self.mac, self.mtu, self.features, self.echo = mac, mtu, features, echo
        self.sent = deque()
        self.to_driver = deque()
        self.port = None
        self.attached_features = None
        self.attached = 0
        self.detached = 0
        self.closed = False
        self.timeout = None
        self.fds = ()

    def attach(self, port, features):
        self.port, self.attached_features = port, features
        self.attached += 1

    def detach(self):
        self.port = None
        self.detached += 1

    def put(self, frame, header=PLAIN_HEADER):
        self.to_driver.append((frame, header))

    def transmit(self, pieces, header):
        frame = b"".join(pieces)
        self.sent.append((frame, header))
        if self.echo:
            self.put(frame, header)

    def service(self, now):
        while self.to_driver and self.port is not None:
            frame, header = self.to_driver[0]
            room = self.port.rx_room(len(frame))
            if room is None:
                return
            left = frame
            for view in room:
                part, left = left[: len(view)], left[len(view) :]
                view[: len(part)] = part
                if not left:
                    break
            assert not left, "the room is smaller than asked for"
            self.port.rx_done(len(frame), header)
            self.to_driver.popleft()

    def next_timeout(self):
        return self.timeout

    def wait_fds(self):
        return self.fds

    def close(self):
        self.closed = True


def ethernet_frame(length=60, fill=0):
    """A frame of `length` octets with an Ethernet header; the payload counts up from `fill`."""
    header = b"\x52\x54\x00\x12\x34\x56" + b"\x02\x00\x00\x00\x00\x02" + b"\x88\xb5"
    pattern = bytes((fill + i) % 251 for i in range(251))
    return (header + pattern * (length // 251 + 1))[:length]
