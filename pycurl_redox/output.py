"""Where the command puts what it receives: files, made when the first octet comes, or stdout."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO, cast

from pycurl_redox import errors
from pycurl_redox.stream import Buffer

if TYPE_CHECKING:
    from pycurl_redox.draft import Draft

MAX_NAMES = 100
"""`file.1` to `file.99`: as many names as --no-clobber tries."""


LOOKED_AT = 2000
"""Octets of a body that decide whether it is text."""


class Output:
    """One transfer's body; `path` None is stdout."""

    def __init__(self, path: str | None, *, clobber: bool | None = None) -> None:
        self.path = path
        self.clobber = clobber
        self.appends = False
        self.name_is_from_header = False
        self.written = 0
        """Octets of this transfer that are there, since the last start."""
        self.is_starting_over = False
        """What is there is given up when something new comes, or something better."""
        self._keeps = False
        self._draft: Draft | None = None
        """What has come and is not better yet."""
        self.takes_binary = True
        """False where a terminal is spared what is no text."""
        self.has_begun = False
        """It was opened: what the file is now, this transfer has made it."""
        self._file: BinaryIO | None = None
        self._held = b""

    @property
    def is_stdout(self) -> bool:
        return self.path is None

    @property
    def is_terminal(self) -> bool:
        return self.path is None and sys.stdout.isatty()

    @property
    def is_regular(self) -> bool:
        """It is open, and a file that can be shortened."""
        file = self._file
        return file is not None and self.path is not None and stat.S_ISREG(os.fstat(file.fileno()).st_mode)

    def write(self, data: Buffer) -> None:
        """Write at once: nothing is kept back, so that an interrupt loses nothing."""
        file = self._file
        if file is None or self.is_starting_over:
            file = self.open()
        if not self.takes_binary and self.written < LOOKED_AT and self.is_terminal and b"\0" in bytes(data):
            raise BinaryOutputError()
        rest = memoryview(self._held + bytes(data) if self._held else data)
        self._held = b""
        try:
            if self._draft is not None:
                self.written += len(rest)
                self._draft = None if self._draft.write(rest) else self._draft
                return
            while len(rest):
                done = file.write(rest)
                self.written += done
                rest = rest[done:]
        except OSError as error:
            raise errors.WriteFailedError("Failure writing output to destination") from error

    def hold(self, data: bytes) -> None:
        """Write it with what comes next, or at the end: between them a reader may go away."""
        self._held += data

    def write_held(self) -> None:
        if self._held:
            self.write(b"")

    def open(self) -> BinaryIO:
        """Open the file, though there may be nothing to write; -O and -J do not write over what is there."""
        if self._file is None:
            self._file = _stdout() if self.path is None else self._create()
            self.has_begun = True
        if self.is_starting_over:
            self.is_starting_over = False
            self._begin_anew(self._file)
            self.written = 0
        return self._file

    def complete(self) -> None:
        """All of a body has come: it takes the place of any other, though that were longer."""
        self.open()
        if self._draft is not None:
            draft, self._draft = self._draft, None
            try:
                draft.take_place()
            except OSError as error:
                raise errors.WriteFailedError("Failure writing output to destination") from error

    def _begin_anew(self, file: BinaryIO) -> None:
        if self._draft is not None:
            self._draft.begin_again()
        elif self._keeps and self.path is not None and not self.appends:
            from pycurl_redox.draft import Draft

            self._draft = Draft(file, self.path, self.written)
        else:
            file.seek(-self.written, os.SEEK_CUR)
            file.truncate()

    def make_folders(self) -> None:
        """Make those of --create-dirs; FolderNotMadeError, where it is not only for want of permission."""
        if self.path is None:
            return
        made = ""
        for name in os.path.dirname(self.path.rstrip("/")).split("/"):
            made += name + "/"
            try:
                os.mkdir(made[:-1] or "/", 0o750)
            except (FileExistsError, PermissionError):
                continue  # what is wrong shows when the file is opened, as in curl
            except OSError as error:
                raise FolderNotMadeError(made[:-1], error.errno or 0) from error

    def start_over(self, *, keeps: bool) -> None:
        """Take what comes next in the place of what was written; WriteFailedError where that cannot be.

        With `keeps` only what is longer, or whole, takes it.
        """
        if not self.is_regular:
            raise errors.WriteFailedError("Failed to truncate file")
        self.is_starting_over, self._keeps = True, keeps

    def close(self) -> None:
        with contextlib.suppress(errors.WriteFailedError):
            self.write_held()
        if self._draft is not None:
            self._draft.close()
            self._draft = None
        if self._file is not None and self.path is not None:
            self._file.close()
        self._file = None

    def remove(self) -> None:
        """Take the file away again, for --remove-on-error; one that was never touched stays."""
        if self.path is not None and self.has_begun and os.path.isfile(self.path):
            os.unlink(self.path)

    def _create(self) -> BinaryIO:
        assert self.path is not None
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        keeps = self.clobber is False or (self.name_is_from_header and self.clobber is None)
        if self.appends:
            flags |= os.O_APPEND
        elif keeps:
            flags |= os.O_EXCL
        else:
            flags |= os.O_TRUNC
        return open(self._descriptor(flags), "wb", buffering=0)

    def _descriptor(self, flags: int) -> int:
        assert self.path is not None
        first = self.path
        for number in range(MAX_NAMES):
            try:
                return os.open(self.path, flags, 0o666)
            except FileExistsError:
                if self.name_is_from_header and self.clobber is None:
                    break
                self.path = f"{first}.{number + 1}"
            except OSError as error:
                raise self._refused(self.path, error.strerror or "") from error
        raise self._refused(first, "File exists")

    def _refused(self, path: str, reason: str) -> FileNotOpenError:
        error = FileNotOpenError(path, reason)
        if self.name_is_from_header:
            error.args = ("Failed writing header",)  # which is when curl opens it
        return error


