"""Memory that both sides of a ring see, and the buffers in it.

Live words (an index, a flag, an event) are written through `u16`, one store
each.  Never through `struct.pack_into`: it clears the octets before it
fills them, and the other side reads a zero in between (measured: 115 694 of
9.6 million reads).
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable

from virtio.errors import TransportError, UsageError

_CACHE_LINE = 64
_X86 = ("x86_64", "i686", "i386", "amd64")


class Region:
    """A piece of memory at a device address, handed out from front to back and never taken back in parts.

    `octets`, `u16`, `u32` and `u64` are views of the whole, so an offset
    divided by 2, 4 or 8 is an index.  `base` is the address by which the
    device knows offset 0.
    """

    def __init__(self, memory: mmap.mmap, base: int, *, fd: int = -1, shared: bool = False) -> None:
        if sys.byteorder != "little":
            raise TransportError("virtio: rings are little-endian and this machine is not")
        self._memory = memory
        self.base = base
        self.fd = fd
        self.size = len(memory)
        self.octets = memoryview(memory)
        self.u16 = self.octets.cast("H")
        self.u32 = self.octets.cast("I")
        self.u64 = self.octets.cast("Q")
        self._next = 0
        self.barrier: Callable[[], object] | None = make_barrier() if shared else None
        """Between publishing an index and reading the other side's word; None: both sides are one thread."""
        self.ordering = None if os.uname().machine in _X86 else self.barrier
        """Between filling an entry and publishing it, and between reading an index and the entry it tells of.

        None on x86, which keeps stores in order with stores and loads with loads.
        """

    @classmethod
    def anonymous(cls, size: int, base: int) -> Region:
        """Memory of this process alone, for a device in the same thread."""
        return cls(mmap.mmap(-1, _whole_pages(size)), base)

    @classmethod
    def memfd(cls, size: int, base: int) -> Region:
        """Memory that can be handed to another process; `fd` stays open until `close`."""
        fd = os.memfd_create("virtio-region", os.MFD_CLOEXEC)
        os.ftruncate(fd, _whole_pages(size))
        return cls(mmap.mmap(fd, _whole_pages(size)), base, fd=fd, shared=True)

    @classmethod
    def file(cls, path: str, offset: int, size: int, base: int) -> Region:
        """A part of a file that is another machine's memory; `offset` on a page boundary."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return cls(mmap.mmap(fd, _whole_pages(size), offset=offset), base, fd=fd, shared=True)
        except BaseException:
            os.close(fd)
            raise

    def allocate(self, size: int) -> int:
        """Take `size` octets at the next cache line and return their offset."""
        start = -(-self._next // _CACHE_LINE) * _CACHE_LINE
        if start + size > self.size:
            raise UsageError(f"region: {size} octets wanted, {self.size - start} left")
        self._next = start + size
        return start

    def close(self) -> None:
        """Let go of the memory; views that are still held elsewhere keep their octets alive."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        for view in (self.u16, self.u32, self.u64, self.octets):
            view.release()
        try:
            self._memory.close()
        except BufferError:
            pass  # a view is out; the mapping goes with it


class Buffers:
    """A fixed number of buffers of one size, side by side in a region."""

    __slots__ = ("count", "offsets", "size")

    def __init__(self, region: Region, count: int, size: int) -> None:
        start = region.allocate(count * size)
        self.count = count
        self.size = size
        self.offsets = [start + i * size for i in range(count)]


class BufferPool(Buffers):
    """Buffers for whoever comes first.

    Each belongs to the pool, or to the one who took it until he gives it
    back; giving twice is an error and makes no second owner.
    """

    __slots__ = ("_free", "_taken")

    def __init__(self, region: Region, count: int, size: int) -> None:
        super().__init__(region, count, size)
        self._free = list(range(count - 1, -1, -1))  # last given is first taken: it is still in the cache
        self._taken = bytearray(count)

    def __len__(self) -> int:
        """How many the pool owns now."""
        return len(self._free)

    def take(self) -> int:
        """Own a buffer, by its number; -1 when all are out."""
        if not self._free:
            return -1
        number = self._free.pop()
        self._taken[number] = 1
        return number

    def give(self, number: int) -> None:
        if not self._taken[number]:
            raise UsageError(f"buffer pool: {number} given back by one who does not own it")
        self._taken[number] = 0
        self._free.append(number)


def make_barrier() -> Callable[[], object]:
    """Make the full memory barrier that a ring between two processes needs.

    A side publishes its index and then reads whether the other wants to be
    told.  The processor may do the load first; then both sides see the other
    asleep, and nobody wakes anybody (virtio 1.2 §2.7.13.3.1).  On x86 taking
    a lock is a locked instruction, which orders both; elsewhere only a real
    fence does, and the C library of atomics has one.
    """
    if os.uname().machine in _X86:
        import _thread

        lock = _thread.allocate_lock()

        def locked_instruction() -> None:
            lock.acquire()
            lock.release()

        return locked_instruction
    import ctypes

    try:
        fence = ctypes.PyDLL("libatomic.so.1").atomic_thread_fence
    except (OSError, AttributeError) as error:
        raise TransportError(
            "virtio: sharing a ring on this machine needs libatomic.so.1 (libatomic1)"
        ) from error
    sequentially_consistent = 5
    return lambda: fence(sequentially_consistent)


def _whole_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
