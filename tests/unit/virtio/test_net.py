"""VirtioNet on the software device, with each feature there and not there."""

import itertools
import mmap

import pytest

from tests.conformance.frame_device import check_frame_device
from tests.fakes.backends import WireBackend, ethernet_frame
from tests.fakes.hostile_device import HostileDevice
from virtio import spec
from virtio.device.net import NetDevice
from virtio.errors import DeviceError, FeatureError, TransportError, UsageError
from virtio.net import VirtioNet, VirtioNetConfig
from virtio.transport.inprocess import InProcessTransport


def bring_up(backend=None, offered=spec.ALL_FEATURES, queue_size=256, **config):
    backend = backend or WireBackend()
    device = NetDevice(backend, offered=offered, queue_size=queue_size)
    return VirtioNet(InProcessTransport(device), VirtioNetConfig(**config)), device, backend


def received(net, now=0.0):
    net.service(now)
    frames = []
    for view, flags, gso_size, token in net.receive_frames():
        frames.append((bytes(view), flags, gso_size))
        net.release(token)
    net.flush()
    return frames


class WireEnd:
    def __init__(self, backend):
        self.backend = backend

    def take(self):
        frames = [frame for frame, _ in self.backend.sent]
        self.backend.sent.clear()
        return frames

    def give(self, frame):
        self.backend.put(frame)


_SWITCHES = {
    "modern": spec.VIRTIO_F_VERSION_1,
    "event": spec.VIRTIO_F_EVENT_IDX,
    "indirect": spec.VIRTIO_F_INDIRECT_DESC,
    "merge": spec.VIRTIO_NET_F_MRG_RXBUF,
    "offload": spec.OFFLOADS,
}
MATRIX = [
    pytest.param(
        spec.ALL_FEATURES & ~sum(bits for bits, on in zip(_SWITCHES.values(), chosen, strict=True) if not on),
        id="+".join(name for name, on in zip(_SWITCHES, chosen, strict=True) if on) or "none",
    )
    for chosen in itertools.product((True, False), repeat=len(_SWITCHES))
]


@pytest.mark.parametrize("features", MATRIX)
def test_the_contract_holds_with_and_without_each_ring_feature(features):
    net, _, backend = bring_up(features=features, ring_size=64)
    assert net.features == features
    check_frame_device(net, WireEnd(backend))


@pytest.mark.parametrize("bit", sorted(spec.FEATURE_NAMES), ids=spec.FEATURE_NAMES.get)
@pytest.mark.parametrize("side", ["driver", "device"])
def test_each_feature_can_be_absent_on_either_side(bit, side):
    mask = spec.ALL_FEATURES & ~bit
    net, _, backend = bring_up(**({"features": mask} if side == "driver" else {"offered": mask}))
    assert not net.features & bit
    assert net.features == spec.without_orphans(mask)
    frame = ethernet_frame(1514)
    backend.echo = True
    assert net.send_frame([frame[:66], frame[66:]], 0, 0, 0, 0)
    net.flush()
    assert received(net) == [(frame, 0, 0)]
    net.close()


@pytest.mark.parametrize("features", MATRIX)
def test_a_64_kib_frame_goes_both_ways_where_segmentation_is_negotiated(features):
    net, _, backend = bring_up(WireBackend(echo=True), features=features)
    frame = bytearray(ethernet_frame(60_000))
    frame[46] = 5 << 4  # TCP data offset, from which hdr_len is made
    if not features & spec.OFFLOADS:
        with pytest.raises(UsageError, match="not negotiated"):
            net.send_frame([frame], 34, 16, spec.VIRTIO_NET_HDR_GSO_TCPV4, 1460)
        return
    frame[12:14], frame[14], frame[23] = b"\x08\x00", 0x45, 6
    pieces = [frame[:54], frame[54:20_000], frame[20_000:]]
    assert net.send_frame(pieces, 34, 16, spec.VIRTIO_NET_HDR_GSO_TCPV4, 1460)
    net.flush()
    assert backend.sent[0] == (frame, (1, 1, 54, 1460, 34, 16))
    assert received(net) == [(bytes(frame), 1, 1460)]


def test_frames_cut_in_odd_ways_are_sent_whole():
    net, _, backend = bring_up()
    frame = ethernet_frame(65_549)
    for pieces in ([frame], [b"", frame], [frame[:3000], frame[3000:]], [frame[:5], frame[5:9], frame[9:]]):
        assert net.send_frame(pieces, 0, 0, 0, 0)
    net.flush()
    assert [f for f, _ in backend.sent] == [frame] * 4


def test_frames_over_the_largest_packet_are_the_callers_mistake():
    net, _, _ = bring_up()
    with pytest.raises(UsageError, match="65549 are the most"):
        net.send_frame([bytes(65_550)], 0, 0, 0, 0)
    for pieces in ([bytes(13)], [b""], []):
        for driver in (net, bring_up(features=spec.VIRTIO_F_VERSION_1)[0]):
            with pytest.raises(UsageError, match=f"a frame of {sum(map(len, pieces))} octets"):
                driver.send_frame(pieces, 0, 0, 0, 0)
    with pytest.raises(UsageError, match="checksum at 50\\+16"):
        net.send_frame([bytes(60)], 50, 16, 0, 0)


