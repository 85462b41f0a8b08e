"""Driver and software device in one thread: a register is an attribute, a kick is a function call.

No barrier and no wait is needed between the two.  An interrupt is a bit that
stays set until the driver takes it; what ends a wait are the descriptors of
the device's backend.
"""

from __future__ import annotations

from collections.abc import Sequence

from virtio.device.net import NetDevice
from virtio.errors import UsageError
from virtio.memory import Region

BASE = 0x4000_0000
"""Where the device sees the memory: not 0, so that an offset taken for an address shows."""


class InProcessTransport:
    """Fits `virtio.transport.Transport`."""

    def __init__(self, device: NetDevice) -> None:
        self._device = device
        self._region: Region | None = None
        self._causes = 0
        device.interrupt = self._interrupt

    @property
    def device_id(self) -> int:
        return self._device.device_id

    def share_memory(self, size: int) -> Region:
        if self._region is not None:
            raise UsageError("virtio: memory is shared once")
        self._region = Region.anonymous(size, BASE)
        return self._region

    def read_features(self) -> int:
        return self._device.features

    def write_features(self, features: int) -> None:
        self._device.write_features(features)

    def read_status(self) -> int:
        return self._device.status

    def write_status(self, status: int) -> None:
        if status == 0:
            self._causes = 0
        self._device.write_status(status)

    def read_generation(self) -> int:
        return self._device.generation

    def read_config(self, offset: int, length: int) -> bytes:
        return self._device.read_config(offset, length)

    def queue_size_max(self, queue: int) -> int:
        return self._device.queue_size if queue < 2 else 0

    def enable_queue(self, queue: int, size: int, descriptors: int, available: int, used: int) -> None:
        assert self._region is not None, "memory is shared before a queue lies in it"
        self._device.enable_queue(queue, size, descriptors, available, used, self._region)

    def notify(self, queue: int) -> None:
        self._device.notify(queue)

    def take_interrupts(self) -> int:
        causes, self._causes = self._causes, 0
        return causes

    def service(self, now: float) -> None:
        self._device.service(now)

    def next_timeout(self) -> float | None:
        return self._device.next_timeout()

    def has_work(self) -> bool:
        return self._device.has_work()

    def wait_fds(self) -> Sequence[int]:
        return self._device.wait_fds()

    def close(self) -> None:
        self._device.close()
        if self._region is not None:
            self._region.close()
            self._region = None

    def _interrupt(self, causes: int) -> None:
        self._causes |= causes
