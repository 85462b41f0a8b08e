"""The file of --ssl-sessions, which other commands have open as well.

Each takes a session out of the file before it uses it, so that no two use the
same, and puts what it was given beside what the others have written.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pycurl_redox.chance import random_bytes
from pycurl_redox.state_file import is_of_others, replace_secret_file
from pycurl_redox.tls_sessions import MAX_FILE, SessionStore
from tcpip.clock import wall_clock

TRIES = 100
"""How often a lock is asked for, 10 ms apart: it is held for as long as a file is written."""


class SessionFile:
    """What is wrong with the file goes to `warn`, and is no reason to fail."""

    def __init__(self, path: str, warn: Callable[[str], None]) -> None:
        self.path = path
        self._warn = warn

    def load(self, store: SessionStore) -> None:
        """Let a store have what the file holds; it asks for each session (`claim`) before it gives it out."""
        store.claims.append(self.claim)
        try:
            with self._locked(os.O_RDONLY) as octets:
                if octets is None:
                    self._warn(f"{self.path}: others may write to it: its sessions of TLS are not used")
                else:
                    self._read(store, octets)
        except FileNotFoundError:
            pass  # it will be made
        except OSError as error:
            self._warn(f"{self.path}: sessions of TLS cannot be read: {error.strerror}")

    def claim(self, identity: bytes) -> bool:
        """Take a session out of the file; False when it is there no more, or cannot be taken out."""
        try:
            with self._locked(os.O_RDONLY) as octets:
                now = SessionStore()
                self._read(now, octets or b"")
                if not now.forget(identity):
                    return False
                self._write(now)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._warn(f"{self.path}: no session of TLS can be taken out: {error.strerror}")
            return False
        return True

    def save(self, store: SessionStore) -> None:
        """Put in what a store was given since the last time."""
        try:
            with self._locked(os.O_RDONLY | os.O_CREAT) as octets:
                now = SessionStore()
                self._read(now, octets or b"")
                store.hand_on(now)
                self._write(now)
        except OSError as error:
            self._warn(f"{self.path}: sessions of TLS cannot be written: {error.strerror}")

    def _read(self, store: SessionStore, octets: bytes) -> None:
        """A damaged file is told of and set aside; what is whole of it stays."""
        line = store.load(octets, wall_clock())
        if not line:
            return
        self._warn(f"{self.path}: line {line} is no session of TLS; the file is kept as {self.path}.damaged")
        try:
            os.replace(self.path, f"{self.path}.damaged")
        except OSError as error:
            self._warn(f"{self.path}: cannot be set aside: {error.strerror}")
        else:
            self._write(store)

    def _write(self, store: SessionStore) -> None:
        replace_secret_file(self.path, store.file_octets(wall_clock(), random_bytes))

    @contextmanager
    def _locked(self, flags: int) -> Iterator[bytes | None]:
        """Hold the file, and give what is in it; None when others may have written that."""
        import fcntl

        for _ in range(TRIES):
            descriptor = os.open(self.path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a FIFO is not waited for
                os.close(descriptor)
                raise OSError(errno.EINVAL, "it is no file of its own")
            with open(descriptor, "rb") as file:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    from threading import Event

                    Event().wait(0.01)
                    continue
                if self._is_still(descriptor):
                    yield None if is_of_others(descriptor) else file.read(MAX_FILE)
                    return
        raise OSError(errno.EAGAIN, "another command does not let go of it")

    def _is_still(self, descriptor: int) -> bool:
        """Whether the path is still this file's: who writes it puts another in its place."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False
