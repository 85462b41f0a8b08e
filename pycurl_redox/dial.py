"""From a name to a stream: the addresses in turn, the families side by side."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from pycurl_redox.stream import ByteStream
from tcpip.errors import StackError, TimedOutError
from tcpip.scheduler import Signal, Task
from tcpip.wire.address import IpAddress

T = TypeVar("T")

HEAD_START = 0.2
"""Seconds until the next address is tried beside one that does not answer (RFC 8305 §8; curl's default)."""


class Endpoint(ByteStream, Protocol):
    """A stream that knows its two ends."""

    @property
    def remote(self) -> tuple[IpAddress, int]: ...
    @property
    def local(self) -> tuple[IpAddress, int]: ...
    def tune(self, *, nagle: bool, keepalive: float | None) -> None: ...


class NetworkLike(Protocol):
    """What the client needs of `pycurl_redox.network.Network`."""

    def now(self) -> float: ...
    def run(self, coroutine: Coroutine[Any, Any, T]) -> T: ...
    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]: ...
    async def resolve(self, name: str, family: int, deadline: float | None) -> list[IpAddress]: ...
    async def connect(self, address: IpAddress, port: int, deadline: float | None) -> Endpoint: ...
    def close(self) -> None: ...


async def dial(
    network: NetworkLike,
    addresses: list[IpAddress],
    port: int,
    deadline: float | None,
    note: Callable[[str], None],
    head_start: float = HEAD_START,
) -> Endpoint:
    """Connect to the first address that answers; raises the last error when none does."""
    addresses = in_turn(addresses)
    if len(addresses) == 1:
        return await _attempt(network, addresses[0], port, deadline, note)
    return await _race(network, addresses, port, deadline, note, head_start)


def in_turn(addresses: list[IpAddress]) -> list[IpAddress]:
    """RFC 8305 §4: the families take turns, beginning with that of the first address."""
    first = [a for a in addresses if len(a) == len(addresses[0])]
    other = [a for a in addresses if len(a) != len(addresses[0])]
    paired = [a for pair in zip(first, other, strict=False) for a in pair]
    return paired + first[len(other) :] + other[len(first) :]


async def _race(
    network: NetworkLike,
    addresses: list[IpAddress],
    port: int,
    deadline: float | None,
    note: Callable[[str], None],
    head_start: float,
) -> Endpoint:
    waiting = list(reversed(addresses))
    running: list[Task[Endpoint]] = []
    changed = Signal()

    async def attempt(address: IpAddress) -> Endpoint:
        try:
            return await _attempt(network, address, port, deadline, note)
        finally:
            changed.fire()

    error: StackError = TimedOutError("TCP: no address answered")
    try:
        while waiting or running:
            next_start = None
            if waiting:
                running.append(network.spawn(attempt(waiting.pop())))
                next_start = network.now() + head_start if waiting else None
            while running and await changed.wait(next_start):
                for task in [task for task in running if task.is_done]:
                    running.remove(task)
                    try:
                        return task.result
                    except StackError as failure:
                        error = failure
                        next_start = network.now()  # no reason to wait any longer
                if waiting:
                    break
        raise error
    finally:
        for task in running:
            _drop(task)


def _drop(task: Task[Endpoint]) -> None:
    """Take back an attempt that lost."""
    task.cancel()
    try:
        task.result.abort()
    except BaseException:  # it never connected
        pass


async def _attempt(
    network: NetworkLike, address: IpAddress, port: int, deadline: float | None, note: Callable[[str], None]
) -> Endpoint:
    text = f"[{address}]" if address.version == 6 else str(address)
    note(f"  Trying {text}:{port}...")
    try:
        return await network.connect(address, port, deadline)
    except TimedOutError:
        raise
    except StackError as error:
        from tcpip.errors import ConnectRefusedError, UnreachableError

        reason = {ConnectRefusedError: "Connection refused", UnreachableError: "Network is unreachable"}
        note(f"connect to {address} port {port} failed: {reason.get(type(error), error)}")
        raise
