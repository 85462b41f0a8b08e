"""Each lie a device can tell, and what becomes of it: a counted drop, a reset, or DeviceError; never more."""

import pytest

from tests.fakes.backends import ethernet_frame
from tests.fakes.hostile_device import HostileDevice, net_header
from virtio import spec
from virtio.errors import DeviceError
from virtio.net import RESETS_IN_VAIN, VirtioNet, VirtioNetConfig

RX, TX = spec.RECEIVE_QUEUE, spec.TRANSMIT_QUEUE


def bring_up(**config):
    device = HostileDevice()
    net = VirtioNet(device, VirtioNetConfig(**config))
    assert device.resets == 1
    return net, device


def received(net, now=0.0):
    net.service(now)
    frames = []
    for view, flags, gso_size, token in net.receive_frames():
        frames.append((bytes(view), flags, gso_size))
        net.release(token)
    net.flush()
    return frames


def assert_it_works(net, device):
    """After whatever happened: a frame each way."""
    frame = ethernet_frame(200)
    device.deliver(frame)
    assert received(net, 100.0) == [(frame, 0, 0)]
    device.posted(TX)
    assert net.send_frame([frame], 0, 0, 0, 0)
    net.flush()
    [head] = device.posted(TX)
    _, length, flags, _ = device.descriptor(TX, head)
    assert (length, flags) == (212, 0)
    device.use(TX, head, 0)
    before = net.info().transmit.used
    net.service(100.0)
    assert net.info().transmit.used == before + 1


def assert_reset(net, device, lie, now=0.0):
    received(net, now)  # finds the lie
    received(net, now)  # recovers
    assert net.info().lies == {lie: 1}
    assert net.info().resets == 1
    assert device.resets == 2
    assert device.status == 15
    assert_it_works(net, device)


@pytest.mark.parametrize("head", [16, 255, 65535, 2**32 - 1])
def test_an_id_out_of_range_leads_to_a_reset(head):
    net, device = bring_up()
    device.use(RX, head, 60)
    assert_reset(net, device, "id out of range")


def test_an_id_that_was_never_posted_leads_to_a_reset():
    net, device = bring_up()
    assert net.send_frame([ethernet_frame()], 0, 0, 0, 0)
    net.flush()
    [head] = device.posted(TX)
    device.use(TX, (head + 1) % 16, 0)
    assert_reset(net, device, "id not posted")


def test_a_chain_completed_twice_leads_to_a_reset_and_its_buffer_has_one_owner():
    net, device = bring_up()
    frame = ethernet_frame()
    head = device.posted(RX)[0]
    device.fill(head, net_header() + frame)
    device.use(RX, head, 12 + len(frame))
    device.use(RX, head, 12 + len(frame))
    assert received(net) == [(frame, 0, 0)], "what came before the lie is delivered"
    assert_reset(net, device, "id not posted")


def test_a_length_beyond_the_buffer_leads_to_a_reset():
    net, device = bring_up(features=spec.ALL_FEATURES & ~spec.OFFLOADS)
    head = device.posted(RX)[0]
    device.use(RX, head, 2049)
    assert_reset(net, device, "length too long")


def test_a_length_in_a_transmit_completion_is_ignored():
    net, device = bring_up()
    assert net.send_frame([ethernet_frame()], 0, 0, 0, 0)
    net.flush()
    device.use(TX, device.posted(TX)[0], 72)
    net.service(0.0)
    assert net.info().transmit.used == 1
    assert net.info().lies == {}


@pytest.mark.parametrize("jump", [17, 1000, 32768, 65535])
@pytest.mark.parametrize("queue", [RX, TX])
def test_a_used_index_that_jumps_leads_to_a_reset(queue, jump):
    net, device = bring_up()
    device.set_used_index(queue, jump)
    assert_reset(net, device, "used index jumps")


@pytest.mark.parametrize("count", [0, 2, 16, 65535])
def test_a_wrong_num_buffers_drops_the_frame(count):
    net, device = bring_up()
    device.deliver(ethernet_frame(), num_buffers=count)
    assert received(net) == []
    assert net.info().dropped == {"num_buffers": 1}
    assert_it_works(net, device)


def test_a_num_buffers_that_was_not_negotiated_is_ignored():
    net, device = bring_up(features=spec.ALL_FEATURES & ~spec.VIRTIO_NET_F_MRG_RXBUF)
    device.deliver(ethernet_frame(), num_buffers=9)
    assert received(net) == [(ethernet_frame(), 0, 0)]


def test_a_merged_frame_longer_than_any_packet_is_dropped():
    net, device = bring_up()
    first, second = device.posted(RX)[:2]
    device.fetched[RX] = 2
    device.fill(first, net_header(num_buffers=2))
    device.use(RX, first, 65_561, publish=False)
    device.use(RX, second, 1)
    assert received(net) == []
    assert net.info().dropped == {"frame too long": 1}
    assert_it_works(net, device)


def tcp_frame(length=120):
    frame = bytearray(ethernet_frame(length))
    frame[12:14], frame[14], frame[23] = b"\x08\x00", 0x45, 6
    return bytes(frame)


