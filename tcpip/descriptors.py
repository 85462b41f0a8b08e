"""Waiting for descriptors of the machine, such as pipes and terminals, where everything is waited for."""

from __future__ import annotations

import os
import select

from tcpip.scheduler import Signal

READABLE = select.POLLIN
WRITABLE = select.POLLOUT


class Descriptors:
    """All descriptors that somebody waits for; a `tcpip.host.Source`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, Signal] = {}

    @property
    def fileno(self) -> int:
        return self._epoll.fileno()

    def service(self) -> bool:
        happened = self._epoll.poll(0)
        for fileno, _ in happened:
            self._waiting[fileno].fire()
        return bool(happened)

    def close(self) -> None:
        self._epoll.close()

    async def wait(self, fileno: int, events: int, deadline: float | None) -> bool:
        """Wait until a descriptor is readable, writable or at its end; False at the deadline.

        A FIFO that nobody has opened for writing yet is not at its end.
        """
        if _is_ready(fileno, events):  # files are always, and cannot be waited for
            return True
        own = os.dup(fileno)  # which several may wait for
        self._waiting[own] = changed = Signal()
        try:
            self._epoll.register(own, events)
            while not _is_ready(fileno, events):
                if not await changed.wait(deadline):
                    return _is_ready(fileno, events)
            return True
        finally:
            if not self._epoll.closed:
                self._epoll.unregister(own)
            del self._waiting[own]
            os.close(own)


def _is_ready(fileno: int, events: int) -> bool:
    poll = select.poll()
    poll.register(fileno, events)
    return bool(poll.poll(0))
