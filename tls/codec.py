"""The presentation language of TLS (RFC 8446 §3): integers and vectors, read within bounds.

Nesting in the code is nesting on the wire, and what is left over is an error:

    with reader.block(2) as extensions:
        while extensions.remaining:
            ...
"""

from __future__ import annotations

from functools import lru_cache
from typing import Self

from .alerts import Alert
from .errors import PeerMisbehavedError


class Reader:
    """Reads one structure from front to back; every complaint is a decode_error that starts with its name."""

    __slots__ = ("_end", "_position", "data", "name")

    def __init__(self, data: bytes, name: str, position: int = 0, end: int = -1) -> None:
        self.data = data
        self.name = name
        self._position = position
        self._end = len(data) if end < 0 else end

    @property
    def remaining(self) -> int:
        return self._end - self._position

    def uint(self, size: int) -> int:
        """Read an unsigned integer of so many octets."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """Read so many octets."""
        start = self._position
        if size > self._end - start:
            raise self.error(f"ends short: {size} octets wanted, {self._end - start} left")
        self._position = start + size
        return self.data[start : start + size]

    def vector(self, size: int, minimum: int = 0) -> bytes:
        """Read a vector of octets whose length takes `size` octets."""
        length = self.uint(size)
        if length < minimum:
            raise self.error(f"vector too short: {length} octets, at least {minimum}")
        return self.take(length)

    def block(self, size: int, minimum: int = 0) -> Reader:
        """Read a vector of structures; used in a `with`, it must be read to its end."""
        length = self.uint(size)
        if length < minimum:
            raise self.error(f"vector too short: {length} octets, at least {minimum}")
        if length > self.remaining:
            raise self.error(f"ends short: {length} octets wanted, {self.remaining} left")
        inner = Reader(self.data, self.name, self._position, self._position + length)
        self._position += length
        return inner

    def expect_end(self) -> None:
        """Complain about octets that are left over."""
        if self._position != self._end:
            raise self.error(f"trailing octets: {self._end - self._position}")

    def error(self, what: str) -> PeerMisbehavedError:
        return PeerMisbehavedError(f"{self.name}: {what}", Alert.DECODE_ERROR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.expect_end()


def vector(size: int, data: bytes) -> bytes:
    """Build a vector: its length in `size` octets, then the octets."""
    return len(data).to_bytes(size, "big") + data


@lru_cache(maxsize=64)  # the lists of a config are the same in each hello
def uint16_list(values: tuple[int, ...]) -> bytes:
    """Build the items of a list of 16-bit codes, without the list's length."""
    return b"".join(value.to_bytes(2, "big") for value in values)