def test_a_frame_spread_over_adjacent_buffers_is_one_view_without_a_copy():
    net, device, backend = bring_up(receive_buffer_size=2048)
    frame = ethernet_frame(9000)
    backend.put(frame)
    net.service(0.0)
    [(view, _, _, token)] = list(net.receive_frames())
    assert bytes(view) == frame
    assert isinstance(view.obj, mmap.mmap), "a view into the region"
    net.release(token)
    net.flush()
    assert device.frames_received == 1
    assert net.info().receive.outstanding == 256


def test_a_frame_spread_over_buffers_that_lie_apart_is_joined():
    net, _, backend = bring_up(receive_buffer_size=2048, receive_memory=8 * 2048, ring_size=8)
    small, large = ethernet_frame(60), ethernet_frame(9000)
    for _ in range(3):
        backend.put(small)
    assert len(received(net)) == 3  # the ring goes round: the next large frame wraps in memory
    for _ in range(8):
        backend.put(large)
        assert received(net) == [(large, 0, 0)]


def test_a_reset_after_a_spread_frame_loses_no_buffer():
    net, device, backend = bring_up(receive_buffer_size=2048)
    before = net.info().receive.outstanding
    backend.put(ethernet_frame(9000))
    assert len(received(net)) == 1
    device.need_reset("by order of the test")
    net.service(1.0)
    assert net.info().resets == 1
    assert net.info().receive.outstanding == before


def test_a_backend_without_room_keeps_its_frames_and_is_served_when_there_is_some():
    net, _, backend = bring_up(ring_size=4, features=spec.ALL_FEATURES & ~spec.OFFLOADS)
    frames = [ethernet_frame(60, fill=n) for n in range(10)]
    for frame in frames:
        backend.put(frame)
    seen = []
    net.service(0.0)
    for view, _, _, token in net.receive_frames():
        seen.append(bytes(view))
        net.release(token)
    assert len(seen) == 4
    net.flush()
    assert net.arm(), "room was made for a backend that waits for it: do not sleep"
    while len(seen) < 10:
        seen += [frame for frame, _, _ in received(net)]
    assert seen == frames


def test_releasing_a_buffer_twice_is_an_error_and_posts_nothing():
    net, _, backend = bring_up()
    backend.put(ethernet_frame())
    net.service(0.0)
    [(_, _, _, token)] = list(net.receive_frames())
    net.release(token)
    posted = net.info().receive.posted
    for wrong in (token, 5, -1, 10_000):
        with pytest.raises(UsageError, match="not lent"):
            net.release(wrong)
    assert net.info().receive.posted == posted


def test_checksum_marks_reach_the_reader():
    net, _, backend = bring_up()
    frame = bytearray(ethernet_frame(60))
    frame[12:14], frame[14], frame[23] = b"\x08\x00", 0x45, 17
    backend.put(bytes(frame), (1, 0, 0, 0, 34, 6))
    backend.put(bytes(frame), (2, 0, 0, 0, 0, 0))
    assert [flags for _, flags, _ in received(net)] == [1, 2]


def test_a_partial_checksum_of_ipv6_is_taken():
    net, _, backend = bring_up()
    frame = bytearray(ethernet_frame(100))
    frame[12:14] = b"\x86\xdd"
    backend.put(bytes(frame), (1, 4, 74, 1440, 54, 16))
    assert received(net) == [(bytes(frame), 1, 1440)]


def test_mac_and_mtu_come_from_the_device():
    net, _, _ = bring_up(WireBackend(mtu=9000, mac=b"\x02\x01\x02\x03\x04\x05"))
    assert (net.mac, net.mtu, net.link_up) == (b"\x02\x01\x02\x03\x04\x05", 9000, True)
    without = spec.ALL_FEATURES & ~(spec.VIRTIO_NET_F_MAC | spec.VIRTIO_NET_F_MTU | spec.VIRTIO_NET_F_STATUS)
    net, _, _ = bring_up(WireBackend(mtu=9000), features=without, mac=b"\x02\0\0\0\0\x09")
    assert (net.mac, net.mtu, net.link_up) == (b"\x02\0\0\0\0\x09", 1500, True)


def test_a_jumbo_mtu_without_offload_has_buffers_for_it():
    net, _, backend = bring_up(WireBackend(mtu=9000), features=spec.ALL_FEATURES & ~spec.OFFLOADS)
    check_frame_device(net, WireEnd(backend))


def test_the_link_goes_down_and_up_with_the_cable():
    net, device, _ = bring_up()
    device.set_link(False)
    net.service(0.0)
    assert not net.link_up
    device.set_link(True)
    net.service(0.0)
    assert net.link_up


