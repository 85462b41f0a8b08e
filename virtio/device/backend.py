"""The seam below the software device: `Backend`, whatever frames go to and come from.

A header is a tuple of six integers, the fields of `struct virtio_net_hdr`
(virtio 1.2 §5.1.6) without `num_buffers`, which is the device's own:
`(flags, gso_type, hdr_len, gso_size, csum_start, csum_offset)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

NetHeader = tuple[int, int, int, int, int, int]

PLAIN_HEADER: NetHeader = (0, 0, 0, 0, 0, 0)


class RxPort(Protocol):
    """The posted receive buffers of the driver, as a backend fills them."""

    def rx_room(self, size: int) -> Sequence[memoryview] | None:
        """Writable views, in order, of posted buffers that hold a frame of `size` octets.

        The room for the virtio-net header is left out already.  None: the
        driver has not posted enough, or merging is not negotiated and the
        next buffer is shorter; the backend keeps the frame where it is and
        is called (`Backend.service`) when there is more.  The views are
        claimed by `rx_done` or else stay posted.
        """
        ...

    def rx_done(self, length: int, header: NetHeader) -> None:
        """Hand the frame of `length` octets, written to the views of the last `rx_room`, to the driver."""
        ...


class Backend(Protocol):
    """The far side of a software device.  All calls come from one thread; none waits."""

    @property
    def mac(self) -> bytes:
        """The address the device shall report, six octets."""
        ...

    @property
    def mtu(self) -> int: ...

    @property
    def features(self) -> int:
        """The VIRTIO_NET_F_* offload bits this backend can honour."""
        ...

    def attach(self, port: RxPort, features: int) -> None:
        """The driver is ready, with these features negotiated; again after each reset."""
        ...

    def detach(self) -> None:
        """The device was reset: `port` must not be touched any more."""
        ...

    def transmit(self, pieces: Sequence[memoryview], header: NetHeader) -> None:
        """Take one frame from the driver; the views are good until the call returns."""
        ...

    def service(self, now: float) -> None:
        """Move what can be moved: read descriptors that are ready, run timers due at `now`."""
        ...

    def next_timeout(self) -> float | None:
        """When `service` must be called though no descriptor is ready; None: no need."""
        ...

    def wait_fds(self) -> Sequence[int]:
        """Descriptors that become readable when `service` has work to do."""
        ...

    def close(self) -> None: ...
