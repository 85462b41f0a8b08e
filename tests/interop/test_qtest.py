"""The driver on a device nobody here wrote: QEMU's virtio-net-pci, with QEMU's user network behind it."""

import select
import time

import pytest

from tests.fakes.qtest import QEMU, QemuMachine, QtestAccess, qtest_transport
from virtio import spec
from virtio.driver import Driver
from virtio.net import VirtioNet, VirtioNetConfig
from virtio.transport.pci import PciTransport

MAC = b"\x52\x54\x00\x12\x34\x56"
GATEWAY_MAC = b"\x52\x55\x0a\x00\x02\x02"

# MTU is an option of the device, and QEMU's user network has no offloads to pass on.
OFFERED = spec.ALL_FEATURES & ~spec.VIRTIO_NET_F_MTU & ~spec.OFFLOADS

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(QEMU is None, reason="qemu-system-x86_64 is not installed (qemu-system-x86)"),
]


@pytest.fixture
def machine():
    with QemuMachine() as machine:
        yield machine


def arp_request() -> bytes:
    return (
        b"\xff" * 6 + MAC + b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + MAC
        + b"\x0a\x00\x02\x0f" + bytes(6) + b"\x0a\x00\x02\x02" + bytes(18)
    )  # fmt: skip


def wait_for_frame(net, wanted, seconds=5.0) -> bytes:
    deadline = time.monotonic() + seconds
    while (now := time.monotonic()) < deadline:
        net.service(now)
        for view, _flags, _size, token in net.receive_frames():
            frame = bytes(view)
            net.release(token)
            if wanted(frame):
                return frame
        net.flush()
        if not net.arm():
            select.select(net.wait_fds(), [], [], max(0.0, net.next_timeout() - now))
    raise AssertionError("the frame did not come")


