"""What requests carry: octets, files, and whatever can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.stream import Buffer

if TYPE_CHECKING:
    from io import BufferedIOBase


class BytesBody:
    """Octets in memory; they are not copied, and nobody changes them while they are sent."""

    source = None

    def __init__(self, data: Buffer) -> None:
        self._view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        self._position = 0

    @property
    def length(self) -> int | None:
        return len(self._view)

    @property
    def is_at_end(self) -> bool:
        return self._position >= len(self._view)

    def __len__(self) -> int:
        return len(self._view)

    def read(self, size: int) -> Buffer:
        piece = self._view[self._position : self._position + size]
        self._position += len(piece)
        return piece

    def rewind(self) -> None:
        self._position = 0


class FileBody:
    """A file from `start` on; a pipe has no length and cannot be read twice."""

    def __init__(self, file: BufferedIOBase, length: int | None, start: int = 0) -> None:
        self._file = file
        self._length = length
        self._start = self._to_skip = start
        self._read = 0

    @property
    def source(self) -> int | None:
        """Where the file has no length somebody else may be writing it."""
        try:
            return self._file.fileno() if self._length is None else None
        except OSError:  # no file of the system's
            return None

    @property
    def length(self) -> int | None:
        return self._length

    @property
    def is_at_end(self) -> bool:
        return self._length is not None and self._read >= self._length

    def read(self, size: int) -> Buffer:
        if self._length is not None:
            size = min(size, self._length - self._read)
        try:
            if self._to_skip:
                self._skip()
            data = self._file.read1(size) if size else b""  # what is there: a pipe need not fill a piece
        except OSError as error:
            raise errors.ReadFailedError(f"read: {error.strerror}") from error
        self._read += len(data)
        if not data and self._length is not None and size:
            raise errors.ReadFailedError(f"the file ended {self._length - self._read} octets early")
        return data

    def rewind(self) -> None:
        if not self._read:
            return
        try:
            self._file.seek(self._start)
        except (OSError, ValueError) as error:
            raise errors.RewindError("seek callback returned error 2") from error
        self._read = 0

    def _skip(self) -> None:
        """Go to where we start; what a pipe gives before that is read and thrown away."""
        try:
            self._file.seek(self._start)
            self._to_skip = 0
        except (OSError, ValueError):
            while self._to_skip:
                gone = self._file.read1(min(self._to_skip, 64 * 1024))
                if not gone:
                    had = self._start - self._to_skip
                    raise errors.ReadFailedError(f"Could only read {had} bytes from the input") from None
                self._to_skip -= len(gone)


class CrlfBody:
    """Another body with CRLF for each of its LFs; where the length is known, `line_ends` were counted before.

    Deviates from curl, which announces the length before the change.
    """

    def __init__(self, body: FileBody, line_ends: int | None) -> None:
        self._body = body
        self._line_ends = line_ends

    @property
    def source(self) -> int | None:
        return self._body.source

    @property
    def length(self) -> int | None:
        length = self._body.length
        return None if length is None or self._line_ends is None else length + self._line_ends

    @property
    def is_at_end(self) -> bool:
        return self._body.is_at_end

    def read(self, size: int) -> Buffer:
        return bytes(self._body.read(max(1, size // 2))).replace(b"\n", b"\r\n")

    def rewind(self) -> None:
        self._body.rewind()


def count_line_ends(path: str, start: int) -> int:
    """Count the LFs of a file from `start` on."""
    count = 0
    with open(path, "rb") as file:
        file.seek(start)
        while block := file.read(1024 * 1024):
            count += block.count(b"\n")
    return count


class IterableBody:
    """Chunks as a program makes them; `make` gives a fresh iterator where they may be sent again."""

    source = None

    def __init__(
        self, make: Callable[[], Iterable[Buffer]] | Iterable[Buffer], length: int | None = None
    ) -> None:
        self._make = make
        self._length = length
        self._iterator: Iterator[Buffer] | None = None
        self._rest: Buffer = b""
        self._read = 0

    @property
    def length(self) -> int | None:
        return self._length

    @property
    def is_at_end(self) -> bool:
        return self._length is not None and self._read >= self._length

    def read(self, size: int) -> Buffer:
        if self._iterator is None:
            self._iterator = iter(self._make() if callable(self._make) else self._make)
        while not len(self._rest):
            try:
                self._rest = next(self._iterator)
            except StopIteration:
                if self._length is not None and self._read < self._length:
                    raise errors.ReadFailedError("the body ended before its length") from None
                return b""
        view = memoryview(self._rest)
        piece, self._rest = view[:size], view[size:]
        self._read += len(piece)
        if self._length is not None and self._read > self._length:
            raise errors.ReadFailedError("the body is longer than its length")
        return piece

    def rewind(self) -> None:
        if self._iterator is None:
            return
        if not callable(self._make):
            raise errors.RewindError("Cannot rewind mime/post data")
        self._iterator, self._rest, self._read = None, b"", 0
