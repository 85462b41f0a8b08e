"""Where the three parts of a split virtqueue lie (virtio 1.2 §2.7).

descriptors   16 × size        { u64 addr; u32 len; u16 flags; u16 next }
available      6 +  2 × size   { u16 flags; u16 idx; u16 ring[size]; u16 used_event }
used           6 +  8 × size   { u16 flags; u16 idx; { u32 id; u32 len } ring[size]; u16 avail_event }
"""

from __future__ import annotations

from typing import NamedTuple

from virtio.errors import UsageError
from virtio.memory import Region
from virtio.spec import DESCRIPTOR_SIZE, QUEUE_SIZE_MAX


class RingLayout(NamedTuple):
    """Offsets into a region, in octets."""

    size: int
    descriptors: int
    available: int
    used: int

    @classmethod
    def allocate(cls, region: Region, size: int) -> RingLayout:
        """Take room for a ring; `size` is a power of two (virtio 1.2 §2.7)."""
        if not 1 <= size <= QUEUE_SIZE_MAX or size & size - 1:
            raise UsageError(f"ring: {size} entries is not a power of two up to {QUEUE_SIZE_MAX}")
        descriptors = region.allocate(DESCRIPTOR_SIZE * size)
        available = region.allocate(6 + 2 * size)
        # At 4 modulo 8, which its alignment of 4 allows, each used element lies at 0 modulo 8: one load.
        used = region.allocate(4 + 6 + 8 * size) + 4
        return cls(size, descriptors, available, used)

    def clear(self, region: Region) -> None:
        """Zero all three parts, as a device must find them after a reset (virtio 1.2 §4.1.5.1.3)."""
        for start, length in (
            (self.descriptors, DESCRIPTOR_SIZE * self.size),
            (self.available, 6 + 2 * self.size),
            (self.used, 6 + 8 * self.size),
        ):
            region.octets[start : start + length] = bytes(length)


def ring_room(size: int) -> int:
    """No ring of `size` entries takes more octets of a region than this."""
    return DESCRIPTOR_SIZE * size + 6 + 2 * size + 10 + 8 * size + 3 * 64
