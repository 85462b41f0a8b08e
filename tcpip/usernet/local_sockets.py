"""Sockets of the host that lead to programs of the same host: unix(7), by a path or an abstract name.

They pass no ring and no stack.  Like those of `sockets.py` they never wait,
and are watched edge-triggered through one epoll descriptor.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Sequence

MAX_PATH = 107
"""Octets of a path: those of `sun_path`, without its NUL."""
_READ_SIZE = 256 * 1024
_MAX_EVENTS = 64
_EDGES = 0x0001 | 0x2000 | 0x0004 | 1 << 31  # EPOLLIN, EPOLLRDHUP, EPOLLOUT, EPOLLET

Buffer = bytes | bytearray | memoryview


class LocalSocket:
    """A connection, non-blocking."""

    __slots__ = ("_socket", "fileno")

    def __init__(self, host_socket: socket.socket) -> None:
        self._socket = host_socket
        self.fileno = host_socket.fileno()

    def receive(self) -> bytes | None:
        """Read what is there; empty at the end of the stream, None: nothing now.  OSError when it broke."""
        try:
            return self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return None

    def send(self, data: Buffer) -> int:
        """Hand octets to the kernel; returns how many it took."""
        try:
            return self._socket.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    @property
    def has_news(self) -> bool:
        """There is something to read, the end or an error included."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        self._socket.close()


class LocalSockets:
    """Opens such sockets and watches them all."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    @property
    def fileno(self) -> int:
        """Readable whenever `poll` has something to tell."""
        return self._epoll.fileno()

    def poll(self) -> Sequence[int]:
        """Descriptors to which something happened since the last call."""
        return [fileno for fileno, _ in self._epoll.poll(0, _MAX_EVENTS)]

    def connect(self, path: str, *, is_abstract: bool) -> LocalSocket | None:
        """Connect; None when the listener's backlog is full now, OSError when there is no way."""
        octets = os.fsencode(path)
        if len(octets) > MAX_PATH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # No path at all is the abstract name of no octets, to which nobody listens.
            new.connect(b"\0" + octets if is_abstract or not octets else octets)
            self._epoll.register(new.fileno(), _EDGES)
        except BlockingIOError:
            new.close()
            return None
        except BaseException:
            new.close()
            raise
        return LocalSocket(new)

    def close(self) -> None:
        self._epoll.close()
