"""Free-running ring indices: 16 bits that wrap (virtio 1.2 §2.7.6, §2.7.8).

Each side counts its own ring in a plain integer that never wraps, and cuts
it to 16 bits where it goes to shared memory.  All that has to know about the
wrap is in this file.
"""

from __future__ import annotations

_MASK = 0xFFFF


def to_index(count: int) -> int:
    """Cut a count to the index that goes into the ring."""
    return count & _MASK


def distance(count: int, index: int) -> int:
    """How far `index`, read from the other side, is ahead of our `count`: 0 to 65 535."""
    return (index - count) & _MASK


def wants_event(event: int, new: int, old: int) -> bool:
    """Tell whether moving the index from `old` to `new` passes entry `event` (virtio 1.2 §2.7.10).

    `event` is the index of the entry whose completion shall be told about,
    so reaching `event + 1` is what counts.
    """
    return (new - event - 1) & _MASK < (new - old) & _MASK
