"""The faults of the seed notes' driver, each as a scenario, with interrupts of every kind."""

import gc
import resource

import pytest

from tests.fakes.backends import WireBackend, ethernet_frame
from tests.fakes.interrupts import SlowDevice, run_until
from virtio import spec
from virtio.device.net import NetDevice
from virtio.net import RECHECK, VirtioNet, VirtioNetConfig
from virtio.transport.inprocess import InProcessTransport

MODES = ["prompt", "delayed", "merged", "lost", "spurious"]
every_mode = pytest.mark.parametrize("mode", MODES)
both_ways = pytest.mark.parametrize("event_idx", [True, False], ids=["event-idx", "flags"])


def bring_up(mode, event_idx=True, **config):
    backend = WireBackend()
    features = spec.ALL_FEATURES if event_idx else spec.ALL_FEATURES & ~spec.VIRTIO_F_EVENT_IDX
    transport = SlowDevice(NetDevice(backend), mode)
    return VirtioNet(transport, VirtioNetConfig(features=features, **config)), transport, backend


@every_mode
@both_ways
def test_the_second_frame_is_sent_though_the_first_is_never_completed(mode, event_idx):
    """virtio-netd awaited each TX completion: a lost interrupt stopped it at the next frame."""
    net, transport, backend = bring_up(mode, event_idx)
    for n in range(20):
        assert net.send_frame([ethernet_frame(60 + n)], 0, 0, 0, 0), "nothing is awaited"
        net.flush()
    assert not backend.sent, "the device has not had its turn yet"
    run_until(net, transport, lambda: len(backend.sent) == 20)
    assert [len(frame) for frame, _ in backend.sent] == list(range(60, 80))


@every_mode
@both_ways
def test_a_full_ring_is_an_answer_and_not_a_block(mode, event_idx):
    net, transport, backend = bring_up(mode, event_idx, ring_size=8)
    sent = 0

    def send_more():
        nonlocal sent
        while sent < 100 and net.send_frame([ethernet_frame(60 + sent)], 0, 0, 0, 0):
            sent += 1
        return sent == 100 and len(backend.sent) == 100

    send_more()
    assert sent == 8
    run_until(net, transport, send_more, limit=20)
    assert [len(frame) for frame, _ in backend.sent] == list(range(60, 160))


@every_mode
@both_ways
def test_no_frame_waits_longer_than_the_recheck_whatever_becomes_of_its_interrupt(mode, event_idx):
    """A lost interrupt lost the wake-up for good."""
    net, transport, backend = bring_up(mode, event_idx)
    seen = []
    arrivals = [(0.2 * n, lambda n=n: backend.put(ethernet_frame(60 + n))) for n in range(1, 11)]
    _, longest = run_until(net, transport, lambda: len(seen) == 10, seen.append, arrivals)
    assert [len(frame) for frame in seen] == list(range(61, 71))
    assert longest <= RECHECK + 1e-9
    info = net.info()
    if mode == "lost":
        assert info.found_without_interrupt == 10, "counted and shown"
    if mode == "prompt":
        assert info.found_without_interrupt == 0
        assert info.interrupts == 10


@every_mode
@both_ways
def test_two_frames_in_one_interrupt_are_both_read(mode, event_idx):
    """try_recv read the newest completion only and forgot the others."""
    net, transport, backend = bring_up(mode, event_idx)
    seen = []
    for n in range(5):
        backend.put(ethernet_frame(60 + n))
    run_until(net, transport, lambda: len(seen) == 5, seen.append)
    assert [len(frame) for frame in seen] == [60, 61, 62, 63, 64]


@every_mode
@both_ways
def test_reception_goes_on_after_as_many_frames_as_the_ring_holds(mode, event_idx):
    """Buffers were posted once and never again: reception ended after one round of the ring."""
    net, transport, backend = bring_up(mode, event_idx, ring_size=16)
    seen = []
    arrivals = [(0.002 * n, lambda n=n: backend.put(ethernet_frame(60 + n % 100))) for n in range(200)]
    run_until(net, transport, lambda: len(seen) == 200, seen.append, arrivals, limit=30)
    assert [len(frame) for frame in seen] == [60 + n % 100 for n in range(200)]
    assert net.info().receive.outstanding == 16


@both_ways
@pytest.mark.slow
def test_indices_do_not_underflow_when_they_wrap(event_idx):
    """`used.idx - 1` at 0, and a difference taken without wrapping."""
    backend = WireBackend(echo=True)
    features = spec.ALL_FEATURES if event_idx else spec.ALL_FEATURES & ~spec.VIRTIO_F_EVENT_IDX
    net = VirtioNet(InProcessTransport(NetDevice(backend)), VirtioNetConfig(features=features))
    frame = ethernet_frame()
    count = 0
    while count < 66_000:
        backend.sent.clear()
        for _ in range(25):
            assert net.send_frame([frame], 0, 0, 0, 0)
        net.flush()
        net.service(0.0)
        for view, _, _, token in net.receive_frames():
            assert len(view) == 60
            count += 1
            net.release(token)
        net.flush()
    info = net.info()
    assert info.transmit.used == info.receive.used == count
    assert info.receive.used_index == count - 65_536
    assert (info.resets, info.dropped) == (0, {})


@pytest.mark.slow
def test_buffers_are_not_leaked_and_memory_stays_flat():
    """DMA buffers were leaked so as to outlive the call.  (A million frames: benchmarks/ring.py.)"""
    backend = WireBackend(echo=True)
    net = VirtioNet(InProcessTransport(NetDevice(backend)))
    frame = ethernet_frame(1514)

    def move(frames):
        for _ in range(frames // 25):
            backend.sent.clear()
            for _ in range(25):
                assert net.send_frame([frame[:66], frame[66:]], 0, 0, 0, 0)
            net.flush()
            net.service(0.0)
            for *_, token in net.receive_frames():
                net.release(token)
            net.flush()

    move(5_000)
    gc.collect()
    objects, memory = len(gc.get_objects()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    move(50_000)
    gc.collect()
    assert len(gc.get_objects()) - objects < 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 1024, "KiB"
    info = net.info()
    assert info.transmit.outstanding == 0
    assert info.receive.posted - info.receive.used == info.receive.outstanding


@every_mode
@both_ways
def test_a_device_that_needs_a_reset_gets_one_and_frames_flow_again(mode, event_idx):
    net, transport, backend = bring_up(mode, event_idx)
    device = transport._device
    seen = []
    arrivals = [
        (0.5, lambda: device.need_reset("by order of the test")),
        (1.0, lambda: backend.put(ethernet_frame(99))),
    ]
    run_until(net, transport, lambda: len(seen) == 1, seen.append, arrivals)
    assert net.info().resets == 1
    assert net.send_frame([ethernet_frame(77)], 0, 0, 0, 0)
    net.flush()
    run_until(net, transport, lambda: len(backend.sent) == 1, seen.append)
    assert backend.attached == 2
    assert backend.detached == 1
