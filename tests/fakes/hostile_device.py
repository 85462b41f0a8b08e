"""A device that does as a test tells it, lies included, straight in the rings' memory.

It fits `virtio.transport.Transport` and shares no code with the software
device: what the driver published is read here a third time, in the plainest
way.  A test posts and publishes through the driver, then calls `use`,
`set_used_index`, `ask_for_reset` and the like.
"""

import struct

from virtio import spec
from virtio.memory import Region

BASE = 0x7000_0000


class HostileDevice:
    def __init__(self, features=spec.ALL_FEATURES, queue_size=16, mtu=1500, mac=b"\x52\x54\0\x12\x34\x56"):
        self.offered = features
        self.size_max = queue_size
        self.refuse_features = False
        self.never_resets = False
        self.config = mac + struct.pack("<HHH", 1, 1, mtu)
        self.restless_config = False
        self.generation = 0
        self.status = 0
        self.accepted = 0
        self.causes = 0
        self.kicks = []
        self.resets = 0
        self.queues = {}
        self.region = None
        self.fetched = {0: 0, 1: 0}
        self.used = {0: 0, 1: 0}
        self.closed = False
        self.on_reset = lambda: None

    # the transport

    device_id = spec.DEVICE_ID_NET

    def share_memory(self, size):
        self.region = Region.anonymous(size, BASE)
        return self.region

    def read_features(self):
        return self.offered

    def write_features(self, features):
        self.accepted = features

    def read_status(self):
        return self.status

    def write_status(self, status):
        if status == 0:
            if self.never_resets:
                return
            self.resets += 1
            self.queues.clear()
            self.fetched = {0: 0, 1: 0}
            self.used = {0: 0, 1: 0}
            self.causes = 0
            self.on_reset()
        self.status = status & ~spec.FEATURES_OK if self.refuse_features else status

    def read_generation(self):
        if self.restless_config:
            self.generation += 1
        return self.generation

    def read_config(self, offset, length):
        return self.config[offset : offset + length]

    def queue_size_max(self, queue):
        return self.size_max

    def enable_queue(self, queue, size, descriptors, available, used):
        self.queues[queue] = (size, descriptors - BASE, available - BASE, used - BASE)

    def notify(self, queue):
        self.kicks.append(queue)

    def take_interrupts(self):
        causes, self.causes = self.causes, 0
        return causes

    def service(self, now):
        pass

    def next_timeout(self):
        return None

    def has_work(self):
        return False

    def wait_fds(self):
        return ()

    def close(self):
        self.closed = True

    # what the driver did

    def posted(self, queue):
        """Heads published since the last call, oldest first."""
        size, _, available, _ = self.queues[queue]
        index = self._word(available + 2)
        heads = []
        while self.fetched[queue] != index:
            heads.append(self._word(available + 4 + 2 * (self.fetched[queue] % size)))
            self.fetched[queue] = (self.fetched[queue] + 1) % 65536
        return heads

    def descriptor(self, queue, number):
        """(address, length, flags, next)"""
        return struct.unpack_from("<QIHH", self.region.octets, self.queues[queue][1] + 16 * number)

    def write_descriptor(self, queue, number, address, length, flags, following):
        struct.pack_into(
            "<QIHH",
            self.region.octets,
            self.queues[queue][1] + 16 * number,
            address,
            length,
            flags,
            following,
        )

    # what the device does

    def fill(self, head, octets):
        """Write to a posted receive buffer, from its first octet: header and frame."""
        address, length, flags, _ = self.descriptor(spec.RECEIVE_QUEUE, head)
        assert flags == spec.VIRTQ_DESC_F_WRITE
        assert len(octets) <= length
        start = address - BASE
        self.region.octets[start : start + len(octets)] = octets

    def use(self, queue, head, length, publish=True):
        """Push one used element, true or not."""
        size, _, _, used = self.queues[queue]
        at = used + 4 + 8 * (self.used[queue] % size)
        struct.pack_into("<II", self.region.octets, at, head, length)
        self.used[queue] = (self.used[queue] + 1) % 65536
        if publish:
            self.set_used_index(queue, self.used[queue])

    def set_used_index(self, queue, index):
        self.region.u16[self.queues[queue][3] // 2 + 1] = index % 65536

    def set_available_event(self, queue, index):
        size, _, _, used = self.queues[queue]
        self.region.u16[(used + 4 + 8 * size) // 2] = index % 65536

    def used_event(self, queue):
        size, _, available, _ = self.queues[queue]
        return self._word(available + 4 + 2 * size)

    def deliver(self, frame, **header):
        """Give the driver a frame, honestly but for what `header` says; returns the head used."""
        before = self.fetched[spec.RECEIVE_QUEUE]
        head = self.posted(spec.RECEIVE_QUEUE)[0]
        self.fetched[spec.RECEIVE_QUEUE] = (before + 1) % 65536
        octets = net_header(**header) + frame
        self.fill(head, octets)
        self.use(spec.RECEIVE_QUEUE, head, len(octets))
        return head

    def ask_for_reset(self, interrupt=True):
        self.status |= spec.DEVICE_NEEDS_RESET
        if interrupt:
            self.causes |= spec.INTERRUPT_CONFIG

    def _word(self, offset):
        return self.region.octets[offset] | self.region.octets[offset + 1] << 8


def net_header(
    flags=0, gso_type=0, hdr_len=0, gso_size=0, csum_start=0, csum_offset=0, num_buffers=1
) -> bytes:
    return struct.pack("<BBHHHHH", flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers)