def ask_for_the_gateway(net):
    assert net.send_frame([arp_request()[:14], arp_request()[14:]], 0, 0, 0, 0)
    net.flush()
    reply = wait_for_frame(net, lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\x00\x02")
    assert reply[22:32] == GATEWAY_MAC + b"\x0a\x00\x02\x02"
    assert reply[:6] == MAC


_ABSENT = {
    "all": 0,
    "no-event-idx": spec.VIRTIO_F_EVENT_IDX,
    "no-indirect": spec.VIRTIO_F_INDIRECT_DESC,
    "no-mrg-rxbuf": spec.VIRTIO_NET_F_MRG_RXBUF,
    "no-status-no-mac": spec.VIRTIO_NET_F_STATUS | spec.VIRTIO_NET_F_MAC,
    "version-1-alone": spec.ALL_FEATURES & ~spec.VIRTIO_F_VERSION_1,
}


@pytest.mark.parametrize("absent", _ABSENT.values(), ids=_ABSENT)
def test_the_gateway_answers_arp(machine, absent):
    features = spec.ALL_FEATURES & ~absent
    net = VirtioNet(qtest_transport(machine), VirtioNetConfig(features=features))
    assert net.features == features & OFFERED
    assert net.mac == MAC
    for _ in range(5):
        ask_for_the_gateway(net)
    info = net.info()
    assert info.transmit.used == 5
    assert info.receive.frames == info.receive.used >= 5
    assert (info.resets, info.dropped) == (0, {})
    net.close()


@pytest.mark.parametrize("event_idx", [True, False], ids=["event-idx", "flags"])
def test_an_interrupt_ends_the_wait(machine, event_idx):
    absent = 0 if event_idx else spec.VIRTIO_F_EVENT_IDX
    net = VirtioNet(qtest_transport(machine), VirtioNetConfig(features=spec.ALL_FEATURES & ~absent))
    for n in range(1, 6):
        assert net.arm() is False
        assert net.send_frame([arp_request()], 0, 0, 0, 0)
        net.flush()
        deadline = time.monotonic() + 5
        while machine.interrupts < n and time.monotonic() < deadline:
            select.select(net.wait_fds(), [], [], 0.1)
            machine.drain()
        net.service(time.monotonic())
        assert [bytes(view[22:28]) for view, _, _, _ in net.receive_frames()] == [GATEWAY_MAC]
    assert net.info().interrupts == 5
    assert net.info().found_without_interrupt == 0
    net.close()


def test_the_mtu_is_taken_from_the_device():
    with QemuMachine(device=",host_mtu=1400") as machine:
        net = VirtioNet(qtest_transport(machine))
        assert net.features & spec.VIRTIO_NET_F_MTU
        assert net.mtu == 1400
        ask_for_the_gateway(net)
        net.close()


def test_frames_go_round_the_ring_of_a_real_device_many_times(machine):
    net = VirtioNet(qtest_transport(machine), VirtioNetConfig(ring_size=8))
    for _ in range(100):
        ask_for_the_gateway(net)
    assert net.info().transmit.used == 100
    assert net.info().receive.used >= 100
    net.close()


@pytest.mark.parametrize("indirect", [True, False], ids=["indirect", "direct"])
def test_a_long_frame_goes_out_as_a_chain(machine, indirect):
    """To nobody: what counts is that the device takes headers and payload from two buffers and completes."""
    absent = 0 if indirect else spec.VIRTIO_F_INDIRECT_DESC
    net = VirtioNet(qtest_transport(machine), VirtioNetConfig(features=spec.ALL_FEATURES & ~absent))
    header = bytes(6) + MAC + b"\x88\xb5" + bytes(40)
    assert net.send_frame([header, bytes(3000)], 0, 0, 0, 0)
    net.flush()
    deadline = time.monotonic() + 5
    while net.info().transmit.outstanding and time.monotonic() < deadline:
        net.service(time.monotonic())
    assert net.info().transmit.used == 1
    ask_for_the_gateway(net)
    assert net.info().resets == 0
    net.close()


# The fault table: what QEMU 7.2 makes of a malformed chain, and that the driver brings the device back.

_N, _W, _I = spec.VIRTQ_DESC_F_NEXT, spec.VIRTQ_DESC_F_WRITE, spec.VIRTQ_DESC_F_INDIRECT
_FAULTS = {
    "zero length": (0, [(0, 0, 0, 0)]),
    "header only": (0, [(0, 12, 0, 0)]),
    "self loop": (0, [(0, 64, _N, 0)]),
    "loop of two": (0, [(0, 64, _N, 1), (0, 64, _N, 0)]),
    "next out of range": (0, [(0, 64, _N, 300)]),
    "head out of range": (300, [(0, 64, 0, 0)]),
    "writable in TX": (0, [(0, 64, _W, 0)]),
    "writable before readable": (0, [(0, 64, _W | _N, 1), (0, 64, 0, 0)]),
    "indirect table of 17 octets": (0, [(0, 17, _I, 0)]),
    "indirect with NEXT": (0, [(0, 16, _I | _N, 1), (0, 64, 0, 0)]),
    "indirect table of no octets": (0, [(0, 0, _I, 0)]),
}


class FaultyWriter:
    """Puts a malformed chain into the transmit ring behind the driver's back."""

    def __init__(self, access: QtestAccess, transport: PciTransport):
        self._access, self._transport = access, transport

    def write(self, head, descriptors):
        machine, select_queue = self._access, 1
        common = self._transport._common
        machine.bar_write(common.bar, common.offset + 22, 2, select_queue)
        table, available = (
            machine.bar_read(common.bar, common.offset + at, 4) - self._access.region.base for at in (32, 40)
        )
        region = self._access.region
        for n, (offset, length, flags, following) in enumerate(descriptors):
            region.u64[table // 8 + 2 * n] = region.base + offset
            region.u64[table // 8 + 2 * n + 1] = length | flags << 32 | following << 48
        index = region.u16[available // 2 + 1]
        region.u16[available // 2 + 2 + index % 256] = head
        region.u16[available // 2 + 1] = index + 1
        self._transport.notify(spec.TRANSMIT_QUEUE)


@pytest.mark.parametrize(("head", "descriptors"), _FAULTS.values(), ids=_FAULTS)
def test_the_device_is_brought_back_after_a_malformed_chain(machine, head, descriptors):
    access = QtestAccess(machine)
    transport = PciTransport(access)
    net = VirtioNet(transport)
    ask_for_the_gateway(net)
    FaultyWriter(access, transport).write(head, descriptors)
    deadline = time.monotonic() + 5
    while transport.read_status() != 0x4F:
        assert time.monotonic() < deadline, "the device took the chain"
    net.service(time.monotonic() + 1.0)
    assert transport.read_status() == 0x0F
    ask_for_the_gateway(net)
    info = net.info()
    assert info.resets == 1
    assert info.lies == {"needs reset": 1}
    net.close()


def test_the_features_are_what_the_reference_says(machine):
    transport = qtest_transport(machine)
    offered = transport.read_features()
    assert offered & spec.ALL_FEATURES == OFFERED
    driver = Driver(transport, spec.DEVICE_ID_NET)
    assert driver.begin(spec.VIRTIO_F_VERSION_1 | spec.HOST_TSO) == spec.VIRTIO_F_VERSION_1, "TSO needs CSUM"
    assert transport.queue_size_max(0) == 256
    assert transport.queue_size_max(99) == 0
