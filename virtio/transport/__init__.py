"""How a driver reaches its device (virtio 1.2 §4): the seam `Transport`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from virtio.memory import Region


class Transport(Protocol):
    """Registers, notifications and interrupts of one device.

    All calls come from one thread and none waits.  What is written to the
    rings is not seen here; the transport carries the news that it was.
    """

    @property
    def device_id(self) -> int:
        """What the device is (virtio 1.2 §5)."""
        ...

    def share_memory(self, size: int) -> Region:
        """Make memory that driver and device both see; it belongs to the transport and goes with `close`."""
        ...

    def read_features(self) -> int: ...

    def write_features(self, features: int) -> None: ...

    def read_status(self) -> int: ...

    def write_status(self, status: int) -> None:
        """Writing 0 resets the device (virtio 1.2 §2.4); it is done when 0 is read back."""
        ...

    def read_generation(self) -> int:
        """A number that changes with the configuration (virtio 1.2 §2.5.1)."""
        ...

    def read_config(self, offset: int, length: int) -> bytes: ...

    def queue_size_max(self, queue: int) -> int:
        """The most entries of a ring, 0 when there is no such queue."""
        ...

    def enable_queue(self, queue: int, size: int, descriptors: int, available: int, used: int) -> None:
        """Set a ring up, by device addresses; the reset took it down."""
        ...

    def notify(self, queue: int) -> None:
        """Tell the device that something was published.  A device of this thread does it during the call."""
        ...

    def take_interrupts(self) -> int:
        """What the device has signalled since the last call: bits INTERRUPT_QUEUE and INTERRUPT_CONFIG."""
        ...

    def service(self, now: float) -> None:
        """Give the device its turn if it lives in this thread."""
        ...

    def next_timeout(self) -> float | None:
        """When `service` must be called though no descriptor is readable; None: no need."""
        ...

    def has_work(self) -> bool:
        """A device of this thread would do something if it had its turn now: do not wait."""
        ...

    def wait_fds(self) -> Sequence[int]:
        """Descriptors that become readable when the device signals, or has work to do itself."""
        ...

    def close(self) -> None: ...
