"""Driver's ring against device's ring against a deque; and either of them against any octets at all."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.backends import WireBackend, ethernet_frame
from tests.fakes.hostile_device import HostileDevice
from virtio import spec
from virtio.device.net import NetDevice
from virtio.device.queue import DeviceQueue
from virtio.errors import DeviceError, DriverError
from virtio.layout import RingLayout
from virtio.memory import Region
from virtio.net import VirtioNet
from virtio.queue import Virtqueue, queue_room
from virtio.transport.inprocess import InProcessTransport

BASE = 0x1000_0000
BUFFER = 256


class Pair:
    """Both sides of one ring, and a page of buffers."""

    def __init__(self, size, features):
        self.region = Region.anonymous(1 << 17, BASE)
        self.layout = RingLayout.allocate(self.region, size)
        tables = self.region.allocate(queue_room(size))
        self.buffers = self.region.allocate(BUFFER * 64)
        self.driver = Virtqueue(
            self.region,
            self.layout,
            tables,
            event_idx=bool(features & spec.VIRTIO_F_EVENT_IDX),
            indirect=bool(features & spec.VIRTIO_F_INDIRECT_DESC),
        )
        layout = self.layout
        self.device = DeviceQueue(
            self.region,
            size,
            BASE + layout.descriptors,
            BASE + layout.available,
            BASE + layout.used,
            features,
        )


features = st.sampled_from(
    [
        0,
        spec.VIRTIO_F_EVENT_IDX,
        spec.VIRTIO_F_INDIRECT_DESC,
        spec.VIRTIO_F_EVENT_IDX | spec.VIRTIO_F_INDIRECT_DESC,
    ]
)
sizes = st.sampled_from([1, 2, 4, 16])
lengths = st.integers(1, BUFFER)
chains = st.tuples(st.lists(lengths, max_size=5), st.lists(lengths, max_size=5)).filter(
    lambda c: c[0] or c[1]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("post"), chains),
        st.tuples(st.just("publish"), st.none()),
        st.tuples(st.just("device"), st.integers(0, 3)),
        st.tuples(st.just("reap"), st.none()),
    ),
    max_size=60,
)


@given(sizes, features, steps)
@settings(max_examples=200, deadline=None)
def test_the_ring_behaves_like_a_deque(size, features, steps):
    pair = Pair(size, features)
    posted, visible, at_device, done = deque(), deque(), deque(), deque()
    token = 0
    for step, argument in steps:
        if step == "post":
            readable, writable = argument
            if len(readable) + len(writable) > size:
                continue
            at = BASE + pair.buffers
            segments = [[(at + BUFFER * i, n) for i, n in enumerate(part)] for part in argument]
            before = pair.driver.room
            if pair.driver.post_chain(segments[0], segments[1], token):
                posted.append((token, argument))
                token += 1
            else:
                assert before < len(readable) + len(writable)
        elif step == "publish":
            pair.driver.publish()
            visible += posted
            posted.clear()
        elif step == "device":
            at_device += visible
            fetched = pair.device.fetch()
            assert len(fetched) == len(visible)
            for (head, readable, writable), (number, expected) in zip(fetched, visible, strict=True):
                assert ([len(v) for v in readable], [len(v) for v in writable]) == expected
                done.append((head, number, sum(expected[1])))
            visible.clear()
            for _ in range(min(argument, len(done))):
                done.rotate(argument)  # in any order
                head, number, room = done.popleft()
                pair.device.push(head, room)
                at_device.remove(next(entry for entry in at_device if entry[0] == number))
                pair.expected = [*getattr(pair, "expected", []), (number, room)]
            pair.device.publish()
        else:
            assert pair.driver.reap() == getattr(pair, "expected", [])
            pair.expected = []
            assert pair.driver.fault is None
    unreaped = len(getattr(pair, "expected", []))
    assert pair.driver.outstanding == len(posted) + len(visible) + len(at_device) + unreaped


@pytest.mark.slow
@pytest.mark.parametrize("features", [0, spec.VIRTIO_F_EVENT_IDX], ids=["flags", "event-idx"])
def test_indices_wrap_twice_without_a_trace(features):
    pair = Pair(8, features)
    seen = 0
    for n in range(140_000 // 4):
        for k in range(4):
            pair.driver.post(BASE + pair.buffers, BUFFER, True, k)
        assert pair.driver.arm() is False
        assert pair.driver.publish() is True, f"the device asked to be told (frame {4 * n})"
        for head, _, _ in pair.device.fetch():
            pair.device.push(head, 10)
        assert pair.device.want_notification() is False
        assert pair.device.publish() is True, f"the driver asked to be interrupted (frame {4 * n})"
        seen += len(pair.driver.reap())
    assert seen == pair.driver.posted == pair.driver.used == 140_000


@given(
    st.binary(min_size=256, max_size=256), st.lists(st.integers(0, 65535), min_size=1, max_size=16), features
)
@settings(max_examples=300, deadline=None)
def test_any_descriptor_table_gives_chains_in_bounds_or_a_named_error(table, heads, features):
    pair = Pair(16, features)
    pair.region.octets[pair.layout.descriptors : pair.layout.descriptors + 256] = table
    check_device(pair, heads)


words = st.tuples(
    st.sampled_from([0, BASE, BASE + 64, BASE + 4096, BASE + (1 << 17) - 16, BASE + (1 << 17), 2**64 - 1]),
    st.sampled_from([0, 1, 15, 16, 32, 48, 256, 4096, 2**32 - 1]),
    st.integers(0, 7),
    st.sampled_from([0, 1, 2, 3, 15, 16, 65535]),
)


@given(
    st.lists(words, min_size=16, max_size=16), st.lists(st.integers(0, 17), min_size=1, max_size=16), features
)
@settings(max_examples=300, deadline=None)
def test_nearly_right_descriptor_tables_give_chains_in_bounds_or_a_named_error(table, heads, features):
    pair = Pair(16, features)
    base = pair.layout.descriptors // 8
    for n, (address, length, flags, following) in enumerate(table):
        pair.region.u64[base + 2 * n] = address
        pair.region.u64[base + 2 * n + 1] = length | flags << 32 | following << 48
    check_device(pair, heads)


def check_device(pair, heads):
    available = pair.layout.available // 2
    for n, head in enumerate(heads):
        pair.region.u16[available + 2 + n] = head
    pair.region.u16[available + 1] = len(heads)
    taken = []
    try:
        while chains := pair.device.fetch():
            taken += chains
    except DriverError as error:
        assert error.fault
    else:
        assert len(taken) == len(heads)
    for _, readable, writable in taken:
        assert 1 <= len(readable) + len(writable) <= 16
        assert all(len(view) for view in (*readable, *writable))


@given(
    st.lists(st.tuples(st.integers(0, 17), st.integers(0, 2**32 - 1)), max_size=16),
    st.integers(0, 65535),
    st.integers(0, 16),
)
@settings(max_examples=300, deadline=None)
def test_any_used_ring_gives_each_token_once_or_a_named_lie(elements, index, posted):
    pair = Pair(16, spec.VIRTIO_F_EVENT_IDX)
    for token in range(posted):
        pair.driver.post(BASE + pair.buffers, BUFFER, True, token)
    pair.driver.publish()
    used = pair.layout.used
    for n, (head, length) in enumerate(elements):
        pair.region.u32[(used + 4) // 4 + 2 * n] = head
        pair.region.u32[(used + 4) // 4 + 2 * n + 1] = length
    pair.region.u16[used // 2 + 1] = index
    done = pair.driver.reap()
    tokens = [token for token, _ in done]
    assert len(set(tokens)) == len(tokens)
    assert set(tokens) <= set(range(posted))
    assert all(length <= BUFFER for _, length in done)
    assert sorted(tokens + pair.driver.outstanding_tokens()) == list(range(posted))
    assert pair.driver.room == 16 - posted + len(done)
    if len(done) != index:
        assert pair.driver.fault is not None
        assert pair.driver.reap() == []


@given(st.binary(max_size=300), st.integers(0, 300), features)
@settings(max_examples=300, deadline=None)
def test_any_octets_in_a_receive_buffer_are_a_frame_or_a_counted_drop(octets, length, features):
    device = HostileDevice(
        features=spec.ALL_FEATURES & ~spec.RING_FEATURES | features | spec.VIRTIO_F_VERSION_1
    )
    net = VirtioNet(device)
    head = device.posted(spec.RECEIVE_QUEUE)[0]
    device.fill(head, octets)
    device.use(spec.RECEIVE_QUEUE, head, length)
    net.service(0.0)
    frames = list(net.receive_frames())
    assert len(frames) + sum(net.info().dropped.values()) == 1
    for view, flags, gso_size, token in frames:
        assert len(view) == length - 12
        assert flags in (0, 1, 2, 3)
        assert 0 <= gso_size <= 65535
        net.release(token)
    assert net.info().receive.outstanding == 16


@given(
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 65535)), max_size=40), st.integers(0, 65535)
)
@settings(max_examples=150, deadline=None)
def test_any_store_to_the_rings_leaves_the_device_answering(stores, index):
    backend = WireBackend()
    device = NetDevice(backend, queue_size=16)
    transport = InProcessTransport(device)
    net = VirtioNet(transport)
    region = net._region
    for at, value in stores:
        region.u16[at // 2 % 1024] = value  # the rings lie in front
    for n in range(3):
        backend.put(ethernet_frame())
        device.notify(n % 2)
        device.service(0.0)
    try:
        for n in range(30):
            net.service(n / 10)
            for *_, token in net.receive_frames():
                net.release(token)
            net.send_frame([ethernet_frame()], 0, 0, 0, 0)
            net.flush()
    except DeviceError as error:
        assert error.lie
    assert device.status & ~0xCF == 0


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
@settings(max_examples=300)
def test_any_offer_and_any_wish_meet_in_a_lawful_set(offered, wanted):
    features = spec.without_orphans(offered & wanted)
    assert features & ~(offered & wanted) == 0
    assert spec.without_orphans(features) == features
    assert len(spec.feature_names(features)) == features.bit_count()
