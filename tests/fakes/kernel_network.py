"""A `Network` over the kernel's sockets: the client runs on it without a stack of our own."""

from __future__ import annotations

import collections
import os
import select
import socket
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from pycurl_redox.stream import Buffer
from tcpip.errors import (
    ConnectRefusedError,
    NameNotFoundError,
    PeerResetError,
    TimedOutError,
    UnreachableError,
)
from tcpip.scheduler import Scheduler, Signal, Task
from tcpip.wire.address import IpAddress

T = TypeVar("T")
READ_SIZE = 256 * 1024


class KernelNetwork:
    def __init__(self) -> None:
        self._scheduler = Scheduler()
        self._poll = select.poll()
        self._streams: dict[int, KernelStream] = {}
        self._lock = threading.RLock()

    def now(self) -> float:
        return time.monotonic()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = self.spawn(coroutine)
        try:
            while not task.is_done:
                with self._lock:
                    self._scheduler.run_ready()
                    if not task.is_done:
                        self._wait()
        except BaseException:
            task.cancel()
            raise
        return task.result

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        with self._lock:
            return self._scheduler.spawn(coroutine)

    def close(self) -> None:
        self._scheduler.cancel_all()
        for stream in list(self._streams.values()):
            stream.abort()

    async def wait_for(self, fileno: int, events: int, deadline: float | None) -> bool:
        return True

    async def resolve(
        self, name: str, family: int, deadline: float | None, options: object = None
    ) -> list[IpAddress]:
        wanted = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}[family]
        if name == "localhost" or name.endswith(".localhost"):
            loopback = [IpAddress.parse("127.0.0.1")] if family != 6 else []
            return loopback + ([IpAddress.parse("::1")] if family != 4 else [])
        try:
            found = socket.getaddrinfo(name, None, wanted, socket.SOCK_STREAM)
        except OSError as error:
            raise NameNotFoundError(f"DNS: {name}: {error}") from error
        return [IpAddress(socket.inet_pton(f, str(a[0]).partition("%")[0])) for f, _, _, _, a in found]

    async def services(self, name: str, deadline: float | None, options: object = None) -> tuple[()]:
        return ()

    async def connect(
        self,
        address: IpAddress,
        port: int,
        deadline: float | None,
        options: object = None,
        note: object = None,
    ) -> KernelStream:
        sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = KernelStream(self, sock)
        try:
            try:
                sock.connect((str(address), port))
            except BlockingIOError:
                await stream.wait_for(select.POLLOUT, deadline, "connect")
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
        except OSError as error:
            stream.abort()
            kind = ConnectRefusedError if isinstance(error, ConnectionRefusedError) else UnreachableError
            raise kind(str(error)) from error
        except BaseException:
            stream.abort()
            raise
        peer, own = sock.getpeername(), sock.getsockname()
        stream.remote = (IpAddress.parse(peer[0]), peer[1])
        stream.local = (IpAddress.parse(own[0]), own[1])
        return stream

    async def connect_local(
        self, path: str, port: int, deadline: float | None, *, is_abstract: bool
    ) -> KernelStream:
        raise UnreachableError("no unix sockets here")

    def reached_by(self, address: IpAddress) -> IpAddress:
        return address

    def source_for(self, address: IpAddress) -> IpAddress | None:
        return address

    def _wait(self) -> None:
        scheduler = self._scheduler
        wait: float | None = 0.05
        deadline = scheduler.next_timeout()
        if scheduler.has_ready:
            wait = 0
        elif deadline is not None:
            wait = min(wait or 0, max(0.0, deadline - self.now()))
        for descriptor, _ in self._poll.poll(wait * 1000 if wait is not None else None):
            stream = self._streams.get(descriptor)
            if stream is not None:
                stream.wake()
        scheduler.handle_timeout(self.now())


class KernelStream:
    """A kernel TCP connection as a `ByteStream`."""

    def __init__(self, network: KernelNetwork, sock: socket.socket) -> None:
        self._network = network
        self._socket: socket.socket | None = sock
        self._number = sock.fileno()
        self._wanted: collections.Counter[int] = collections.Counter()
        self._signal = Signal()
        network._streams[self._number] = self
        self.remote: tuple[IpAddress, int] = (IpAddress(bytes(4)), 0)
        self.local: tuple[IpAddress, int] = (IpAddress(bytes(4)), 0)

    def tune(self, *, nagle: bool, keepalive: float | None, probes: int | None = None) -> None:
        """The kernel's own settings will do."""

    @property
    def is_stale(self) -> bool:
        if self._socket is None:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    async def read(self, deadline: float | None) -> Buffer:
        while self._socket is not None:
            try:
                return self._socket.recv(READ_SIZE)
            except BlockingIOError:
                await self.wait_for(select.POLLIN, deadline, "read")
            except OSError as error:
                raise PeerResetError(str(error)) from error
        raise PeerResetError("the stream is closed")

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        for piece in pieces:
            rest = memoryview(piece).cast("B") if len(piece) else memoryview(b"")
            while len(rest):
                if self._socket is None:
                    raise PeerResetError("the stream is closed")
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    await self.wait_for(select.POLLOUT, deadline, "write")
                except OSError as error:
                    raise PeerResetError(str(error)) from error

    async def close(self, deadline: float | None) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        self.abort()

    def abort(self) -> None:
        if self._socket is not None:
            try:
                self._network._poll.unregister(self._number)
            except KeyError:
                pass
            del self._network._streams[self._number]
            self._socket.close()
            self._socket = None
            self._signal.fire()

    def wake(self) -> None:
        self._signal.fire()

    async def wait_for(self, event: int, deadline: float | None, what: str) -> None:
        self._wanted[event] += 1
        self._register()
        try:
            if not await self._signal.wait(deadline):
                raise TimedOutError(f"TCP: {what} timed out")
        finally:
            self._wanted[event] -= 1
            if self._socket is not None:
                self._register()

    def _register(self) -> None:
        events = sum(event for event, count in self._wanted.items() if count)
        try:
            if events:
                self._network._poll.register(self._number, events)
            else:
                self._network._poll.unregister(self._number)
        except KeyError:
            pass
