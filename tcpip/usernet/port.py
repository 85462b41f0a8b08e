"""The guest's receive buffers: what they are, and octets to and from views that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

NetHeader = tuple[int, int, int, int, int, int]


class Port(Protocol):
    """The guest's receive buffers (`RxPort` of the software device)."""

    def rx_room(self, size: int) -> Sequence[memoryview] | None: ...

    def rx_done(self, length: int, header: NetHeader) -> None: ...


def scatter(views: Sequence[memoryview], data: bytes | bytearray | memoryview) -> None:
    """Copy `data` to views that follow each other and hold it."""
    first = views[0]
    if len(first) >= len(data):
        first[: len(data)] = data
        return
    rest = memoryview(data)
    for view in views:
        part = rest[: len(view)]
        view[: len(part)] = part
        rest = rest[len(part) :]
        if not rest:
            return


def cut(views: Sequence[memoryview], length: int) -> list[memoryview]:
    """The first `length` octets of views that follow each other."""
    out = []
    for view in views:
        if length <= 0:
            break
        out.append(view[:length])
        length -= len(view)
    return out


def skip(views: Sequence[memoryview], length: int) -> list[memoryview]:
    """All but the first `length` octets of views that follow each other."""
    out = []
    for view in views:
        if length < len(view):
            out.append(view[length:] if length > 0 else view)
        length -= len(view)
    return out
