"""A `Network` in memory: scripted connections, and time that jumps when nobody has anything to do."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from pycurl_redox.dial import Note, look_away
from pycurl_redox.dial_options import DialOptions, NameOptions
from pycurl_redox.stream import Buffer
from tcpip.errors import ConnectRefusedError, NameNotFoundError, PeerResetError, TimedOutError
from tcpip.scheduler import Scheduler, Signal, Task
from tcpip.wire.address import IpAddress

T = TypeVar("T")

SILENCE = None
"""In a script: nothing comes until the reader's deadline has passed."""
RESET = "reset"
"""In a script: the peer breaks the connection off."""

Script = Sequence[bytes | str | None]


class MemoryNetwork:
    """Each connection plays the next script; one that is None refuses."""

    def __init__(self, *scripts: Script | None, names: dict[str, list[str]] | None = None) -> None:
        self._scripts = list(scripts)
        self._names = names or {"a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"], "proxy.test": ["192.0.2.9"]}
        self._scheduler = Scheduler()
        self._now = 1000.0
        self.streams: list[MemoryStream] = []
        self.dialled: list[tuple[str, int]] = []
        self.options: list[DialOptions | None] = []
        self.is_closed = False

    def now(self) -> float:
        return self._now

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        return self._scheduler.spawn(coroutine)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = self.spawn(coroutine)
        while not task.is_done:
            if not self._scheduler.run_ready():
                deadline = self._scheduler.next_timeout()
                assert deadline is not None, "everybody waits, and for nothing"
                self._now = max(self._now, deadline)
                self._scheduler.handle_timeout(self._now)
        return task.result

    def close(self) -> None:
        self.is_closed = True

    async def wait_for(self, fileno: int, events: int, deadline: float | None) -> bool:
        return True

    async def resolve(
        self, name: str, family: int, deadline: float | None, options: NameOptions | None = None
    ) -> list[IpAddress]:
        if name not in self._names:
            raise NameNotFoundError(f"DNS: {name}: no such name")
        return [IpAddress.parse(text) for text in self._names[name]]

    async def services(self, name: str, deadline: float | None, options: object = None) -> tuple[()]:
        return ()

    async def connect(
        self,
        address: IpAddress,
        port: int,
        deadline: float | None,
        options: DialOptions | None = None,
        note: Note = look_away,
    ) -> MemoryStream:
        self.options.append(options)
        self.dialled.append((str(address), port))
        assert self._scripts, f"a connection more than scripted, to {address}"
        script = self._scripts.pop(0)
        if script is None:
            raise ConnectRefusedError("TCP: refused")
        if not script or script[0] != "slow":
            self.streams.append(MemoryStream(self, script, (address, port)))
            return self.streams[-1]
        await Signal().wait(deadline)
        raise TimedOutError("TCP: no answer")

    async def connect_local(
        self, path: str, port: int, deadline: float | None, *, is_abstract: bool
    ) -> MemoryStream:
        raise ConnectRefusedError("No such file or directory")

    def reached_by(self, address: IpAddress) -> IpAddress:
        return address

    def source_for(self, address: IpAddress) -> IpAddress | None:
        return address


class MemoryStream:
    """One scripted connection; `sent` is what the client wrote."""

    def __init__(self, network: MemoryNetwork, script: Script, remote: tuple[IpAddress, int]) -> None:
        self._network = network
        self._script = list(script)
        self.sent = bytearray()
        self.remote = remote
        self.local = (IpAddress.parse("192.0.2.100"), 50_000)
        self.is_closed = False

    def tune(self, *, nagle: bool, keepalive: float | None, probes: int | None = None) -> None:
        self.tuned = (nagle, keepalive, probes)

    @property
    def is_stale(self) -> bool:
        return self.is_closed or not self._script

    async def read(self, deadline: float | None) -> Buffer:
        assert not self.is_closed, "read after close"
        if not self._script:
            return b""
        step = self._script.pop(0)
        if step == RESET:
            raise PeerResetError("TCP: reset by the peer")
        if step is SILENCE:
            await Signal().wait(deadline)
            raise TimedOutError("TCP: nothing in time")
        assert isinstance(step, bytes)
        return step

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        for piece in pieces:
            self.sent += piece

    async def close(self, deadline: float | None) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True
