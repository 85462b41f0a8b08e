"""A body of the library's that is read as it comes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pycurl_redox import errors
from pycurl_redox.collected import Collected

if TYPE_CHECKING:
    from pycurl_redox.incoming import Incoming
    from pycurl_redox.response import Response
    from pycurl_redox.stream import Buffer

Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine on the network's loop, for a thread that waits for it."""

READ_AHEAD = 1 << 20
"""Octets of a streamed body that are taken at once, if they are there."""


class StreamedResponse:
    """A response whose body is read piece by piece, by one reader at a time."""

    def __init__(self, run: Run, response: Response, incoming: Incoming, max_size: int | None = None) -> None:
        self._run = run
        self._max_size = max_size
        self._incoming = incoming
        self._failure: errors.FetchError | None = None
        self._is_reading = False
        self.is_of_coroutine = True
        """Made by `stream_async`: its `close` is called on the loop, and must not wait for a turn."""
        self.response = response
        self.status = response.status
        self.headers = response.headers
        self.url = response.url

    def iter_bytes(self) -> Iterator[bytes]:
        """Go through the body as it arrives."""
        while True:
            for piece in self._run(self._next_pieces()):
                if not piece:
                    return
                yield piece

    def __iter__(self) -> Iterator[bytes]:
        return self.iter_bytes()

    async def read_async(self) -> Buffer:
        """Return the next piece, empty at the end; good until the next call."""
        if self._is_reading:
            raise errors.UsageError("this response is being read already")
        self._is_reading = True
        try:
            return await self._incoming.read()
        finally:
            self._is_reading = False

    async def _next_pieces(self) -> list[bytes]:
        """Wait for a piece, and take what is there besides: each hand-over to the loop costs a turn of it.

        Copied before anybody else may ask for the next one.
        """
        if self._failure is not None:
            raise self._failure
        pieces = [bytes(await self.read_async())]
        total = len(pieces[0])
        while pieces[-1] and total < READ_AHEAD and self._incoming.is_ready:
            try:
                pieces.append(bytes(await self.read_async()))
            except errors.FetchError as failure:  # what came before it goes first
                self._failure = failure
                break
            total += len(pieces[-1])
        return pieces

    def read(self) -> bytes:
        """Return all that is left; `FileSizeExceededError` when it is more than `max_size`."""
        content = Collected(self._max_size)
        for piece in self.iter_bytes():
            content.add(piece)
        return content.take()

    def close(self) -> None:
        """Leave the rest unread; the connection is given up with it, and a read of another thread ends."""
        if self._incoming.is_finished or self.is_of_coroutine:
            self._incoming.close()
            return
        try:
            self._run(self._close())
        except errors.FetchError:  # with its client everything else is closed as well
            pass

    async def _close(self) -> None:
        self._incoming.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