class NullOutput(Output):
    """--out-null: counts what comes, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__(None)

    @property
    def is_terminal(self) -> bool:
        return False

    def write(self, data: Buffer) -> None:
        self.written += len(data)

    def hold(self, data: bytes) -> None:
        self.written += len(data)


class OutputRefusedError(errors.WriteFailedError):
    """The body has nowhere to go; carries what curl warns of."""

    def __init__(self, warning: str) -> None:
        super().__init__("Failure writing output to destination")
        self.warning = warning


class FileNotOpenError(OutputRefusedError):
    """The output file cannot be made."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"Failed to open the file {path}: {reason}")


class FolderNotMadeError(errors.WriteFailedError):
    """A folder of --create-dirs cannot be made; carries what curl says before the error, even with -s."""

    def __init__(self, path: str, number: int) -> None:
        super().__init__()
        known = {
            errno.ENAMETOOLONG: f"The directory name {path} is too long.",
            errno.EROFS: f"{path} resides on a read-only file system.",
            errno.ENOSPC: f"No space left on the file system that will contain the directory {path}.",
        }
        self.reason = known.get(number, f"Error creating directory {path}.")


class BinaryOutputError(OutputRefusedError):
    """It is no text, and would go to a terminal; the warning says it all."""

    def __init__(self) -> None:
        super().__init__(
            'Binary output can mess up your terminal. Use "--output -" to tell curl to output it to your '
            'terminal anyway, or consider "--output <FILE>" to save to a file.'
        )

    def report(self) -> str:
        return ""


def open_deaf(path: str, mode: str) -> BinaryIO:
    """Open a file for what goes beside the body, "-" for stdout: a full one ends no transfer."""
    from pycurl_redox.own_process import DeafFile

    if path != "-":
        return cast(BinaryIO, DeafFile(path, mode))
    try:
        return cast(BinaryIO, DeafFile(sys.stdout.fileno(), "w", closefd=False))
    except (OSError, ValueError):
        return sys.stdout.buffer


def _stdout() -> BinaryIO:
    """The descriptor itself: Python's buffer would hold back what has arrived."""
    try:
        return open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)
    except (OSError, ValueError):
        return sys.stdout.buffer