def test_offloads_are_told_in_the_bits_of_the_seam():
    device = pytest.importorskip("tcpip.device")
    everything = (
        device.TX_CHECKSUM | device.RX_CHECKSUM | device.TSO4 | device.TSO6 | device.LRO4 | device.LRO6
    )
    assert bring_up()[0].offloads == everything
    assert bring_up(features=spec.ALL_FEATURES & ~spec.OFFLOADS)[0].offloads == 0
    no_csum = spec.ALL_FEATURES & ~spec.VIRTIO_NET_F_CSUM
    assert bring_up(features=no_csum)[0].offloads == device.RX_CHECKSUM | device.LRO4 | device.LRO6


def test_the_counters_agree_with_the_octets_moved():
    net, device, _ = bring_up(WireBackend(echo=True))
    total = 0
    for n in range(300):
        frame = ethernet_frame(60 + n)
        total += len(frame)
        assert net.send_frame([frame], 0, 0, 0, 0)
        net.flush()
        assert received(net) == [(frame, 0, 0)]
    info = net.info()
    assert (
        info.transmit.octets == info.receive.octets == total == device.octets_sent == device.octets_received
    )
    assert info.transmit.frames == info.receive.frames == info.transmit.posted == info.transmit.used == 300
    assert info.receive.used == 300
    assert info.receive.posted == 300 + info.receive.outstanding
    assert info.transmit.kicks == 300
    assert (info.resets, info.lies, info.dropped, info.found_without_interrupt) == (0, {}, {}, 0)


def test_kicks_are_batched_by_flush():
    net, _, backend = bring_up()
    for _ in range(100):
        assert net.send_frame([ethernet_frame()], 0, 0, 0, 0)
    assert not backend.sent
    net.flush()
    assert len(backend.sent) == 100
    assert net.info().transmit.kicks == 1


def test_required_features_that_are_not_offered_are_named():
    with pytest.raises(FeatureError, match="does not offer HOST_TSO4") as error:
        bring_up(
            offered=spec.ALL_FEATURES & ~spec.VIRTIO_NET_F_HOST_TSO4, required=spec.VIRTIO_NET_F_HOST_TSO4
        )
    assert error.value.missing == spec.VIRTIO_NET_F_HOST_TSO4


def test_a_device_that_refuses_the_features_is_given_up():
    device = HostileDevice()
    device.refuse_features = True
    with pytest.raises(FeatureError, match="refuses"):
        VirtioNet(device)
    assert device.status & spec.FAILED
    assert device.closed


def test_the_steps_of_initialisation_come_in_the_order_of_the_specification():
    steps = []

    class Watched(HostileDevice):
        def write_status(self, status):
            steps.append(status)
            super().write_status(status)

        def write_features(self, features):
            steps.append("features")
            super().write_features(features)

        def enable_queue(self, queue, *rest):
            steps.append(f"queue {queue}")
            super().enable_queue(queue, *rest)

        def notify(self, queue):
            steps.append(f"notify {queue}")

    VirtioNet(Watched())
    assert steps == [0, 1, 3, "features", 11, "queue 0", "queue 1", 15, "notify 0"]


def test_a_device_of_another_kind_is_refused():
    device = HostileDevice()
    device.device_id = 2
    with pytest.raises(FeatureError, match="type 2, not 1"):
        VirtioNet(device)


def test_a_device_that_never_leaves_its_reset_is_a_transport_error():
    device = HostileDevice()
    device.never_resets, device.status = True, 15
    with pytest.raises(TransportError, match="does not come out of its reset"):
        VirtioNet(device)


@pytest.mark.parametrize(
    ("change", "lie"),
    [
        ({"mtu": 67}, "mtu too small"),
        ({"mac": b"\xff" * 6}, "address of no station"),
        ({"mac": bytes(6)}, "address of no station"),
    ],
)
def test_a_mad_configuration_is_a_device_error(change, lie):
    with pytest.raises(DeviceError) as error:
        VirtioNet(HostileDevice(**change))
    assert error.value.lie == lie


def test_a_configuration_that_never_rests_or_is_cut_short_is_a_device_error():
    device = HostileDevice()
    device.restless_config = True
    with pytest.raises(DeviceError, match="never rests"):
        VirtioNet(device)
    device = HostileDevice()
    device.config = device.config[:3]
    with pytest.raises(DeviceError, match="too short"):
        VirtioNet(device)


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_rings_too_small_for_a_chain_are_refused(size):
    with pytest.raises((FeatureError, DeviceError)):
        VirtioNet(HostileDevice(queue_size=size))


def test_receive_buffers_too_small_to_merge_without_mrg_rxbuf_are_refused():
    with pytest.raises(UsageError, match="at least 65561 are needed"):
        bring_up(receive_buffer_size=2048, features=spec.ALL_FEATURES & ~spec.VIRTIO_NET_F_MRG_RXBUF)