@pytest.mark.parametrize(
    ("frame", "header", "reason"),
    [
        (tcp_frame(), {"flags": 1, "csum_start": 34, "csum_offset": 200}, "checksum place"),
        (tcp_frame(), {"flags": 1, "csum_start": 65535, "csum_offset": 65535}, "checksum place"),
        (tcp_frame(), {"flags": 1, "csum_start": 0, "csum_offset": 16}, "checksum place"),
        (tcp_frame(), {"flags": 1, "csum_start": 34, "csum_offset": 6}, "checksum place"),
        (tcp_frame(), {"flags": 1, "csum_start": 38, "csum_offset": 16}, "checksum place"),
        (ethernet_frame(), {"flags": 1, "csum_start": 34, "csum_offset": 16}, "checksum place"),
        (tcp_frame(), {"gso_type": 1, "gso_size": 0}, "gso_size 0"),
        (tcp_frame(), {"gso_type": 3, "gso_size": 1460}, "merge not negotiated"),
        (tcp_frame(), {"gso_type": 5, "gso_size": 1460}, "merge not negotiated"),
        (tcp_frame(), {"gso_type": 127, "gso_size": 1460}, "merge not negotiated"),
        (b"", {}, "frame too short"),
        (bytes(13), {}, "frame too short"),
    ],
)
def test_a_header_that_lies_drops_the_frame(frame, header, reason):
    net, device = bring_up()
    device.deliver(frame, **header)
    assert received(net) == []
    assert net.info().dropped == {reason: 1}
    assert net.info().resets == 0
    assert_it_works(net, device)


@pytest.mark.parametrize("length", [0, 1, 11])
def test_a_frame_shorter_than_its_header_is_dropped(length):
    net, device = bring_up()
    device.use(RX, device.posted(RX)[0], length)
    device.fetched[RX] = 1
    assert received(net) == []
    assert net.info().dropped == {"frame too short": 1}
    assert_it_works(net, device)


def test_a_gso_size_of_one_is_delivered():
    net, device = bring_up()
    device.deliver(tcp_frame(), flags=1, gso_type=1, gso_size=1, csum_start=34, csum_offset=16)
    assert received(net) == [(tcp_frame(), 1, 1)]


def test_an_offload_that_was_not_negotiated_is_not_believed():
    net, device = bring_up(features=spec.ALL_FEATURES & ~spec.OFFLOADS)
    device.deliver(tcp_frame(), flags=1, csum_start=34, csum_offset=16)
    assert received(net) == []
    assert net.info().dropped == {"checksum not negotiated": 1}
    device.deliver(tcp_frame(), flags=2)
    assert received(net) == [(tcp_frame(), 0, 0)], "DATA_VALID is not passed on: the stack checks for itself"
    device.deliver(tcp_frame(), gso_type=1, gso_size=1460)
    assert received(net) == []
    assert net.info().dropped == {"checksum not negotiated": 1, "merge not negotiated": 1}


def test_descriptors_changed_under_us_change_nothing():
    net, device = bring_up(features=spec.ALL_FEATURES & ~spec.VIRTIO_F_INDIRECT_DESC)
    frame = ethernet_frame(9000)
    for _ in range(20):
        assert net.send_frame([frame[:54], frame[54:]], 0, 0, 0, 0)  # a chain of two
        net.flush()
        [head] = device.posted(TX)
        for number in range(16):
            device.write_descriptor(TX, number, 0xDEAD, 0xFFFFFFFF, 0xFFFF, 0xFFFF)
        device.use(TX, head, 0)
        net.service(0.0)
    info = net.info()
    assert (info.transmit.used, info.transmit.outstanding, info.lies) == (20, 0, {})


@pytest.mark.parametrize("event", [1, 5, 32767, 65535])
def test_a_mad_event_word_costs_at_most_one_recheck(event):
    net, device = bring_up()
    device.set_available_event(TX, 1000 + event)
    device.kicks.clear()
    net.service(0.0)
    assert net.send_frame([ethernet_frame()], 0, 0, 0, 0)
    net.flush()
    assert device.kicks == [], "the event word says the device does not want to know"
    assert net.next_timeout() == 0.05
    net.service(0.05)
    assert device.kicks == [TX], "50 ms later it is told all the same"
    net.service(0.1)
    assert device.kicks == [TX], "and not again for the same frames"


def test_a_changed_mac_is_ignored_and_the_link_followed():
    net, device = bring_up()
    device.config = b"\xff" * 6 + b"\0\0" + bytes(4)
    device.causes = spec.INTERRUPT_CONFIG
    net.service(0.0)
    assert net.mac == b"\x52\x54\0\x12\x34\x56"
    assert net.link_up is False
    device.config = b""
    device.causes = spec.INTERRUPT_CONFIG
    net.service(0.0)
    assert net.info().lies == {"configuration too short": 1}
    assert_it_works(net, device)


