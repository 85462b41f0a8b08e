"""From a name to a stream: the addresses in turn, the families side by side."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pycurl_redox.stream import ByteStream
from tcpip.errors import BindError, StackError, TimedOutError
from tcpip.scheduler import Signal, Task
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from pycurl_redox.dial_options import DialOptions, NameOptions
    from tcpip.wire.dns import ServiceBinding

T = TypeVar("T")
Note = Callable[[str], None]

HEAD_START = 0.2
"""Seconds until the next address is tried beside one that does not answer (RFC 8305 §8; curl's default)."""


class Endpoint(ByteStream, Protocol):
    """A stream that knows its two ends: addresses, or the names of a unix socket."""

    @property
    def remote(self) -> tuple[IpAddress | str, int]: ...
    @property
    def local(self) -> tuple[IpAddress | str, int]: ...
    def tune(self, *, nagle: bool, keepalive: float | None, probes: int | None = None) -> None: ...


def look_away(text: str) -> None:
    """A note that nobody reads."""


class NetworkLike(Protocol):
    """What the client needs of `pycurl_redox.network.Network`."""

    def now(self) -> float: ...
    def run(self, coroutine: Coroutine[Any, Any, T]) -> T: ...
    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]: ...
    async def wait_for(self, fileno: int, events: int, deadline: float | None) -> bool:
        """Wait until a descriptor of the machine is ready (`tcpip.descriptors`); False at the deadline."""
        ...

    async def resolve(
        self, name: str, family: int, deadline: float | None, options: NameOptions | None = None
    ) -> list[IpAddress]: ...
    async def services(
        self, name: str, deadline: float | None, options: NameOptions | None = None
    ) -> tuple[ServiceBinding, ...]: ...
    async def connect(
        self,
        address: IpAddress,
        port: int,
        deadline: float | None,
        options: DialOptions | None = None,
        note: Note = look_away,
    ) -> Endpoint: ...
    async def connect_local(
        self, path: str, port: int, deadline: float | None, *, is_abstract: bool
    ) -> Endpoint: ...
    def reached_by(self, address: IpAddress) -> IpAddress:
        """Which address a connection to this one comes to, where the network has names of its own."""
        ...

    def source_for(self, address: IpAddress) -> IpAddress | None:
        """Which address a server there would see; None when there is no way."""
        ...

    def close(self) -> None: ...


async def dial(
    network: NetworkLike,
    addresses: list[IpAddress],
    port: int,
    deadline: float | None,
    note: Callable[[str], None],
    head_start: float = HEAD_START,
    options: DialOptions | None = None,
    host: str = "",
) -> Endpoint:
    """Connect to the first address that answers; raises the last error when none does.

    AddressDeniedError when the user's rules let none of them pass; `host` is whose addresses they are.
    """
    if options is not None and options.policy is not None:
        from pycurl_redox.address_policy import permitted

        addresses = permitted(options.policy, network.reached_by, addresses, host, note)
    addresses = in_turn(addresses)
    if len(addresses) == 1:
        return await _attempt(network, addresses[0], port, deadline, note, options)
    return await _race(network, addresses, port, deadline, note, head_start, options)


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
    options: DialOptions | None,
) -> Endpoint:
    waiting = list(reversed(addresses))
    running: list[Task[Endpoint]] = []
    changed = Signal()

    async def attempt(address: IpAddress) -> Endpoint:
        try:
            return await _attempt(network, address, port, deadline, note, options)
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
                        if str(failure) or not isinstance(error, BindError):
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
    network: NetworkLike,
    address: IpAddress,
    port: int,
    deadline: float | None,
    note: Callable[[str], None],
    options: DialOptions | None,
) -> Endpoint:
    text = f"[{address}]" if address.version == 6 else str(address)
    note(f"  Trying {text}:{port}...")
    try:
        if options is None:
            return await network.connect(address, port, deadline)
        return await network.connect(address, port, deadline, options, note)
    except (TimedOutError, BindError):
        raise
    except StackError as error:
        from tcpip.errors import ConnectRefusedError, UnreachableError

        reason = {ConnectRefusedError: "Connection refused", UnreachableError: "Network is unreachable"}
        text = reason.get(type(error), str(error)) if port else "Connection refused"  # nobody is there
        note(f"connect to {address} port {port} failed: {text}")
        raise
