"""The seam between the stack and a network driver: `FrameDevice`.

It carries the offload contract, since that decides the speed.  Numbers are
those of virtio 1.2 §5.1.6, so that a virtio driver passes them through
unchanged; a driver of another kind translates.  Nothing here imports a
driver: a class fits by its shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview

# What a device can take off the stack's hands, as bits of `FrameDevice.offloads`.
TX_CHECKSUM = 0x01
"""Completes a partial checksum in frames sent (`csum_start`, `csum_offset`)."""
RX_CHECKSUM = 0x02
"""Vouches for checksums of frames received, frame by frame."""
TSO4 = 0x04
"""Cuts one TCP/IPv4 frame of up to 65 535 octets of IP into segments; implies TX_CHECKSUM."""
TSO6 = 0x08
"""The same for TCP/IPv6."""
LRO4 = 0x10
"""May deliver merged TCP/IPv4 segments as one frame."""
LRO6 = 0x20

# `flags` of a received frame.
CHECKSUM_PARTIAL = 0x01
"""The transport checksum covers the pseudo-header only; the octets never crossed a wire: trust them."""
CHECKSUM_GOOD = 0x02
"""The device has verified the transport checksum."""

# `gso_type`
GSO_NONE = 0
GSO_TCPV4 = 1
GSO_TCPV6 = 4


class FrameDevice(Protocol):
    """A network interface as the stack sees it.

    All calls come from one thread.  None of them waits.
    """

    @property
    def mac(self) -> bytes:
        """Six octets."""
        ...

    @property
    def mtu(self) -> int:
        """The largest IP packet of a frame that is not to be cut, in octets."""
        ...

    @property
    def offloads(self) -> int: ...

    def send_frame(
        self, pieces: Sequence[Buffer], csum_start: int, csum_offset: int, gso_type: int, gso_size: int
    ) -> bool:
        """Post one Ethernet frame, given in pieces that are never joined first.

        The caller leaves the pieces alone until the call returns; the device
        has copied or posted them by then.  With `csum_offset` not 0, the
        device completes the checksum: the sum over the frame from
        `csum_start` on goes to `csum_start + csum_offset`.  With `gso_type`
        not 0, it cuts the payload into segments of `gso_size` octets.
        Returns False when the ring is full: keep the frame, and try again
        after the next `service`.
        """
        ...

    def flush(self) -> None:
        """Tell the device about all frames posted since the last call, at once."""
        ...

    def receive_frames(self) -> Iterable[tuple[memoryview, int, int, int]]:
        """Yield `(frame, flags, gso_size, token)` for what has arrived, oldest first.

        `frame` is a view into memory of the device, good until
        `release(token)`, which must follow in the same turn.  `gso_size` is
        not 0 when the frame holds merged segments of that size.  The number
        of frames of one call is bounded by the ring.
        """
        ...

    def release(self, token: int) -> None:
        """Give a received frame's memory back to the device."""
        ...

    def service(self, now: float) -> None:
        """Give the device its turn: run a device of this process, reclaim, recover from a reset."""
        ...

    def next_timeout(self) -> float | None:
        """When `service` must be called even if no descriptor is readable; None: no need."""
        ...

    def arm(self) -> bool:
        """Ask for a wake-up on the next change; True: something is there already, do not wait."""
        ...

    def wait_fds(self) -> Sequence[int]:
        """Descriptors that become readable when `service` has work to do."""
        ...

    def close(self) -> None:
        """Stop the device and give its memory back; a second call does nothing."""
        ...