@pytest.mark.parametrize("interrupt", [True, False])
@pytest.mark.parametrize("outstanding", [0, 3])
def test_needs_reset_at_any_time_is_recovered_from(interrupt, outstanding):
    net, device = bring_up()
    net.service(0.0)
    for _ in range(outstanding):
        assert net.send_frame([ethernet_frame()], 0, 0, 0, 0)
    net.flush()
    device.ask_for_reset(interrupt)
    net.service(0.05)  # with the interrupt at once, without it at the recheck
    assert device.resets == 2
    assert len(device.posted(TX)) == outstanding, "posted again"
    device.fetched[TX] = 0
    for head in device.posted(TX):
        device.use(TX, head, 0)
    assert_reset(net, device, "needs reset")
    assert net.info().frames_lost_in_reset == 0


def test_a_frame_that_meets_two_resets_is_lost_and_counted():
    net, device = bring_up()
    frames = [ethernet_frame(60 + n) for n in range(3)]
    frames.append(ethernet_frame(5000))
    for frame in frames:
        assert net.send_frame([frame[:14], frame[14:]], 0, 0, 0, 0)
    net.flush()
    for head in device.posted(TX)[:2]:
        device.use(TX, head, 0)
    device.ask_for_reset()
    net.service(0.0)
    assert net.info().transmit.outstanding == 2, "what was sent is not sent again"
    device.ask_for_reset()
    net.service(0.0)
    assert net.info().transmit.outstanding == 0
    assert net.info().frames_lost_in_reset == 2
    assert_it_works(net, device)


def test_frames_that_arrived_before_a_reset_are_delivered_after_it():
    net, device = bring_up()
    frames = [ethernet_frame(60 + n) for n in range(3)]
    for frame in frames:
        device.deliver(frame)
    device.ask_for_reset()
    net.service(0.0)
    assert net.info().resets == 1
    assert net.info().receive.outstanding == 16 - 3
    assert [frame for frame, _, _ in received(net)] == frames
    assert net.info().receive.outstanding == 16


def test_a_device_that_forgot_it_was_running_is_reset():
    net, device = bring_up()
    device.status = 0
    net.service(1.0)
    assert_reset(net, device, "needs reset")


def test_a_frame_lent_through_a_reset_is_posted_when_it_is_released():
    net, device = bring_up()
    device.deliver(ethernet_frame())
    net.service(0.0)
    [(view, _, _, token)] = list(net.receive_frames())
    before = net.info().receive.outstanding
    device.ask_for_reset()
    net.service(0.0)
    assert bytes(view) == ethernet_frame()
    assert net.info().receive.outstanding == before, "all but the lent one"
    net.release(token)
    assert net.info().receive.outstanding == before + 1


def test_a_device_that_asks_for_resets_for_ever_is_given_up():
    net, device = bring_up()
    device.status |= spec.DEVICE_NEEDS_RESET
    with pytest.raises(DeviceError, match=r"does not recover: 8 resets in vain"):
        for n in range(100):
            device.ask_for_reset()
            net.service(float(n))
    assert device.resets == 1 + RESETS_IN_VAIN
    assert device.status & spec.FAILED
    with pytest.raises(DeviceError, match="does not recover"):
        net.service(1000.0)
    assert net.send_frame([ethernet_frame()], 0, 0, 0, 0) is False
    assert list(net.receive_frames()) == []
    assert net.arm() is False
    net.close()


def test_resets_with_frames_between_them_go_on_for_ever():
    net, device = bring_up()
    for n in range(50):
        device.ask_for_reset()
        net.service(float(n))
        device.deliver(ethernet_frame())
        assert len(received(net, float(n))) == 1
    assert net.info().resets == 50


def test_a_device_that_comes_back_with_less_is_given_up():
    net, device = bring_up()
    device.offered &= ~spec.VIRTIO_NET_F_CSUM
    device.ask_for_reset()
    with pytest.raises(DeviceError, match="does not offer CSUM"):
        net.service(0.0)
    net, device = bring_up()
    device.size_max = 8
    device.ask_for_reset()
    with pytest.raises(DeviceError, match="smaller than before"):
        net.service(0.0)


def test_a_device_that_does_not_come_out_of_its_reset_is_given_up():
    net, device = bring_up()
    device.ask_for_reset()
    device.never_resets = True
    for _ in range(2):
        with pytest.raises(DeviceError, match=r"lost: .*does not come out of its reset"):
            net.service(0.0)


def test_a_device_that_never_completes_gets_no_more_than_the_ring():
    net, _ = bring_up()
    sent = 0
    for n in range(1000):
        sent += net.send_frame([ethernet_frame()], 0, 0, 0, 0)
        net.flush()
        net.service(n / 10)
    assert sent == 16
    assert net.info().transmit.outstanding == 16
    assert net.info().resets == 0
    assert net.next_timeout() == pytest.approx(99.95)


def test_completions_out_of_order_are_taken():
    net, device = bring_up()
    for n in range(8):
        assert net.send_frame([ethernet_frame(60 + n)], 0, 0, 0, 0)
    net.flush()
    for head in reversed(device.posted(TX)):
        device.use(TX, head, 0)
    net.service(0.0)
    assert net.info().transmit.outstanding == 0
    assert_it_works(net, device)
