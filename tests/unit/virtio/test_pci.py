"""Which PCI register is where, against a function made of a few bytes."""

import struct

import pytest

from tests.fakes.backends import WireBackend, ethernet_frame
from virtio import spec
from virtio.device.net import NetDevice
from virtio.errors import DriverError, TransportError
from virtio.memory import Region
from virtio.net import VirtioNet
from virtio.transport.pci import PciTransport

BASE = 0x3000_0000


class FakeFunction:
    """Registers of virtio 1.2 §4.1.4.3 in BAR 4, before the software device."""

    def __init__(
        self, identity=0x1041_1AF4, kinds=(1, 2, 3, 4), has_list=True, loops=False, notify_length=0x1000
    ):
        self.device = NetDevice(WireBackend(echo=True))
        self.device.interrupt = self._interrupt
        self.causes = 0
        self.config = bytearray(256)
        struct.pack_into("<I", self.config, 0, identity)
        self.config[6] = 0x10 if has_list else 0
        self.config[0x34] = 0x40
        at = 0x40
        struct.pack_into("<BBBBB", self.config, at, 0x11, at + 0x10, 0, 0, 0)  # MSI-X: not ours
        at += 0x10
        for kind in kinds:
            offset = {1: 0, 2: 0x3000, 3: 0x1000, 4: 0x2000}[kind]
            length = notify_length if kind == 2 else 0x1000
            struct.pack_into("<BBBBBxxxIII", self.config, at, 9, at + 0x18, 0x18, kind, 4, offset, length, 4)
            at += 0x18
        struct.pack_into("<BBBB", self.config, at, 9, 0x40 if loops else 0, 0x18, 5)
        self.region = None
        self.registers = dict.fromkeys(range(64), 0)
        self.drained = 0
        self.closed = False

    def _interrupt(self, causes):
        self.causes |= causes

    def config_read(self, offset, width):
        return int.from_bytes(self.config[offset : offset + width], "little")

    def bar_read(self, bar, offset, width):
        assert bar == 4
        if offset >= 0x2000:
            return int.from_bytes(self.device.read_config(offset - 0x2000, width), "little")
        if offset >= 0x1000:
            causes, self.causes = self.causes, 0
            return causes
        match offset:
            case 4:
                return self.device.features >> 32 * self.registers[0] & 0xFFFFFFFF
            case 18:
                return 2
            case 20:
                return self.device.status
            case 21:
                return self.device.generation
            case 24:
                return self.device.queue_size
            case 30:
                return self.registers[22]
        raise AssertionError(offset)

    def bar_write(self, bar, offset, width, value):
        assert bar == 4
        assert value < 1 << 8 * width
        if offset >= 0x3000:
            assert value == (offset - 0x3000) // 4
            self.device.notify(value)
            return
        self.registers[offset] = value
        r = self.registers
        match offset:
            case 12:
                r[100 + r[8]] = value
                self.device.write_features(r.get(100, 0) | r.get(101, 0) << 32)
            case 20:
                self.device.write_status(value)
            case 28:
                rings = [r[at] | r[at + 4] << 32 for at in (32, 40, 48)]
                self.device.enable_queue(r[22], r[24], *rings, self.region)

    def share_memory(self, size):
        self.region = Region.anonymous(size, BASE)
        return self.region

    def wait_fds(self):
        return (7,)

    def drain(self):
        self.drained += 1

    def close(self):
        self.closed = True


def test_a_frame_goes_round_through_the_registers():
    function = FakeFunction()
    net = VirtioNet(PciTransport(function))
    assert net.features == spec.ALL_FEATURES
    assert net.mtu == 1500
    assert net.mac == function.device._backend.mac
    frame = ethernet_frame(1514)
    assert net.arm() is False
    assert net.send_frame([frame], 0, 0, 0, 0)
    net.flush()
    function.device.service(0.0)
    net.service(0.0)
    assert [bytes(view) for view, _, _, _ in net.receive_frames()] == [frame]
    assert net.info().interrupts == 1
    assert function.drained == 1
    assert net.wait_fds() == (7,)
    net.close()
    assert function.closed
    assert function.device.status == 0


@pytest.mark.parametrize("identity", [0x1000_1AF4, 0x1041_8086, 0x1080_1AF4, 0xFFFF_FFFF])
def test_a_function_that_is_no_modern_virtio_device_is_refused(identity):
    with pytest.raises(TransportError, match="no modern virtio device"):
        PciTransport(FakeFunction(identity=identity))


@pytest.mark.parametrize(
    ("kinds", "name"),
    [((2, 3, 4), "common"), ((1, 3, 4), "notify"), ((1, 2, 4), "isr"), ((1, 2, 3), "device")],
)
def test_a_missing_structure_is_named(kinds, name):
    with pytest.raises(TransportError, match=f"no {name} configuration"):
        PciTransport(FakeFunction(kinds=kinds))


def test_a_capability_list_that_loops_ends():
    assert PciTransport(FakeFunction(loops=True)).device_id == 1
    with pytest.raises(TransportError, match="no common configuration"):
        PciTransport(FakeFunction(kinds=(), loops=True))
    with pytest.raises(TransportError, match="no common configuration"):
        PciTransport(FakeFunction(has_list=False))


def test_a_doorbell_outside_of_its_structure_is_refused():
    with pytest.raises(TransportError, match="doorbell of queue 1"):
        VirtioNet(PciTransport(FakeFunction(notify_length=4)))


def test_a_queue_that_is_not_there_has_no_size():
    assert PciTransport(FakeFunction()).queue_size_max(2) == 0


def test_driver_error_names_its_fault():
    assert DriverError("loop").fault == "loop"
