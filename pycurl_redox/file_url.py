"""`file://` URLs as curl serves them: reading, writing, ranges, and a head of three lines that nobody sent.

Which part of a file is wanted is decided here, from -r, -C and -z; the command takes the octets as it takes
those of a response.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.compose import method_word
from tcpip.descriptors import READABLE, WRITABLE
from tcpip.errors import TimedOutError
from tcpip.scheduler import sleep_until

if TYPE_CHECKING:
    from typing import Self

    from pycurl_redox.fetch import Session
    from pycurl_redox.message import Body
    from pycurl_redox.stream import Buffer
    from pycurl_redox.transfer import Transfer

CHUNK = 64 * 1024
TURN = 0.05
"""Seconds of copying after which others have a turn: the meter, transfers beside this one."""
NOBODY_READS = 0.05
"""Seconds until a FIFO without a reader is tried again: the kernel does not tell when there is one."""
FILE_MODE = 0o644


class FileTransfer:
    """What a `file://` URL gives: taken like a response's body; errors are raised when it is opened."""

    is_unmet = False
    is_ready = True
    head = None

    def __init__(self, session: Session) -> None:
        self._session = session
        self._transfer = session.transfer
        self._file: int | None = None
        self._left: int | None = None
        self._given = 0
        self._is_regular = True
        """Ready at any time, which cannot be waited for."""
        self._number = -1
        self.is_finished = False
        self.result = session.transfer.result
        self.result.local = ("", -1)
        self.result.method = method_word(session.transfer)
        self._turn_ends = session.began + TURN

    async def begin(self) -> Self:
        """Open the file; write it, where it is an upload."""
        try:
            await self._begin()
        except BaseException as error:
            failure = self._session.translated(error)
            self._say(failure)
            raise failure from error
        return self

    async def read(self) -> bytes:
        """Return the next octets, empty at the end."""
        if self.is_finished:
            return b""
        self.result.downloaded += self._given  # what came before has been written by now
        self._given = 0
        size = CHUNK if self._left is None else min(CHUNK, self._left)
        try:
            data = await self._read(size) if size else b""
        except TimedOutError as error:
            raise self._session.translated(error) from error
        except IsADirectoryError:
            data = b""  # a folder is an empty file to curl
        except OSError as error:
            raise errors.ReceiveFailedError(f"Failed reading the file: {error.strerror}") from error
        if not data:
            self.close()
            return b""
        if self._left is not None:
            self._left -= len(data)
        if not self.result.start_transfer:
            self._session.mark("start_transfer")
        self._given = len(data)
        return data

    async def _read(self, size: int) -> bytes:
        """Wait for what a FIFO, a terminal or the like may have, and read it."""
        if self._file is None:
            return b""
        while True:
            await self._give_way(self._file, READABLE)
            try:
                return os.read(self._file, size)
            except BlockingIOError:
                continue  # somebody else was faster

    async def _give_way(self, file: int, events: int) -> None:
        """Wait until a descriptor is ready, and let others have a turn; TimedOutError at the deadline."""
        session = self._session
        session.check_time()
        if not self._is_regular:
            await session.network.wait_for(file, events, session.deadline)
            session.check_time()
        now = session.network.now()
        if now >= self._turn_ends:
            await sleep_until(now)
            self._turn_ends = session.network.now() + TURN

    def close(self) -> None:
        """Let go of the file; what was not read stays unread."""
        if not self.is_finished:
            self._session.mark("total")
            self._say(None)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # ---- before the first octet

    async def _begin(self) -> None:
        path = file_path(self._transfer)
        if self._transfer.method == "PUT":
            self._number = self._session.fetcher.pool.next_number()
            await self._upload(path)
        else:
            self._open(path)

    def _open(self, path: bytes) -> None:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise errors.FileUrlError(f"Couldn't open file {os.fsdecode(path)}") from error
        self._number = self._session.fetcher.pool.next_number()
        self._session.observer.transfer_began()
        self._session.mark("pre_transfer")
        status = os.fstat(self._file)
        self._is_regular = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
        size = None if os.path.isdir(path) else status.st_size
        wanted_range = self._wanted_range()
        if wanted_range is None and self._is_old(int(status.st_mtime)):
            self.is_unmet = True
            self._left = 0
            return
        self._show_head(size, int(status.st_mtime))
        self.result.expected = size
        if self._transfer.method == "HEAD":
            self._left = 0
        elif wanted_range is not None:
            self._seek(size or 0, *read_range(wanted_range))

    def _wanted_range(self) -> str | None:
        resumed = self._transfer.resume_from
        return f"{resumed}-" if resumed else self._transfer.config.range

    def _seek(self, size: int, start: int, length: int) -> None:
        """Go to where the range begins; a negative start counts from the end."""
        assert self._file is not None
        if start < 0:
            start += size
        if start > size:
            raise errors.ResumeError("failed to resume file:// transfer")
        if start < 0:
            raise errors.ResumeError()
        if start:
            os.lseek(self._file, start, os.SEEK_SET)
        self._left = length or None
        if length or start < size:
            self.result.expected = length or size - start

    def _is_old(self, modified: int) -> bool:
        """-z, with the file's own time."""
        config = self._transfer.config
        if not config.time_condition or not config.condition_time:
            return False
        if config.time_condition == "if-unmodified-since":
            is_unmet, word = modified >= config.condition_time, "old"
        else:
            is_unmet, word = modified <= config.condition_time, "new"
        if is_unmet:
            self._session.observer.note(f"The requested document is not {word} enough")
        return is_unmet

    def _show_head(self, size: int | None, modified: int) -> None:
        from pycurl_redox.dates import http_date

        lines = []
        if size is not None:
            lines += [b"Content-Length: %d\r\n" % size, b"Accept-ranges: bytes\r\n"]
        lines.append(b"Last-Modified: %s\r\n" % http_date(modified).encode("ascii"))
        self.result.file_modified = modified
        if self._transfer.method != "HEAD":
            lines.append(b"\r\n")
        for line in lines:
            self._session.observer.file_header(line)

    # ---- -T

    async def _upload(self, path: bytes) -> None:
        body = self._transfer.body
        assert body is not None
        config = self._transfer.config
        appends = bool(config.continue_at)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        flags |= os.O_APPEND if appends else os.O_TRUNC
        mode = config.create_file_mode or FILE_MODE
        try:
            file = await self._open_for_writing(path, flags, mode)
        except OSError as error:
            raise errors.WriteFailedError(f"Can't open {os.fsdecode(path)} for writing") from error
        self.result.to_upload = None  # the meter begins before anyone has asked for the size
        self._session.observer.transfer_began()
        self.result.to_upload = body.length
        self._session.mark("pre_transfer")
        try:
            # `-C -` goes on behind what is there; a number was taken off by the body itself.
            status = os.fstat(file)
            self._is_regular = stat.S_ISREG(status.st_mode)
            await self._copy(body, file, status.st_size if config.continue_at == -1 else 0)
        except OSError as error:
            raise errors.SendFailedError(f"Failed writing the file: {error.strerror}") from error
        finally:
            os.close(file)
        self._left = 0

    async def _open_for_writing(self, path: bytes, flags: int, mode: int) -> int:
        """Open the file; a FIFO when somebody reads it."""
        session = self._session
        while True:
            try:
                return os.open(path, flags, mode)
            except OSError as error:
                if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
                    raise
            await sleep_until(session.network.now() + NOBODY_READS)
            session.check_time()

    async def _copy(self, body: Body, file: int, skip: int) -> None:
        while len(data := await self._read_body(body)):
            rest = memoryview(data)[skip:]
            skip = max(0, skip - len(data))
            while len(rest):
                await self._give_way(file, WRITABLE)
                try:
                    written = os.write(file, rest)
                except BlockingIOError:
                    continue
                rest = rest[written:]
                self.result.uploaded += written

    async def _read_body(self, body: Body) -> Buffer:
        if body.source is not None:
            await self._session.network.wait_for(body.source, READABLE, self._session.deadline)
            self._session.check_time()
        return body.read(CHUNK)

    def _say(self, error: BaseException | None) -> None:
        """Tell -v how it ended, once."""
        self.is_finished = True
        observer = self._session.observer
        if isinstance(error, errors.FetchError) and str(error) != error.default_text:
            observer.note(str(error))
        observer.transfer_ended()
        observer.note(f"Closing connection {self._number}")


def file_path(transfer: Transfer) -> bytes:
    """Return the path that a URL means, as octets."""
    from pycurl_redox.url import unquote

    path = unquote(transfer.url.path)
    if b"\0" in path:
        raise errors.UrlError()
    return path


def read_range(text: str) -> tuple[int, int]:
    """Read what -r says: where to begin, negative from the end, and how many octets, 0 for all that follow.

    More than one range, and what is no number, is taken as curl takes it.
    """
    first, rest = _number(text)
    last, _ = _number(rest.lstrip(" \t-"))
    if first is not None and last is None:
        return first, 0
    if first is None and last is not None:
        return -last, last
    first, last = first or 0, last or 0
    if first > last:
        raise errors.RangeError()
    return first, last - first + 1


def _number(text: str) -> tuple[int | None, str]:
    text = text.lstrip(" \t")
    digits = len(text) - len(text.lstrip("0123456789"))
    if not digits:
        return None, text
    if digits > 19:
        raise errors.RangeError()
    return int(text[:digits]), text[digits:]
