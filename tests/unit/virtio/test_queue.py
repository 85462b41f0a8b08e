"""Ring indices, layout, memory and the driver's ring by itself."""

import pytest

from virtio import spec
from virtio.errors import TransportError, UsageError
from virtio.layout import RingLayout, ring_room
from virtio.memory import BufferPool, Region, make_barrier
from virtio.queue import INDIRECT_ENTRIES, Virtqueue, queue_room
from virtio.ring_index import distance, to_index, wants_event
from virtio.transport.inprocess import InProcessTransport

BASE = 0x1000_0000


def make_queue(size=8, event_idx=True, indirect=True):
    region = Region.anonymous(1 << 16, BASE)
    layout = RingLayout.allocate(region, size)
    tables = region.allocate(queue_room(size))
    return Virtqueue(region, layout, tables, event_idx=event_idx, indirect=indirect), region


def words(region, offset, count):
    return list(region.u16[offset // 2 : offset // 2 + count])


def descriptor(region, offset, number):
    address, rest = region.u64[offset // 8 + 2 * number], region.u64[offset // 8 + 2 * number + 1]
    return address, rest & 0xFFFFFFFF, rest >> 32 & 0xFFFF, rest >> 48


@pytest.mark.parametrize(
    ("count", "index", "expected"),
    [
        (0, 0, 0),
        (65535, 0, 1),
        (65536, 0, 0),
        (65536, 1, 1),
        (131_071, 2, 3),
        (0, 65535, 65535),
        (5, 4, 65535),
    ],
)
def test_distances_are_taken_across_the_wrap(count, index, expected):
    assert distance(count, index) == expected
    assert to_index(count + expected) == index


@pytest.mark.parametrize(
    ("event", "new", "old", "wanted"),
    [
        (0, 1, 0, True),
        (1, 1, 0, False),
        (0, 2, 1, False),
        (65535, 65536, 65535, True),
        (65535, 0, 65535, True),
        (65534, 65536, 65535, False),
        (0, 65537, 65530, True),
        (1, 65537, 65530, False),
        (5, 5, 5, False),
    ],
)
def test_an_event_is_wanted_when_its_entry_is_passed(event, new, old, wanted):
    assert wants_event(event, new, old) is wanted


@pytest.mark.parametrize("size", [1, 2, 256, 32768])
def test_ring_parts_are_aligned_and_apart(size):
    region = Region.anonymous(ring_room(size), BASE)
    layout = RingLayout.allocate(region, size)
    assert layout.descriptors % 16 == layout.available % 2 == layout.used % 4 == 0
    assert layout.available >= layout.descriptors + 16 * size
    assert layout.used >= layout.available + 6 + 2 * size
    assert layout.used + 6 + 8 * size <= region.size


@pytest.mark.parametrize("size", [0, 3, 255, 65536, -1])
def test_ring_sizes_that_are_no_power_of_two_are_refused(size):
    with pytest.raises(UsageError, match="power of two"):
        RingLayout.allocate(Region.anonymous(1 << 20, BASE), size)


def test_a_posted_buffer_is_described_as_the_specification_says():
    queue, region = make_queue()
    layout = queue.layout
    queue.post(BASE + 4096, 100, True, 7)
    queue.post(BASE + 8192, 60, False, 8)
    assert words(region, layout.available, 2) == [0, 0], "not visible before publish"
    assert queue.publish() is True
    assert words(region, layout.available, 4) == [0, 2, 0, 1]
    assert descriptor(region, layout.descriptors, 0) == (BASE + 4096, 100, spec.VIRTQ_DESC_F_WRITE, 0)
    assert descriptor(region, layout.descriptors, 1) == (BASE + 8192, 60, 0, 0)
    assert queue.publish() is False, "nothing new"


def test_a_direct_chain_links_its_descriptors_readable_ones_first():
    queue, region = make_queue(indirect=False)
    table = queue.layout.descriptors
    assert queue.post_chain([(BASE, 1), (BASE + 8, 2)], [(BASE + 16, 3)], 0)
    head = words(region, queue.layout.available, 3)[2]
    seen = []
    while True:
        address, length, flags, following = descriptor(region, table, head)
        seen.append((address - BASE, length, flags & spec.VIRTQ_DESC_F_WRITE))
        if not flags & spec.VIRTQ_DESC_F_NEXT:
            break
        head = following
    assert seen == [(0, 1, 0), (8, 2, 0), (16, 3, 2)]
    assert queue.room == 5


def test_an_indirect_chain_takes_one_descriptor():
    queue, region = make_queue()
    assert queue.post_chain([(BASE, 1), (BASE + 8, 2)], [(BASE + 16, 3)], 0)
    assert queue.room == 7
    address, length, flags, _ = descriptor(region, queue.layout.descriptors, 0)
    assert (length, flags) == (48, spec.VIRTQ_DESC_F_INDIRECT)
    table = address - BASE
    assert [descriptor(region, table, n)[1:] for n in range(3)] == [(1, 1, 1), (2, 1, 2), (3, 2, 0)]


def test_a_chain_longer_than_a_table_is_posted_directly():
    queue, _ = make_queue(size=16)
    assert queue.post_chain([(BASE + 8 * n, 8) for n in range(INDIRECT_ENTRIES + 1)], [], 0)
    assert queue.room == 16 - INDIRECT_ENTRIES - 1


@pytest.mark.parametrize("indirect", [True, False])
def test_a_full_ring_refuses_a_chain_and_is_unchanged(indirect):
    queue, _ = make_queue(size=2, indirect=indirect)
    pair = [(BASE, 1), (BASE + 8, 1)]
    accepted = 0
    while queue.post_chain(pair, [], accepted):
        accepted += 1
    assert accepted == (2 if indirect else 1)
    assert queue.posted == accepted
    assert queue.room == 0


def test_chains_of_nothing_or_of_too_much_are_usage_errors():
    queue, _ = make_queue(size=4)
    with pytest.raises(UsageError, match="a chain of 0"):
        queue.post_chain([], [], 0)
    with pytest.raises(UsageError, match="a chain of 5"):
        queue.post_chain([(BASE, 1)] * 5, [], 0)


def test_arming_names_the_next_completion_and_sees_one_that_slipped_in():
    queue, region = make_queue()
    used_event = queue.layout.available + 4 + 2 * 8
    assert words(region, used_event, 1) == [0xFFFF], "not armed from the start"
    queue.post(BASE, 1, True, 0)
    queue.publish()
    assert queue.arm() is False
    assert words(region, used_event, 1) == [0]
    region.u16[queue.layout.used // 2 + 1] = 1
    assert queue.arm() is True
    assert queue.pending == 1
    queue, region = make_queue(event_idx=False)
    queue.disarm()
    assert words(region, queue.layout.available, 1) == [spec.VIRTQ_AVAIL_F_NO_INTERRUPT]
    queue.arm()
    assert words(region, queue.layout.available, 1) == [0]


def test_a_device_that_wants_no_notification_gets_none():
    queue, region = make_queue(event_idx=False)
    region.u16[queue.layout.used // 2] = spec.VIRTQ_USED_F_NO_NOTIFY
    queue.post(BASE, 1, True, 0)
    assert queue.publish() is False
    assert queue.unannounced
    region.u16[queue.layout.used // 2] = 0
    queue.post(BASE, 1, True, 0)
    assert queue.publish() is True
    assert not queue.unannounced


def test_a_pool_gives_each_buffer_to_one_owner():
    pool = BufferPool(Region.anonymous(1 << 16, BASE), 3, 64)
    taken = [pool.take() for _ in range(3)]
    assert sorted(taken) == [0, 1, 2]
    assert pool.take() == -1
    assert len({pool.offsets[n] for n in taken}) == 3
    pool.give(1)
    with pytest.raises(UsageError, match="does not own"):
        pool.give(1)
    assert len(pool) == 1
    assert pool.take() == 1


def test_a_region_gives_no_more_than_it_has():
    region = Region.anonymous(4096, BASE)
    assert region.allocate(100) == 0
    assert region.allocate(1) == 128
    with pytest.raises(UsageError, match="4000 octets wanted, 3904 left"):
        region.allocate(4000)


def test_a_region_in_a_memfd_is_seen_by_who_maps_its_descriptor():
    import mmap
    import os

    region = Region.memfd(4096, BASE)
    region.u16[8] = 0x1234
    with mmap.mmap(region.fd, 4096) as other:
        assert other[16:18] == b"\x34\x12"
    assert region.barrier is not None
    region.barrier()
    fd = region.fd
    region.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_closing_a_region_leaves_views_that_are_still_held_alive():
    region = Region.anonymous(4096, BASE)
    view = region.octets[10:20]
    view[:] = b"0123456789"
    region.close()
    assert bytes(view) == b"0123456789"


def test_memory_of_one_thread_needs_no_barrier():
    assert Region.anonymous(4096, BASE).barrier is None
    assert Region.anonymous(4096, BASE).ordering is None


def test_without_a_fence_sharing_is_refused_with_the_name_of_the_library(monkeypatch):
    import ctypes
    import os

    class Machine:
        machine = "riscv64"

    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(os, "uname", lambda: Machine)
    monkeypatch.setattr(ctypes, "PyDLL", missing)
    with pytest.raises(TransportError, match="libatomic"):
        make_barrier()


def test_memory_is_shared_once_by_a_transport():
    from tests.fakes.backends import WireBackend
    from virtio.device.net import NetDevice

    transport = InProcessTransport(NetDevice(WireBackend()))
    transport.share_memory(4096)
    with pytest.raises(UsageError, match="once"):
        transport.share_memory(4096)
    transport.close()
    transport.close()
