"""The device's side of a split virtqueue (virtio 1.2 §2.7).

A second reading of the specification: nothing here is shared with the
driver's `virtio.queue`, so that the two check each other.  The driver is not
trusted either.  Each descriptor is read once, bounds are checked before a
view is made, and a chain that breaks a rule raises `DriverError`; the device
then asks for a reset (virtio 1.2 §2.1.2).
"""

from __future__ import annotations

from virtio import spec
from virtio.errors import DriverError
from virtio.memory import Region

Views = tuple[memoryview, ...]
Chain = tuple[int, Views, Views]
"""Head, what the device may read, what it may write."""

_FLAGS_NEXT = spec.VIRTQ_DESC_F_NEXT
_FLAGS_WRITE = spec.VIRTQ_DESC_F_WRITE
_FLAGS_INDIRECT = spec.VIRTQ_DESC_F_INDIRECT


class DeviceQueue:
    """One ring as the driver set it up, until the next reset."""

    def __init__(
        self, region: Region, size: int, descriptors: int, available: int, used: int, features: int
    ) -> None:
        self.size = size
        self.fetched = 0
        """Chains taken from the available ring."""
        self.pushed = 0
        """Chains written to the used ring."""
        self._region = region
        self._published = 0
        self._event_idx = bool(features & spec.VIRTIO_F_EVENT_IDX)
        self._may_be_indirect = bool(features & spec.VIRTIO_F_INDIRECT_DESC)
        if size < 1 or size & size - 1 or size > spec.QUEUE_SIZE_MAX:
            raise DriverError("queue size", str(size))
        table = self._place(descriptors, 16 * size, 16)
        self._table = region.u64[table // 8 : table // 8 + 2 * size]
        at = self._place(available, 6 + 2 * size, 2) // 2
        self._avail_flags = region.u16[at : at + 1]
        self._avail_idx = region.u16[at + 1 : at + 2]
        self._avail_ring = region.u16[at + 2 : at + 2 + size]
        self._used_event = region.u16[at + 2 + size : at + 3 + size]
        at = self._place(used, 6 + 8 * size, 4)
        self._used_flags = region.u16[at // 2 : at // 2 + 1]
        self._used_idx = region.u16[at // 2 + 1 : at // 2 + 2]
        self._used_ring = region.u32[at // 4 + 1 : at // 4 + 1 + 2 * size]
        self._avail_event = region.u16[at // 2 + 2 + 4 * size : at // 2 + 3 + 4 * size]

    # taking from the driver

    def available(self) -> int:
        """How many chains wait; a jump of the driver's index is its fault (virtio 1.2 §2.7.13)."""
        waiting = self._avail_idx[0] - self.fetched & 0xFFFF
        if waiting > self.size:
            raise DriverError("available index jumps", f"{waiting} chains in a ring of {self.size}")
        return waiting

    def fetch(self) -> list[Chain]:
        """Take all chains that wait.

        When one is malformed, those before it are given first, and the next
        call raises for it.
        """
        waiting = self.available()
        if not waiting:
            return []
        if self._region.ordering is not None:
            self._region.ordering()
        chains: list[Chain] = []
        ring, table, mask, size = self._avail_ring, self._table, self.size - 1, self.size
        octets, base, end = self._region.octets, self._region.base, self._region.size
        for n in range(self.fetched, self.fetched + waiting):
            head = ring[n & mask]
            try:
                if head >= size:
                    raise DriverError("head out of range", f"{head} of {size}")
                rest = table[2 * head + 1]
                start = table[2 * head] - base
                stop = start + (rest & 0xFFFFFFFF)
                flags = rest >> 32 & 0xFFFF
                if flags & ~_FLAGS_WRITE:
                    walk = self._walk_indirect if flags & _FLAGS_INDIRECT else self._walk
                    readable, writable = walk(start + base, rest)
                    chains.append((head, readable, writable))
                elif not 0 <= start < stop <= end:
                    raise _bad_buffer(start + base, stop - start)
                elif flags:
                    chains.append((head, (), (octets[start:stop],)))
                else:
                    chains.append((head, (octets[start:stop],), ()))
            except DriverError:
                if not chains:
                    raise
                break
        self.fetched += len(chains)
        return chains

    # giving back

    def push(self, head: int, written: int) -> None:
        """Put a chain into the used ring; the driver sees it after `publish`."""
        slot = 2 * (self.pushed & self.size - 1)
        self._used_ring[slot] = head
        self._used_ring[slot + 1] = written
        self.pushed += 1

    def publish(self) -> bool:
        """Show the driver what was pushed; True when it asked to be interrupted (virtio 1.2 §2.7.7)."""
        old, new = self._published, self.pushed
        if old == new:
            return False
        if self._region.ordering is not None:
            self._region.ordering()
        self._used_idx[0] = new & 0xFFFF
        self._published = new
        self._fence()
        if self._event_idx:
            passed = new - 1 - self._used_event[0] & 0xFFFF  # how long ago the entry asked for was used
            return passed < new - old
        return not self._avail_flags[0] & spec.VIRTQ_AVAIL_F_NO_INTERRUPT

    # notifications

    def want_notification(self) -> bool:
        """Ask to be told of the next chain; True when one is there already (virtio 1.2 §2.7.10)."""
        if self._event_idx:
            self._avail_event[0] = self.fetched & 0xFFFF
        else:
            self._used_flags[0] = 0
        self._fence()
        return self.available() > 0

    def want_no_notification(self) -> None:
        if not self._event_idx:
            self._used_flags[0] = spec.VIRTQ_USED_F_NO_NOTIFY

    # private

    def _fence(self) -> None:
        if self._region.barrier is not None:
            self._region.barrier()

    def _place(self, address: int, length: int, alignment: int) -> int:
        """Turn a part of the ring into an offset (alignments of virtio 1.2 §2.7)."""
        offset = address - self._region.base
        if address % alignment or offset < 0 or offset + length > self._region.size:
            raise DriverError("ring outside of memory or misaligned", f"{length} octets at {address:#x}")
        return offset

    def _walk(self, address: int, rest: int) -> tuple[Views, Views]:
        """Follow a chain whose first descriptor has been read."""
        return self._collect(self._table, self.size, address, rest)

    def _walk_indirect(self, address: int, rest: int) -> tuple[Views, Views]:
        length, flags = rest & 0xFFFFFFFF, rest >> 32 & 0xFFFF
        if not self._may_be_indirect:
            raise DriverError("indirect descriptor", "not negotiated")
        if flags & _FLAGS_NEXT:
            raise DriverError("indirect descriptor", "with NEXT (virtio 1.2 §2.7.5.3.1)")
        if not length or length % 16 or length > 16 * self.size:
            raise DriverError("indirect descriptor", f"table of {length} octets")
        start = address - self._region.base
        if not 0 <= start < start + length <= self._region.size:
            raise _bad_buffer(address, length)
        words = memoryview(bytes(self._region.octets[start : start + length])).cast(
            "Q"
        )  # one reading: the driver may change it meanwhile
        return self._collect(words, length // 16, words[0], words[1])

    def _collect(self, table: memoryview, size: int, address: int, rest: int) -> tuple[Views, Views]:
        octets, base, end = self._region.octets, self._region.base, self._region.size
        readable: list[memoryview] = []
        writable: list[memoryview] = []
        for _ in range(size):
            flags = rest >> 32 & 0xFFFF
            start = address - base
            stop = start + (rest & 0xFFFFFFFF)
            if flags & _FLAGS_INDIRECT:
                raise DriverError("indirect descriptor", "inside a chain or a table")
            if not 0 <= start < stop <= end:
                raise _bad_buffer(address, stop - start)
            if flags & _FLAGS_WRITE:
                writable.append(octets[start:stop])
            elif writable:
                raise DriverError("readable after writable", "virtio 1.2 §2.7.4.2")
            else:
                readable.append(octets[start:stop])
            if not flags & _FLAGS_NEXT:
                return tuple(readable), tuple(writable)
            following = rest >> 48
            if following >= size:
                raise DriverError("next out of range", f"{following} of {size}")
            address, rest = table[2 * following], table[2 * following + 1]
        raise DriverError("loop", f"a chain of more than {size} descriptors")


def _bad_buffer(address: int, length: int) -> DriverError:
    return DriverError("buffer empty or outside of memory", f"{length} octets at {address:#x}")
