"""The software device under drivers that break the rules, each in its own way."""

import struct

import pytest

from tests.fakes.backends import WireBackend, ethernet_frame
from virtio import spec
from virtio.device.net import NetDevice
from virtio.device.queue import DeviceQueue
from virtio.errors import DriverError
from virtio.memory import Region
from virtio.spec import VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE

BASE = 0x2000_0000
SIZE = 8
RX, TX = spec.RECEIVE_QUEUE, spec.TRANSMIT_QUEUE
N, W, I = VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE, VIRTQ_DESC_F_INDIRECT  # noqa: E741
DATA, TABLE = 0x4000, 0x8000


class RawDriver:
    """Writes rings by hand: page 0 the receive queue, page 1 the transmit queue."""

    def __init__(self, features=spec.ALL_FEATURES, backend=None, offered=spec.ALL_FEATURES):
        self.backend = backend or WireBackend()
        self.device = NetDevice(self.backend, offered=offered, queue_size=SIZE)
        self.region = Region.anonymous(1 << 17, BASE)
        self.causes = 0
        self.device.interrupt = self._interrupt
        self.features = features
        self.posted = [0, 0]
        self.status = [1, 3, 11, 15]
        self.start()

    def start(self):
        self.posted = [0, 0]
        self.region.octets[:0x2000] = bytes(0x2000)
        self.device.write_status(0)
        self.device.write_status(spec.ACKNOWLEDGE | spec.DRIVER)
        self.device.write_features(self.features)
        self.device.write_status(spec.ACKNOWLEDGE | spec.DRIVER | spec.FEATURES_OK)
        for queue in (RX, TX):
            page = BASE + 0x1000 * queue
            self.device.enable_queue(queue, SIZE, page, page + 0x400, page + 0x800, self.region)
        self.device.write_status(15)

    def _interrupt(self, causes):
        self.causes |= causes

    def describe(self, queue, number, offset, length, flags=0, following=0, table=None):
        at = (0x1000 * queue if table is None else table) + 16 * number
        struct.pack_into("<QIHH", self.region.octets, at, BASE + offset, length, flags, following)

    def post(self, queue, head):
        available = (0x1000 * queue + 0x400) // 2
        self.region.u16[available + 2 + self.posted[queue] % SIZE] = head
        self.posted[queue] += 1
        self.region.u16[available + 1] = self.posted[queue]

    def kick(self, queue):
        self.device.notify(queue)

    def used(self, queue):
        at = 0x1000 * queue + 0x800
        count = self.region.u16[at // 2 + 1]
        return [struct.unpack_from("<II", self.region.octets, at + 4 + 8 * n) for n in range(count)]

    def put_frame(self, offset, octets):
        self.region.octets[offset : offset + len(octets)] = octets


def assert_still_good(driver):
    """After its reset the device sends and receives."""
    driver.start()
    assert driver.device.status == 15
    frame = ethernet_frame()
    driver.backend.sent.clear()
    driver.put_frame(DATA, bytes(12) + frame)
    driver.describe(TX, 0, DATA, 12 + len(frame))
    driver.post(TX, 0)
    driver.kick(TX)
    assert [f for f, _ in driver.backend.sent] == [frame]
    assert driver.used(TX) == [(0, 0)]


FAULTS = {
    "zero length": ("buffer empty", [(0, DATA, 0)], 0),
    "address below memory": ("buffer empty", [(0, -4096, 60)], 0),
    "address beyond memory": ("buffer empty", [(0, 1 << 17, 60)], 0),
    "end beyond memory": ("buffer empty", [(0, (1 << 17) - 30, 60)], 0),
    "length of 4 GiB": ("buffer empty", [(0, DATA, 0xFFFFFFFF)], 0),
    "self loop": ("loop", [(0, DATA, 60, N, 0)], 0),
    "loop of two": ("loop", [(0, DATA, 60, N, 1), (1, DATA, 60, N, 0)], 0),
    "next out of range": ("next out of range", [(0, DATA, 60, N, SIZE)], 0),
    "head out of range": ("head out of range", [(0, DATA, 60)], SIZE),
    "writable in TX": ("writable in the transmit queue", [(0, DATA, 60, W)], 0),
    "writable before readable": ("readable after writable", [(0, DATA, 60, W | N, 1), (1, DATA, 60)], 0),
    "indirect of 17 octets": ("indirect", [(0, TABLE, 17, I)], 0),
    "indirect of none": ("indirect", [(0, TABLE, 0, I)], 0),
    "indirect with NEXT": ("indirect", [(0, TABLE, 16, I | N, 1), (1, DATA, 60)], 0),
    "indirect longer than the ring": ("indirect", [(0, TABLE, 16 * (SIZE + 1), I)], 0),
    "indirect outside of memory": ("buffer empty", [(0, 1 << 20, 16, I)], 0),
    "indirect in a chain": ("indirect", [(0, DATA, 60, N, 1), (1, TABLE, 16, I)], 0),
    "shorter than the header": ("frame shorter than its header", [(0, DATA, 6)], 0),
}


@pytest.mark.parametrize(("fault", "descriptors", "head"), FAULTS.values(), ids=FAULTS)
def test_a_malformed_chain_asks_for_a_reset_and_is_not_completed(fault, descriptors, head):
    driver = RawDriver()
    for descriptor in descriptors:
        driver.describe(TX, *descriptor)
    driver.post(TX, head)
    driver.kick(TX)
    assert driver.device.status == 15 | spec.DEVICE_NEEDS_RESET
    assert driver.causes == spec.INTERRUPT_CONFIG
    [named] = driver.device.faults
    assert named.startswith(fault)
    assert driver.used(TX) == []
    assert not driver.backend.sent
    driver.kick(TX)
    driver.device.service(0.0)
    assert driver.device.faults == {named: 1}, "no more service until the reset"
    assert_still_good(driver)


TABLE_FAULTS = {
    "nested": ("indirect", [(0, TABLE, 16, I)]),
    "loop": ("loop", [(0, DATA, 60, N, 1), (1, DATA, 60, N, 0)]),
    "next out of the table": ("next out of range", [(0, DATA, 60, N, 2)]),
    "buffer out of memory": ("buffer empty", [(0, 1 << 20, 60, 0)]),
}


@pytest.mark.parametrize(("fault", "descriptors"), TABLE_FAULTS.values(), ids=TABLE_FAULTS)
def test_a_malformed_indirect_table_asks_for_a_reset(fault, descriptors):
    driver = RawDriver()
    for descriptor in descriptors:
        driver.describe(TX, *descriptor, table=TABLE)
    driver.describe(TX, 0, TABLE, 32, I)
    driver.post(TX, 0)
    driver.kick(TX)
    [named] = driver.device.faults
    assert named.startswith(fault)
    assert_still_good(driver)


def test_an_indirect_descriptor_that_was_not_negotiated_asks_for_a_reset():
    driver = RawDriver(features=spec.ALL_FEATURES & ~spec.VIRTIO_F_INDIRECT_DESC)
    driver.describe(TX, 0, DATA, 60, table=TABLE)
    driver.describe(TX, 0, TABLE, 16, I)
    driver.post(TX, 0)
    driver.kick(TX)
    assert driver.device.faults == {"indirect descriptor": 1}


def test_good_chains_before_a_malformed_one_are_sent_and_completed():
    driver = RawDriver()
    frame = ethernet_frame()
    driver.put_frame(DATA, bytes(12) + frame)
    driver.describe(TX, 0, DATA, 72)
    driver.describe(TX, 1, DATA, 72)
    driver.describe(TX, 2, DATA, 0)
    for head in (0, 1, 2):
        driver.post(TX, head)
    driver.kick(TX)
    assert len(driver.backend.sent) == 2
    assert driver.used(TX) == [(0, 0), (1, 0)]
    assert driver.device.status & spec.DEVICE_NEEDS_RESET


@pytest.mark.parametrize("jump", [SIZE + 1, 1000, 65535])
def test_an_available_index_that_jumps_asks_for_a_reset(jump):
    driver = RawDriver()
    driver.region.u16[0x1400 // 2 + 1] = jump
    driver.kick(TX)
    assert driver.device.faults == {"available index jumps": 1}
    assert_still_good(driver)


@pytest.mark.parametrize(
    ("descriptors", "fault"),
    [
        ([(0, DATA, 60)], "receive buffer"),
        ([(0, DATA, 60, N, 1), (1, DATA, 60, W)], "receive buffer"),
        ([(0, DATA, 11, W)], "receive buffer"),
        ([(0, DATA, 0, W)], "buffer empty or outside of memory"),
        ([(0, DATA, 60, W | N, 0)], "loop"),
    ],
)
def test_a_malformed_receive_buffer_asks_for_a_reset(descriptors, fault):
    driver = RawDriver()
    for descriptor in descriptors:
        driver.describe(RX, *descriptor)
    driver.post(RX, 0)
    driver.backend.put(ethernet_frame())
    driver.device.service(0.0)
    assert driver.device.faults == {fault: 1}
    assert_still_good(driver)


@pytest.mark.parametrize("cut", [1, 5, 11, 12, 13, 40])
def test_a_header_may_be_cut_anywhere_in_both_directions(cut):
    """§5.1.6: no assumption about the layout of descriptors (virtio 1.2 §2.7.4.1)."""
    driver = RawDriver()
    frame = ethernet_frame()
    driver.put_frame(DATA, bytes(12) + frame)
    driver.describe(TX, 0, DATA, cut, N, 1)
    driver.describe(TX, 1, DATA + cut, 72 - cut)
    driver.post(TX, 0)
    driver.kick(TX)
    assert driver.backend.sent.pop() == (frame, (0, 0, 0, 0, 0, 0))
    driver.describe(RX, 0, DATA, cut, W | N, 1)
    driver.describe(RX, 1, DATA + cut, 500, W)
    driver.post(RX, 0)
    driver.backend.put(frame, (1, 0, 0, 0, 34, 6))
    driver.device.service(0.0)
    assert driver.used(RX) == [(0, 72)]
    header = struct.pack("<BBHHHHH", 1, 0, 0, 0, 34, 6, 1)
    assert bytes(driver.region.octets[DATA : DATA + 72]) == header + frame


@pytest.mark.parametrize(
    ("header", "length", "reason"),
    [
        ((0, 0, 0, 0, 0, 0), 0, "no frame"),
        ((0, 0, 0, 0, 0, 0), 13, "frame too short"),
        ((0, 0, 0, 0, 0, 0), 65_550, "frame too long"),
        ((1, 0, 0, 0, 50, 16), 60, "checksum place"),
        ((1, 0, 0, 0, 65535, 65535), 60, "checksum place"),
        ((1, 1, 54, 0, 34, 16), 60, "segmentation without size or checksum"),
        ((0, 1, 54, 1460, 34, 16), 60, "segmentation without size or checksum"),
        ((1, 3, 54, 1460, 34, 16), 60, "segmentation not negotiated"),
    ],
)
def test_a_header_that_makes_no_sense_drops_the_frame(header, length, reason):
    driver = RawDriver()
    driver.put_frame(DATA, struct.pack("<BBHHHHH", *header, 0))
    driver.describe(TX, 0, DATA, 12 + length)
    driver.post(TX, 0)
    driver.kick(TX)
    assert driver.device.dropped == {reason: 1}
    assert driver.used(TX) == [(0, 0)], "completed all the same"
    assert driver.device.status == 15
    assert not driver.backend.sent


@pytest.mark.parametrize(
    ("features", "header", "reason"),
    [
        (spec.ALL_FEATURES & ~spec.OFFLOADS, (1, 0, 0, 0, 34, 16), "checksum not negotiated"),
        (spec.ALL_FEATURES & ~spec.HOST_TSO, (1, 1, 54, 1460, 34, 16), "segmentation not negotiated"),
    ],
)
def test_an_offload_that_was_not_negotiated_drops_the_frame(features, header, reason):
    driver = RawDriver(features=features)
    driver.put_frame(DATA, struct.pack("<BBHHHHH", *header, 0))
    driver.describe(TX, 0, DATA, 100)
    driver.post(TX, 0)
    driver.kick(TX)
    assert driver.device.dropped == {reason: 1}


@pytest.mark.parametrize(
    "features",
    [
        spec.VIRTIO_F_VERSION_1 | spec.VIRTIO_NET_F_HOST_TSO4,
        spec.VIRTIO_F_VERSION_1 | spec.VIRTIO_NET_F_GUEST_TSO6,
        spec.VIRTIO_F_VERSION_1 | 1 << 40,
    ],
)
def test_features_that_were_not_offered_or_lack_their_ground_are_refused(features):
    device = NetDevice(WireBackend())
    device.write_status(3)
    device.write_features(features)
    device.write_status(11)
    assert not device.status & spec.FEATURES_OK


def test_features_are_fixed_once_they_are_settled():
    driver = RawDriver()
    driver.device.write_features(0)
    assert driver.backend.attached_features == spec.ALL_FEATURES


@pytest.mark.parametrize(
    ("size", "descriptors", "available", "used"),
    [
        (3, 0, 0x400, 0x800),
        (0, 0, 0x400, 0x800),
        (SIZE * 2, 0, 0x400, 0x800),
        (SIZE, 8, 0x400, 0x800),
        (SIZE, 0, 0x401, 0x800),
        (SIZE, 0, 0x400, 0x802),
        (SIZE, 1 << 17, 0x400, 0x800),
        (SIZE, 0, (1 << 17) - 2, 0x800),
        (SIZE, 0, 0x400, -64),
    ],
)
def test_a_ring_that_does_not_fit_asks_for_a_reset(size, descriptors, available, used):
    device = NetDevice(WireBackend(), queue_size=SIZE)
    region = Region.anonymous(1 << 17, BASE)
    device.write_status(3)
    device.enable_queue(0, size, BASE + descriptors, BASE + available, BASE + used, region)
    assert device.status & spec.DEVICE_NEEDS_RESET
    assert sum(device.faults.values()) == 1


def test_a_start_without_queues_asks_for_a_reset():
    device = NetDevice(WireBackend())
    for status in (3, 11, 15):
        device.write_status(status)
    assert device.status & spec.DEVICE_NEEDS_RESET
    assert device.faults == {"started without queues": 1}


def test_a_backend_that_frames_reach_before_the_driver_keeps_them():
    device = NetDevice(WireBackend())
    assert device.rx_room(60) is None
    device.notify(RX)
    device.notify(TX)
    device.service(0.0)
    assert not device.has_work()


def test_a_queue_sends_an_interrupt_only_for_the_entry_that_was_asked_for():
    region = Region.anonymous(1 << 16, BASE)
    queue = DeviceQueue(region, 8, BASE, BASE + 0x400, BASE + 0x800, spec.VIRTIO_F_EVENT_IDX)
    used_event = 0x400 // 2 + 2 + 8
    region.u16[used_event] = 2
    told = []
    for head in range(5):
        queue.push(head, 0)
        told.append(queue.publish())
    assert told == [False, False, True, False, False]
    assert queue.publish() is False
    with pytest.raises(DriverError, match="queue size"):
        DeviceQueue(region, 5, BASE, BASE + 0x400, BASE + 0x800, 0)
