"""virtio over PCI, modern layout (virtio 1.2 §4.1): which register is where.

How configuration space and BARs are reached, and how memory comes to be
shared, is `PciAccess`; that may be VFIO, or a virtual machine driven from
outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from virtio.errors import TransportError
from virtio.memory import Region

_VENDOR = 0x1AF4
_MODERN_DEVICES = range(0x1040, 0x1080)
_CAPABILITY_LIST = 0x34
_STATUS_HAS_CAPABILITIES = 0x10
_VENDOR_SPECIFIC = 0x09

# §4.1.4 cfg_type
_COMMON, _NOTIFY, _ISR, _DEVICE = 1, 2, 3, 4

# §4.1.4.3 struct virtio_pci_common_cfg
_DEVICE_FEATURE_SELECT, _DEVICE_FEATURE = 0, 4
_DRIVER_FEATURE_SELECT, _DRIVER_FEATURE = 8, 12
_NUM_QUEUES = 18
_DEVICE_STATUS, _CONFIG_GENERATION = 20, 21
_QUEUE_SELECT, _QUEUE_SIZE, _QUEUE_ENABLE, _QUEUE_NOTIFY_OFF = 22, 24, 28, 30
_QUEUE_DESC, _QUEUE_DRIVER, _QUEUE_DEVICE = 32, 40, 48


class PciAccess(Protocol):
    """One PCI function; `width` is 1, 2 or 4 octets, values are little-endian integers."""

    def config_read(self, offset: int, width: int) -> int: ...

    def bar_read(self, bar: int, offset: int, width: int) -> int: ...

    def bar_write(self, bar: int, offset: int, width: int, value: int) -> None: ...

    def share_memory(self, size: int) -> Region: ...

    def wait_fds(self) -> Sequence[int]: ...

    def drain(self) -> None:
        """Take what has made `wait_fds` readable."""
        ...

    def close(self) -> None: ...


class Capability(NamedTuple):
    """A structure in a BAR (virtio 1.2 §4.1.4)."""

    bar: int
    offset: int
    length: int
    multiplier: int


class PciTransport:
    """Fits `virtio.transport.Transport`; interrupts by the ISR register (INTx, §4.1.4.5)."""

    def __init__(self, access: PciAccess) -> None:
        self._access = access
        identity = access.config_read(0, 4)
        vendor, device = identity & 0xFFFF, identity >> 16
        if vendor != _VENDOR or device not in _MODERN_DEVICES:
            raise TransportError(f"PCI: {vendor:04x}:{device:04x} is no modern virtio device")
        self.device_id = device - _MODERN_DEVICES.start
        found = _find_capabilities(access)
        for kind, name in ((_COMMON, "common"), (_NOTIFY, "notify"), (_ISR, "isr"), (_DEVICE, "device")):
            if kind not in found:
                raise TransportError(f"PCI: the device has no {name} configuration")
        self._common, self._notify = found[_COMMON], found[_NOTIFY]
        self._isr, self._device = found[_ISR], found[_DEVICE]
        self._doorbells: dict[int, int] = {}

    def share_memory(self, size: int) -> Region:
        return self._access.share_memory(size)

    def read_features(self) -> int:
        features = 0
        for half in (0, 1):
            self._write(_DEVICE_FEATURE_SELECT, 4, half)
            features |= self._read(_DEVICE_FEATURE, 4) << 32 * half
        return features

    def write_features(self, features: int) -> None:
        for half in (0, 1):
            self._write(_DRIVER_FEATURE_SELECT, 4, half)
            self._write(_DRIVER_FEATURE, 4, features >> 32 * half & 0xFFFFFFFF)

    def read_status(self) -> int:
        return self._read(_DEVICE_STATUS, 1)

    def write_status(self, status: int) -> None:
        self._write(_DEVICE_STATUS, 1, status)

    def read_generation(self) -> int:
        return self._read(_CONFIG_GENERATION, 1)

    def read_config(self, offset: int, length: int) -> bytes:
        """In the widths of the fields: octets for the address, two octets for the rest (§4.1.3.1)."""
        width = 2 if offset % 2 == 0 and length == 2 else 1
        return b"".join(
            self._access.bar_read(self._device.bar, self._device.offset + at, width).to_bytes(width, "little")
            for at in range(offset, offset + length, width)
        )

    def queue_size_max(self, queue: int) -> int:
        if queue >= self._read(_NUM_QUEUES, 2):
            return 0
        self._write(_QUEUE_SELECT, 2, queue)
        return self._read(_QUEUE_SIZE, 2)

    def enable_queue(self, queue: int, size: int, descriptors: int, available: int, used: int) -> None:
        self._write(_QUEUE_SELECT, 2, queue)
        self._write(_QUEUE_SIZE, 2, size)
        for register, address in (
            (_QUEUE_DESC, descriptors),
            (_QUEUE_DRIVER, available),
            (_QUEUE_DEVICE, used),
        ):
            self._write(register, 4, address & 0xFFFFFFFF)
            self._write(register + 4, 4, address >> 32)
        bell = self._read(_QUEUE_NOTIFY_OFF, 2) * self._notify.multiplier
        if bell + 2 > self._notify.length:
            raise TransportError(f"PCI: the doorbell of queue {queue} lies outside of its structure")
        self._doorbells[queue] = self._notify.offset + bell
        self._write(_QUEUE_ENABLE, 2, 1)

    def notify(self, queue: int) -> None:
        self._access.bar_write(self._notify.bar, self._doorbells[queue], 2, queue)

    def take_interrupts(self) -> int:
        """Reading the register clears it and lowers the line."""
        self._access.drain()
        return self._access.bar_read(self._isr.bar, self._isr.offset, 1)

    def service(self, now: float) -> None:
        pass

    def next_timeout(self) -> float | None:
        return None

    def has_work(self) -> bool:
        return False

    def wait_fds(self) -> Sequence[int]:
        return self._access.wait_fds()

    def close(self) -> None:
        self._access.close()

    def _read(self, register: int, width: int) -> int:
        return self._access.bar_read(self._common.bar, self._common.offset + register, width)

    def _write(self, register: int, width: int, value: int) -> None:
        self._access.bar_write(self._common.bar, self._common.offset + register, width, value)


def _find_capabilities(access: PciAccess) -> dict[int, Capability]:
    """Walk the list, the first of each kind wins (virtio 1.2 §4.1.4.1); a list that loops ends."""
    found: dict[int, Capability] = {}
    if not access.config_read(0x06, 2) & _STATUS_HAS_CAPABILITIES:
        return found
    at = access.config_read(_CAPABILITY_LIST, 1) & 0xFC
    for _ in range(48):  # no more fit into 192 octets
        if not at:
            break
        if access.config_read(at, 1) == _VENDOR_SPECIFIC:
            kind, bar = access.config_read(at + 3, 1), access.config_read(at + 4, 1)
            if bar <= 5 and kind not in found:
                offset, length = access.config_read(at + 8, 4), access.config_read(at + 12, 4)
                multiplier = access.config_read(at + 16, 4) if kind == _NOTIFY else 0
                found[kind] = Capability(bar, offset, length, multiplier)
        at = access.config_read(at + 1, 1) & 0xFC
    return found
