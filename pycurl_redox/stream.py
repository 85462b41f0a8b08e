"""Streams of octets: the seam that HTTP is written against, and TLS laid over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview


class CutShortError(Exception):
    """The stream has ended without its own sign of the end: what comes to its reader may be a part only."""


class ByteStream(Protocol):
    """A connection, in order and both ways.

    Deadlines are absolute seconds of the host's clock; None waits for ever.
    Each coroutine suspends in the host's scheduler only.  Errors are those of
    the layer: `tcpip.errors.StackError`, `tls.errors.TlsError`, and
    `CutShortError` at the end of a stream that could be made to end early.
    """

    @property
    def is_stale(self) -> bool:
        """True when an idle connection is of no more use: closed, broken, or with octets nobody asked for."""
        ...

    async def read(self, deadline: float | None) -> Buffer:
        """Return at least one octet as soon as there is any; empty at the end of the stream.

        A view is good until the next call on the stream.
        """
        ...

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        """Pass octets on; returns when all are taken, not when they have arrived.

        The pieces belong to the stream from now on: nobody changes them.
        """
        ...

    async def close(self, deadline: float | None) -> None:
        """End the sending side in order and let go of the stream; a second call does nothing."""
        ...

    def abort(self) -> None:
        """Drop the connection at once, without waiting."""
        ...
