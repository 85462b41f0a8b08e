"""Another try at a body of which part is on disk already: what is there is not given up for less.

While the octets of the try are those that are there, nothing is written.
Where they begin to differ they go to a nameless file beside it, and from
there to the place of what is there, once they are more, or are the whole.
"""

from __future__ import annotations

import os
import signal
import tempfile
from typing import BinaryIO, cast

from pycurl_redox.stream import Buffer

PIECE = 1 << 20


class Draft:
    """A try that stands back until it is worth more; `held` octets of an earlier one end where `file` is."""

    def __init__(self, file: BinaryIO, path: str, held: int) -> None:
        self._file = file
        self._path = path
        self._start = file.tell() - held
        self.held = held
        self.length = 0
        self._same = 0
        """Octets, of the first, that are those on disk."""
        self._there: BinaryIO | None = _reader(path, file)
        self._aside: BinaryIO | None = None

    def write(self, data: Buffer) -> bool:
        """Take what comes next; True when the draft has taken its place, and is over."""
        rest = memoryview(data)
        self.length += len(rest)
        if self._aside is None:
            same = self._count_same(rest)
            self._same += same
            rest = rest[same:]
            if self.length > self.held == self._same:
                self._put(rest)
                return True
        if len(rest):
            if self._aside is None:
                self._aside = _nameless(self._path)
            self._aside.write(rest)
        if self.length <= self.held:
            return False
        self.take_place()
        return True

    def take_place(self) -> None:
        """Put it where the earlier try was: it is longer, or whole."""
        # What is half one try and half another is worse than either: no interrupt comes in between.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            self._file.seek(self._start + self._same)
            if self._aside is not None:
                self._aside.seek(0)
                while piece := self._aside.read(PIECE):
                    _write_all(self._file, piece)
            self._file.truncate()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self.close()

    def begin_again(self) -> None:
        """Forget this try for another one."""
        if self._aside is not None:
            self._aside.close()
            self._aside = None
        self.length = self._same = 0

    def close(self) -> None:
        """Forget it: what was there stays."""
        self.begin_again()
        if self._there is not None:
            self._there.close()
            self._there = None

    def _count_same(self, data: memoryview) -> int:
        """Say how many octets of what comes next are those on disk."""
        if self._there is None:
            return 0
        size = min(len(data), self.held - self._same)
        there = os.pread(self._there.fileno(), size, self._start + self._same)
        if there == data[: len(there)]:
            return len(there)
        return next(at for at, octet in enumerate(there) if octet != data[at])

    def _put(self, rest: memoryview) -> None:
        """It has passed the earlier try, whose octets all are its own."""
        self._file.seek(self._start + self.held)
        self.close()
        _write_all(self._file, rest)


def _reader(path: str, file: BinaryIO) -> BinaryIO | None:
    """Open the file a second time, for reading; None where it cannot be, or is another by now."""
    try:
        there = open(path, "rb", buffering=0)  # noqa: SIM115 - closed in `close`
    except OSError:
        return None
    if os.path.samestat(os.fstat(there.fileno()), os.fstat(file.fileno())):
        return there
    there.close()
    return None


def _nameless(path: str) -> BinaryIO:
    """Return a file that is gone when it is closed: beside the other one if that can be."""
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=os.path.dirname(path) or "."))
    except OSError:
        return cast(BinaryIO, tempfile.TemporaryFile())


def _write_all(file: BinaryIO, data: Buffer) -> None:
    rest = memoryview(data)
    while len(rest):
        rest = rest[file.write(rest) :]
