"""A name server of a few records, and a host on which time jumps and datagrams may be lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from dnslib import AAAA, CNAME, HTTPS, QTYPE, RCODE, RR, SOA, A, DNSHeader, DNSRecord

from tcpip.device import Buffer
from tcpip.errors import ConnectRefusedError, UnreachableError
from tcpip.scheduler import Scheduler, Signal
from tcpip.wire.address import IpAddress

Records = dict[str, list[str]]
"""Names with addresses; a record that begins with `=` is an alias."""


class DnsServer:
    """Answers as a recursive server does; knobs make it answer badly."""

    def __init__(
        self,
        records: Records,
        *,
        rcode: str = "",
        silent: bool = False,
        truncate: bool = False,
        negative_ttl: int = 60,
        follows_aliases: bool = True,
        ttl: int = 120,
        services: dict[str, list[tuple[int, str, dict[int, bytes]]]] | None = None,
    ) -> None:
        self.services = services or {}
        """HTTPS records: priority, target, parameters."""
        self.records = records
        self.rcode = rcode
        self.silent = silent
        self.truncate = truncate
        self.negative_ttl = negative_ttl
        self.follows_aliases = follows_aliases
        self.ttl = ttl
        self.asked: list[tuple[str, str]] = []

    def answer(self, data: bytes, *, over_tcp: bool = False) -> bytes | None:
        query = DNSRecord.parse(data)
        name, kind = str(query.q.qname).rstrip("."), QTYPE[query.q.qtype]
        self.asked.append((name, kind))
        if self.silent:
            return None
        reply = DNSRecord(DNSHeader(id=query.header.id, qr=1, ra=1, rd=1), q=query.q)
        if self.rcode:
            reply.header.rcode = getattr(RCODE, self.rcode)
            return bytes(reply.pack())
        if self.truncate and not over_tcp:
            reply.header.tc = 1
            return bytes(reply.pack())
        self._fill(reply, name.lower(), kind)
        return bytes(reply.pack())

    def _fill(self, reply: DNSRecord, name: str, kind: str) -> None:
        at = name
        while (found := self.records.get(at, [])) and found[0].startswith("="):
            target = found[0][1:]
            reply.add_answer(RR(at, QTYPE.CNAME, rdata=CNAME(target), ttl=300))
            at = target
            if not self.follows_aliases:
                return
        for priority, target, parameters in self.services.get(at, []) if kind == "HTTPS" else []:
            labels = [label.encode() for label in target.split(".") if label]
            rdata = HTTPS(priority, labels, list(parameters.items()))
            reply.add_answer(RR(at, QTYPE.HTTPS, rdata=rdata, ttl=120))
        for text in found if kind != "HTTPS" else []:
            if (":" in text) == (kind == "AAAA"):
                rdata = AAAA(text) if kind == "AAAA" else A(text)
                reply.add_answer(RR(at, getattr(QTYPE, kind), rdata=rdata, ttl=self.ttl))
        if at not in self.records and at not in self.services:
            reply.header.rcode = RCODE.NXDOMAIN
        if not any(rr.rtype == getattr(QTYPE, kind) for rr in reply.rr) and self.negative_ttl:
            soa = SOA("ns.test", "admin.test", (1, 2, 3, 4, self.negative_ttl))
            reply.add_auth(RR("test", QTYPE.SOA, rdata=soa, ttl=3600))


class Arrived(NamedTuple):
    data: bytes
    address: IpAddress
    port: int


class SocketError(NamedTuple):
    address: IpAddress
    port: int


class FakeUdp:
    def __init__(self, host: FakeDnsHost, port: int) -> None:
        self.host, self.port = host, port
        self.on_change: Callable[[], None] = lambda: None
        self.queue: deque[Arrived] = deque()
        self.errors: deque[SocketError] = deque()
        self.is_closed = False

    def send_datagram(self, data: bytes, address: IpAddress, port: int, now: float) -> None:
        self.host.sent.append((now, self.port, address))
        server = self.host.servers.get(address)
        if address in self.host.unreachable:
            raise UnreachableError("no route")
        if server is None:
            self.errors.append(SocketError(address, port))
            self.on_change()
        elif self.host.loses(len(self.host.sent)):
            pass
        elif (answer := server.answer(data)) is not None:
            self.host.deliver_at(now + self.host.delay, self, Arrived(answer, address, port))

    def receive_datagram(self) -> Arrived | None:
        return self.queue.popleft() if self.queue else None

    def next_error(self) -> SocketError | None:
        return self.errors.popleft() if self.errors else None

    def close(self) -> None:
        self.is_closed = True


class FakeStream:
    """A connection to a server that answers in pieces of three octets."""

    def __init__(self, server: DnsServer) -> None:
        self.server = server
        self.out = b""
        self.is_aborted = False

    async def write(self, pieces: Sequence[Buffer], deadline: float | None) -> None:
        query = b"".join(map(bytes, pieces))
        assert int.from_bytes(query[:2], "big") == len(query) - 2
        answer = self.server.answer(query[2:], over_tcp=True)
        if answer is not None:
            self.out = len(answer).to_bytes(2, "big") + answer

    async def read(self, deadline: float | None) -> Buffer:
        piece, self.out = self.out[:3], self.out[3:]
        return piece

    def abort(self) -> None:
        self.is_aborted = True


class FakeDnsHost:
    """Fits `DnsHost`; `run` jumps from event to event, as the one loop of a host would."""

    def __init__(self, servers: dict[str, DnsServer], delay: float = 0.02) -> None:
        self.servers = {IpAddress.parse(text): server for text, server in servers.items()}
        self.delay = delay
        self.time = 100.0
        self.loses: Callable[[int], bool] = lambda number: False
        self.unreachable: set[IpAddress] = set()
        self.refuses_tcp = False
        self.sent: list[tuple[float, int, IpAddress]] = []
        self.sockets: list[FakeUdp] = []
        self.streams: list[FakeStream] = []
        self.scheduler = Scheduler()
        self._arrivals: list[tuple[float, int, FakeUdp, Arrived]] = []

    def now(self) -> float:
        return self.time

    def open_udp(self) -> FakeUdp:
        self.sockets.append(FakeUdp(self, 40_000 + len(self.sockets)))
        return self.sockets[-1]

    async def open_tcp(self, address: IpAddress, port: int, deadline: float) -> FakeStream:
        await Signal().wait(self.time + self.delay)
        if self.refuses_tcp or port != 53:
            raise ConnectRefusedError("refused")
        self.streams.append(FakeStream(self.servers[address]))
        return self.streams[-1]

    def deliver_at(self, when: float, socket: FakeUdp, arrived: Arrived) -> None:
        self._arrivals.append((when, len(self._arrivals), socket, arrived))

    def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run to the end of all; results, or the exceptions they raised."""
        tasks = [self.scheduler.spawn(coroutine) for coroutine in coroutines]
        while not all(task.is_done for task in tasks):
            if self.scheduler.run_ready():
                continue
            moments = [when for when, *_ in self._arrivals]
            if (timeout := self.scheduler.next_timeout()) is not None:
                moments.append(timeout)
            self.time = max(self.time, min(moments))
            for arrival in [each for each in self._arrivals if each[0] <= self.time]:
                self._arrivals.remove(arrival)
                if not arrival[2].is_closed:
                    arrival[2].queue.append(arrival[3])
                    arrival[2].on_change()
            self.scheduler.handle_timeout(self.time)
        results: list[Any] = []
        for task in tasks:
            try:
                results.append(task.result)
            except Exception as error:
                results.append(error)
        return results
