"""A host in memory for the user-mode network: sockets that a test plays the far end of."""

from __future__ import annotations

from collections.abc import Sequence

from tcpip.usernet.sockets import FAILED, READABLE, WRITABLE, HostError
from tcpip.wire.address import IpAddress

RDHUP = 0x2000


class FakeTcp:
    """A TCP socket; the test feeds `arrive`, reads `sent`, and sets `free` to the room that is left."""

    def __init__(self, host: FakeHost, fileno: int, target: tuple[IpAddress, int]) -> None:
        self.host, self.fileno, self.target = host, fileno, target
        self.held = bytearray()
        """What the far end sent and nobody discarded."""
        self.offset = 0
        self.at_eof = self.is_closed = self.is_aborted = self.is_shut = False
        self.broken = 0
        self.connect_error = 0
        self.sent = bytearray()
        self.free = 1 << 20
        self.size = 1 << 20
        self.pushes = 0
        self.unread_at_close = 0

    # the test's side

    def arrive(self, data: bytes) -> None:
        self.held += data
        self.host.note(self.fileno, 1)

    def end(self) -> None:
        self.at_eof = True
        self.host.note(self.fileno, 1 | RDHUP)

    def break_off(self, number: int = 104) -> None:
        self.broken = number
        self.host.note(self.fileno, READABLE | FAILED)

    # the product's side

    def error(self) -> int:
        number, self.connect_error = self.connect_error, 0
        return number

    def peek(self, views: Sequence[memoryview]) -> int | None:
        assert not self.is_closed
        assert sum(map(len, views)) > 0
        data = memoryview(bytes(self.held))[self.offset :]
        if not data:
            if self.broken:
                raise OSError(self.broken, "broken")
            return 0 if self.at_eof else None
        count = 0
        for view in views:
            part = data[count : count + len(view)]
            view[: len(part)] = part
            count += len(part)
        self.offset += count
        return count

    def rewind(self, offset: int = 0) -> None:
        self.offset = offset

    def discard(self, count: int) -> None:
        assert count <= len(self.held), "octets that nobody sent were discarded"
        del self.held[:count]
        self.offset = max(0, self.offset - count)

    def send(self, pieces, has_more: bool = False) -> int:
        assert not self.is_closed and not self.is_shut
        if self.broken:
            raise OSError(self.broken, "broken")
        data = b"".join(pieces)[: self.free]
        self.free -= len(data)
        self.sent += data
        return len(data)

    def push(self) -> None:
        self.pushes += 1

    def room(self) -> tuple[int, int]:
        return self.free, self.size

    def shutdown(self) -> None:
        self.is_shut = True

    @property
    def local(self) -> tuple[IpAddress, int]:
        return IpAddress.parse("127.0.0.1"), 30_000 + self.fileno

    def abort(self) -> None:
        assert not self.is_closed
        self.is_aborted = self.is_closed = True

    def close(self) -> None:
        assert len(self.held) <= self.unread_at_close, "a close over unread octets is a reset"
        self.is_closed = True


class FakeDatagram:
    """A UDP or echo socket."""

    def __init__(
        self, host: FakeHost, fileno: int, target: tuple[IpAddress, int], is_raw: bool = False
    ) -> None:
        self.host, self.fileno, self.target, self.is_raw = host, fileno, target, is_raw
        self.sent: list[tuple[bytes, int]] = []
        self.waiting: list[tuple[bytes, int]] = []
        self.errors: list[HostError] = []
        self.is_closed = False
        self.fail_once = 0

    def arrive(self, data: bytes, hop_limit: int = 64) -> None:
        self.waiting.append((data, hop_limit))
        self.host.note(self.fileno, 1)

    def fail(self, error: HostError) -> None:
        self.errors.append(error)
        self.host.note(self.fileno, FAILED)

    def send(self, pieces, hop_limit: int) -> None:
        number, self.fail_once = self.fail_once, 0
        if number:
            raise OSError(number, "about an earlier one")
        self.sent.append((b"".join(pieces), hop_limit))

    def receive(self, buffer: memoryview) -> tuple[int, int, int] | None:
        if not self.waiting:
            return None
        data, hop_limit = self.waiting.pop(0)
        buffer[: len(data)] = data
        return 0, len(data), hop_limit

    def next_error(self) -> HostError | None:
        return self.errors.pop(0) if self.errors else None

    def close(self) -> None:
        self.is_closed = True


class FakeHost:
    """Stands for `HostSockets`; `refuse` maps ports to the errno of connecting, at once or `later`."""

    fileno = 99

    def __init__(self) -> None:
        self.tcp: list[FakeTcp] = []
        self.datagrams: list[FakeDatagram] = []
        self.refuse: dict[int, int] = {}
        self.refuse_later: dict[int, int] = {}
        self.silent_ports: set[int] = set()
        self.echo_error = 0
        self.refusal: str | None = None
        self.rearmed: list[int] = []
        self._events: dict[int, int] = {}
        self._next_fileno = 100

    def note(self, fileno: int, events: int) -> None:
        self._events[fileno] = self._events.get(fileno, 0) | events

    def poll(self) -> list[tuple[int, int]]:
        events, self._events = self._events, {}
        return list(events.items())

    def rearm(self, fileno: int) -> None:
        self.rearmed.append(fileno)
        for one in self.tcp:
            if one.fileno == fileno and one.free >= one.size // 3:
                self.note(fileno, WRITABLE)

    def tcp_connect(self, address: IpAddress, port: int) -> FakeTcp:
        if port in self.refuse:
            raise OSError(self.refuse[port], "no")
        made = FakeTcp(self, self._take(), (address, port))
        self.tcp.append(made)
        if port in self.refuse_later:
            made.connect_error = self.refuse_later[port]
            self.note(made.fileno, FAILED | WRITABLE)
        elif port not in self.silent_ports:
            self.note(made.fileno, WRITABLE)
        return made

    def udp_connect(self, address: IpAddress, port: int) -> FakeDatagram:
        if port in self.refuse:
            raise OSError(self.refuse[port], "no")
        self.datagrams.append(FakeDatagram(self, self._take(), (address, port)))
        return self.datagrams[-1]

    def echo_connect(self, address: IpAddress) -> FakeDatagram:
        if self.echo_error:
            raise OSError(self.echo_error, "no")
        self.datagrams.append(FakeDatagram(self, self._take(), (address, 0)))
        return self.datagrams[-1]

    def echo_refusal(self) -> str | None:
        return self.refusal

    def close(self) -> None:
        pass

    def _take(self) -> int:
        self._next_fileno += 1
        return self._next_fileno
