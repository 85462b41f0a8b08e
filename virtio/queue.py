"""The driver's side of a split virtqueue (virtio 1.2 §2.7).

A chain of buffers is posted under a token, a number of the caller's choice;
the token comes back when the device has used the chain:

    queue.post(address, length, writable=True, token=7)
    if queue.publish():                     # make all that was posted visible, at once
        transport.notify(...)               # the device asked to be told
    ...
    for token, written in queue.reap():     # whatever the device has done since

The ring's memory is written and never read back, but for what the device
writes: its index, its used elements, its event word.  What is posted under
which head is kept in lists of our own, and each id and length from the
device is checked against them.  The first lie ends the queue: `fault` says
which, `reap` gives nothing more, and the owner resets the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from virtio.errors import DeviceError, UsageError
from virtio.layout import RingLayout
from virtio.memory import Region
from virtio.ring_index import distance, to_index, wants_event
from virtio.spec import (
    DESCRIPTOR_SIZE,
    VIRTQ_AVAIL_F_NO_INTERRUPT,
    VIRTQ_DESC_F_INDIRECT,
    VIRTQ_DESC_F_NEXT,
    VIRTQ_DESC_F_WRITE,
    VIRTQ_USED_F_NO_NOTIFY,
)

INDIRECT_ENTRIES = 8
"""Descriptors of one indirect table; a longer chain is posted directly."""

_WRITE = VIRTQ_DESC_F_WRITE << 32
_NEXT = VIRTQ_DESC_F_NEXT << 32
_INDIRECT = VIRTQ_DESC_F_INDIRECT << 32

_LENGTH_AND_WRITE = 0xFFFFFFFF | _WRITE
_TABLES = tuple(Struct(f"<{2 * count}Q") for count in range(INDIRECT_ENTRIES + 1))

_NOT_POSTED = -1

Segment = tuple[int, int]
"""A device address and a length in octets, at least 1."""


def queue_room(size: int) -> int:
    """Octets of a region for the indirect tables of a queue, beside its ring."""
    return size * INDIRECT_ENTRIES * DESCRIPTOR_SIZE + 64


class Virtqueue:
    """One ring, from its reset to the next; not for two threads."""

    def __init__(
        self, region: Region, layout: RingLayout, tables: int, *, event_idx: bool, indirect: bool
    ) -> None:
        layout.clear(region)
        size = layout.size
        self.layout = layout
        self.posted = 0
        """Chains given to the device since the reset."""
        self.used = 0
        """Chains it has given back."""
        self.fault: DeviceError | None = None
        """The lie that ended this queue."""
        self.unannounced = False
        """Something is published that the device did not want to be told about."""
        self._region = region
        self._mask = size - 1
        self._event_idx = event_idx
        self._indirect = indirect
        self._tables = tables
        self._published = 0
        # the shadow: what we wrote, so that nothing needs to be read back
        self._free = list(range(size - 1, -1, -1))
        self._tokens = [_NOT_POSTED] * size
        self._writable = [0] * size
        self._rest: list[list[int] | None] = [None] * size
        # the live words, and the arrays beside them
        u16 = region.u16
        self._descriptors = region.u64[layout.descriptors >> 3 : (layout.descriptors >> 3) + 2 * size]
        available, used = layout.available >> 1, layout.used >> 1
        self._available_flags = u16[available : available + 1]
        self._available_index = u16[available + 1 : available + 2]
        self._available_ring = u16[available + 2 : available + 2 + size]
        self._used_event = u16[available + 2 + size : available + 3 + size]
        self._used_flags = u16[used : used + 1]
        self._used_index = u16[used + 1 : used + 2]
        self._used_ring = region.u64[(layout.used + 4) >> 3 : ((layout.used + 4) >> 3) + size]
        self._available_event = u16[used + 2 + 4 * size : used + 3 + 4 * size]
        if event_idx:
            self._used_event[0] = to_index(-1)  # the 0 there would ask for the first completion

    # questions

    @property
    def room(self) -> int:
        """Descriptors that are free: chains of one that can be posted."""
        return len(self._free)

    @property
    def outstanding(self) -> int:
        """Chains that the device has and has not given back."""
        return self.posted - self.used

    @property
    def pending(self) -> int:
        """Chains that the device says it has used and `reap` has not looked at."""
        return 0 if self.fault else min(distance(self.used, self._used_index[0]), self.outstanding)

    def outstanding_tokens(self) -> list[int]:
        """What the device holds, in no order."""
        return [token for token in self._tokens if token != _NOT_POSTED]

    # giving to the device

    def post(self, address: int, length: int, writable: bool, token: int) -> None:
        """Post one buffer; there must be `room`, and the device owns it until `reap` returns the token."""
        head = self._free.pop()
        descriptors = self._descriptors
        descriptors[2 * head] = address
        if writable:
            descriptors[2 * head + 1] = length | _WRITE
            self._writable[head] = length
        else:
            descriptors[2 * head + 1] = length
            self._writable[head] = 0
        self._tokens[head] = token
        self._available_ring[self.posted & self._mask] = head
        self.posted += 1

    def post_chain(self, readable: Sequence[Segment], writable: Sequence[Segment], token: int) -> bool:
        """Post several buffers as one chain, the readable ones first (virtio 1.2 §2.7.4.2).

        It takes one descriptor where indirect ones were negotiated, else one
        for each; False when there are not so many.
        """
        count = len(readable) + len(writable)
        if not 1 <= count <= self._mask + 1:
            raise UsageError(f"ring: a chain of {count} buffers in a ring of {self._mask + 1}")
        if self._indirect and 1 < count <= INDIRECT_ENTRIES:
            if not self._free:
                return False
            head = self._free.pop()
            table = self._tables + head * INDIRECT_ENTRIES * DESCRIPTOR_SIZE
            self._fill_table(table, count, readable, writable)
            self._descriptors[2 * head] = self._region.base + table
            self._descriptors[2 * head + 1] = count * DESCRIPTOR_SIZE | _INDIRECT
        else:
            if count > len(self._free):
                return False
            rest = [self._free.pop() for _ in range(count - 1)]
            head = self._free.pop()
            self._fill(head, rest, readable, writable)
            self._rest[head] = rest
        self._writable[head] = sum(length for _, length in writable) if writable else 0
        self._tokens[head] = token
        self._available_ring[self.posted & self._mask] = head
        self.posted += 1
        return True

    def _fill(
        self, place: int, following: Sequence[int], readable: Sequence[Segment], writable: Sequence[Segment]
    ) -> None:
        """Write one descriptor a segment, at `place` and on to the `following` ones."""
        words, n = self._descriptors, 0
        for segments, flags in ((readable, 0), (writable, _WRITE)):
            for address, length in segments:
                at = 2 * place
                words[at] = address
                if n < len(following):
                    place = following[n]
                    words[at + 1] = length | flags | _NEXT | place << 48
                    n += 1
                else:
                    words[at + 1] = length | flags

    def _fill_table(
        self, table: int, count: int, readable: Sequence[Segment], writable: Sequence[Segment]
    ) -> None:
        """Write an indirect table in one go: nobody reads it before its descriptor is published."""
        words: list[int] = []
        following = _NEXT | 1 << 48
        for address, length in readable:
            words += (address, length | following)
            following += 1 << 48
        for address, length in writable:
            words += (address, length | following | _WRITE)
            following += 1 << 48
        words[-1] &= _LENGTH_AND_WRITE
        _TABLES[count].pack_into(self._region.octets, table, *words)

    def publish(self) -> bool:
        """Let the device see what was posted since the last call; True when it wants to be notified."""
        old, new = self._published, self.posted
        if new == old:
            return False
        region = self._region
        if region.ordering is not None:
            region.ordering()
        self._available_index[0] = to_index(new)
        self._published = new
        if region.barrier is not None:
            region.barrier()
        if self._event_idx:
            wanted = wants_event(self._available_event[0], new, old)
        else:
            wanted = not self._used_flags[0] & VIRTQ_USED_F_NO_NOTIFY
        self.unannounced = not wanted
        return wanted

    # taking back

    def reap(self) -> list[tuple[int, int]]:
        """Take all that the device has used: `(token, octets written)` each, oldest first.

        Goes from our index to the device's one by one, whether or not anyone
        was interrupted, and however many interrupts were merged.
        """
        if self.fault is not None:
            return []
        used = self.used
        count = distance(used, self._used_index[0])
        if not count:
            return []
        if count > self.posted - used:
            return self._lie("used index jumps", f"by {count} with {self.outstanding} chains outstanding", [])
        if self._region.ordering is not None:
            self._region.ordering()
        done: list[tuple[int, int]] = []
        ring, mask, size = self._used_ring, self._mask, self._mask + 1
        tokens, writable, rest, free = self._tokens, self._writable, self._rest, self._free
        for slot in range(used, used + count):
            element = ring[slot & mask]
            head = element & 0xFFFFFFFF
            if head >= size:
                return self._lie("id out of range", f"{head} of {size}", done)
            token = tokens[head]
            if token < 0:
                return self._lie("id not posted", f"{head}, or used twice", done)
            written = element >> 32
            if written > writable[head]:
                if writable[head]:
                    return self._lie("length too long", f"{written} of {writable[head]} octets", done)
                written = 0  # nothing was writable: some devices count what they read (§2.7.8.2 says not to)
            tokens[head] = _NOT_POSTED
            more = rest[head]
            if more is not None:
                free.extend(more)
                rest[head] = None
            free.append(head)
            done.append((token, written))
        self.used = used + count
        return done

    def _lie(self, lie: str, detail: str, done: list[tuple[int, int]]) -> list[tuple[int, int]]:
        self.fault = DeviceError(lie, detail)
        self.used += len(done)
        return done

    # interrupts

    def arm(self) -> bool:
        """Ask for an interrupt when more is used; True when there is more already, and none may come."""
        if self._event_idx:
            self._used_event[0] = to_index(self.used)
        else:
            self._available_flags[0] = 0
        if self._region.barrier is not None:
            self._region.barrier()
        return self.pending > 0

    def disarm(self) -> None:
        """Ask for no more interrupts; a hint, one may still come.

        With event indices there is nothing to write: the event we named lies
        behind, and no other is told of until the index has gone round.
        """
        if not self._event_idx:
            self._available_flags[0] = VIRTQ_AVAIL_F_NO_INTERRUPT
