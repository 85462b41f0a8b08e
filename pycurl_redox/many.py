"""Several coroutines side by side: all at once with their results together, or a few ahead of a reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pycurl_redox.errors import FetchError
from tcpip.scheduler import Signal, Task

if TYPE_CHECKING:
    from pycurl_redox.dial import NetworkLike

T = TypeVar("T")


async def gather(
    network: NetworkLike, coroutines: list[Coroutine[Any, Any, T]], width: int, return_exceptions: bool
) -> list[T | FetchError]:
    """Run `width` of them at a time; the first failure ends them all, unless it counts as a result."""
    results: dict[int, T | FetchError] = {}
    failure: list[BaseException] = []
    left = iter(enumerate(coroutines))
    finished = Signal()

    async def work() -> None:
        try:
            for number, coroutine in left:
                results[number] = await (settled(coroutine) if return_exceptions else coroutine)
        except BaseException as error:
            failure.append(error)
            raise
        finally:
            finished.fire()

    tasks = [network.spawn(work()) for _ in range(min(len(coroutines), width))]
    try:
        while not failure and not all(task.is_done for task in tasks):
            await finished.wait(None)
    finally:
        for task in tasks:
            task.cancel()
        for coroutine in coroutines:
            coroutine.close()
    if failure:
        raise failure[0]
    return [results[number] for number in range(len(coroutines))]


async def settled(coroutine: Coroutine[Any, Any, T]) -> T | FetchError:
    """Return what a coroutine returns, or the error it ends with."""
    try:
        return await coroutine
    except FetchError as error:
        return error


class Ahead(Generic[T]):
    """Coroutines that run ahead of whoever takes their results, which come in order.

    At most `width` are begun and not yet taken: so many results are held.
    """

    def __init__(self, network: NetworkLike, width: int) -> None:
        self._network = network
        self._width = width
        self._tasks: deque[Task[T]] = deque()

    @property
    def room(self) -> int:
        """How many more may begin now."""
        return self._width - len(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    async def take(self, more: Iterable[Coroutine[Any, Any, T]]) -> T:
        """Begin these as well, and wait for the one that was begun first; raises what it raises."""
        self._tasks.extend(self._network.spawn(coroutine) for coroutine in more)
        return await self._tasks.popleft().join()

    async def cancel(self) -> None:
        """Give up what was not taken."""
        while self._tasks:
            self._tasks.popleft().cancel()
