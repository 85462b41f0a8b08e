"""A body that is returned whole: bounded, and never there twice."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pycurl_redox.errors import FileSizeExceededError
from pycurl_redox.stream import Buffer

if TYPE_CHECKING:
    from pycurl_redox.incoming import Incoming


class Collected:
    """Takes pieces up to `max_size` octets; None is no bound."""

    def __init__(self, max_size: int | None) -> None:
        self._max_size = max_size
        self._length = 0
        self._first: bytes = b""
        self._rest: io.BytesIO | None = None

    def expect(self, incoming: Incoming) -> None:
        """Refuse a body that says by itself that it is too long."""
        expected = incoming.result.expected
        if expected is not None and not incoming.is_decoded:
            self._check(expected)

    def add(self, piece: Buffer) -> None:
        """Copy a piece."""
        self._length += len(piece)
        self._check(self._length)
        if not self._first:
            self._first = bytes(piece)
            return
        if self._rest is None:
            self._rest = io.BytesIO(self._first)
            self._rest.seek(0, io.SEEK_END)
        self._rest.write(piece)

    def take(self) -> bytes:
        """Return all of it; a BytesIO gives its buffer away without a copy."""
        return self._first if self._rest is None else self._rest.getvalue()

    def _check(self, length: int) -> None:
        if self._max_size is not None and length > self._max_size:
            raise FileSizeExceededError(
                f"body: over {self._max_size} octets (max_size); stream() takes one of any size"
            )
