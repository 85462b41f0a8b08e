"""Streams to programs of the same machine, beside the stack: `ByteStream`s over unix sockets.

One `LocalStreams` of a host is a source of its loop (`Host.add_source`), so
that they are waited for where everything is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

from tcpip.device import Buffer
from tcpip.errors import (
    ConnectionAbortedError,
    ConnectRefusedError,
    PeerResetError,
    TimedOutError,
    UnreachableError,
)
from tcpip.scheduler import Signal
from tcpip.usernet.local_sockets import MAX_PATH, LocalSocket, LocalSockets

__all__ = ["MAX_PATH", "LocalStream", "LocalStreams"]

BACKLOG_PAUSE = 0.01
"""Seconds until a listener whose backlog is full is asked again: the kernel does not tell when it is not."""


class LocalStreams:
    """All streams of a host to programs beside it; a `tcpip.host.Source`."""

    def __init__(self) -> None:
        self._sockets = LocalSockets()
        self._streams: dict[int, LocalStream] = {}

    @property
    def fileno(self) -> int:
        return self._sockets.fileno

    def service(self) -> bool:
        happened = self._sockets.poll()
        for fileno in happened:
            stream = self._streams.get(fileno)
            if stream is not None:
                stream.changed.fire()
        return bool(happened)

    def close(self) -> None:
        for stream in list(self._streams.values()):
            stream.abort()
        self._sockets.close()

    async def connect(
        self, path: str, *, is_abstract: bool, port: int, now: Callable[[], float], deadline: float | None
    ) -> LocalStream:
        """Open a stream; a `StackError` says why not, TimedOutError that the backlog stays full.

        `port` is only shown, `now` is the clock of `deadline`.
        """
        while True:
            try:
                socket = self._sockets.connect(path, is_abstract=is_abstract)
            except ConnectionRefusedError as error:
                raise ConnectRefusedError(os.strerror(errno.ECONNREFUSED)) from error
            except OSError as error:
                raise UnreachableError(error.strerror or str(error)) from error
            if socket is not None:
                return LocalStream(socket, self._streams, ("" if is_abstract else path, port))
            at = now() + BACKLOG_PAUSE
            if deadline is not None and at > deadline:
                if now() >= deadline:
                    raise TimedOutError(f"unix socket: {path} takes no more connections")
                at = deadline
            await Signal().wait(at)


class LocalStream:
    """One such stream; it has names where a connection has addresses."""

    def __init__(self, socket: LocalSocket, streams: dict[int, LocalStream], remote: tuple[str, int]) -> None:
        self._socket = socket
        self._streams = streams
        self._is_closed = False
        self.remote = remote
        self.local = ("", 0)
        self.changed = Signal()
        streams[socket.fileno] = self

    @property
    def is_stale(self) -> bool:
        return self._is_closed or self._socket.has_news

    def tune(self, *, nagle: bool, keepalive: float | None, probes: int | None = None) -> None:
        """There is nothing to be tuned: the peer is this machine."""

    async def read(self, deadline: float | None) -> Buffer:
        while True:
            self._check_open()
            try:
                data = self._socket.receive()
            except OSError as error:
                raise _broken(error) from error
            if data is not None:
                return data
            if not await self.changed.wait(deadline):
                raise TimedOutError(f"unix socket: nothing from {self.remote[0]} in time")

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while len(rest):
                self._check_open()
                try:
                    taken = self._socket.send(rest)
                except OSError as error:
                    raise _broken(error) from error
                rest = rest[taken:]
                if not taken and not await self.changed.wait(deadline):
                    raise TimedOutError(f"unix socket: {self.remote[0]} takes no more octets")

    async def close(self, deadline: float | None) -> None:
        """What was written stays in the kernel for the peer."""
        self.abort()

    def abort(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._streams.pop(self._socket.fileno, None)
            self._socket.close()
            self.changed.fire()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ConnectionAbortedError("unix socket: it is closed")


def _broken(error: OSError) -> PeerResetError | UnreachableError:
    if error.errno in (errno.ECONNRESET, errno.EPIPE):
        return PeerResetError("unix socket: the peer closed it")
    return UnreachableError(f"unix socket: {error.strerror}")
