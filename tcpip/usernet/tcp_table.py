"""All TCP flows: which segment belongs to which, whose turn it is, and whose time has come."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tcpip.usernet.config import UserNetConfig
from tcpip.usernet.counters import Counters
from tcpip.usernet.link import Link
from tcpip.usernet.refusal import Refusal, refusal_of
from tcpip.usernet.segments import ACK, FIN, MASK, RST, SYN, FlowHeader, SegmentIn, parse_segment
from tcpip.usernet.sockets import HostSockets
from tcpip.usernet.splice import CLOSED, LINGERING, TcpFlow
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from tcpip.usernet.local_end import LocalEnd

Target = tuple[IpAddress, int]
Route = Callable[[bytes], Target | None]
"""Where on the host a flow with this key goes; None: nobody is there."""


class TcpTable:
    """The flows by key; a key is source, destination, source port, destination port as in the frame."""

    def __init__(
        self,
        config: UserNetConfig,
        link: Link,
        sockets: HostSockets,
        counters: Counters,
        random_bytes: Callable[[int], bytes],
        route: Route,
        send_refusal: Callable[[Refusal, bytes], None],
        forget_forward: Callable[[int], None],
        take_local_end: Callable[[int], LocalEnd | None],
    ) -> None:
        self._config = config
        self._link = link
        self._sockets = sockets
        self._counters = counters
        self._random_bytes = random_bytes
        self._route = route
        self._send_refusal = send_refusal
        self._forget_forward = forget_forward
        self._take_local_end = take_local_end
        self.flows: dict[bytes, TcpFlow] = {}
        self._by_fileno: dict[int, TcpFlow] = {}
        self._ready: deque[TcpFlow] = deque()
        self._heap: list[tuple[float, int, TcpFlow]] = []
        self._order = 0
        self.is_blocked = False
        """The last turn ended because the guest's receive buffers were used up."""

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def receive(
        self, key: bytes, head: memoryview, offset: int, end: int, pieces: Sequence[memoryview],
        is_trusted: bool, now: float,
    ) -> None:  # fmt: skip
        """Take a segment that lies at `offset` of the frame that begins with `head`."""
        segment = parse_segment(key, head, offset, end, pieces, is_trusted)
        if segment is None:
            self._counters.malformed += 1
            return
        flow = self.flows.get(key)
        if flow is not None and flow.state is LINGERING and segment.flags & SYN:
            self._close(flow)
            flow = None
        if flow is None:
            self._receive_stray(key, segment, head, offset, now)
            return
        try:
            flow.receive(segment, now)
        except OSError:
            if not flow.drain():
                self._break(flow)
                return
        self._after(flow)

    def receive_event(self, fileno: int, events: int, now: float) -> bool:
        """Tell the flow of a descriptor what epoll said; False: there is no such flow."""
        flow = self._by_fileno.get(fileno)
        if flow is None:
            return False
        number = flow.receive_event(events)
        if number:
            self._refuse(flow, number)
        else:
            self._after(flow)
        return True

    def pump(self, now: float) -> None:
        """Give each flow that has something to say its turn, until nobody has or the budget is spent."""
        ready, link = self._ready, self._link
        budget, quantum = self._config.turn_budget, self._config.quantum
        self.is_blocked = False
        while ready and budget > 0:
            flow = ready.popleft()
            flow.is_queued = False
            if flow.state is CLOSED:
                continue
            try:
                share = min(quantum, budget)
                moved = flow.pump(link, now, share)
            except OSError:
                self._break(flow)
                continue
            budget -= moved + 64
            if flow.needs_rearm:
                flow.needs_rearm = False
                self._sockets.rearm(flow.socket.fileno)
            self._schedule(flow)
            if flow.is_blocked:
                self._enqueue(flow, first=True)
                self.is_blocked = True
                return
            if moved >= share:
                self._enqueue(flow)

    def handle_timeout(self, now: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now:
            due, _, flow = heapq.heappop(heap)
            if flow.state is CLOSED or flow.due != due:
                continue
            if flow.deadline > now:
                self._push(flow)
                continue
            flow.due = float("inf")
            try:
                flow.handle_timeout(self._link, now)
            except OSError:
                self._break(flow)
                continue
            self._after(flow)

    def next_timeout(self) -> float | None:
        heap = self._heap
        while heap:
            due, _, flow = heap[0]
            if flow.state is CLOSED or flow.due != due:
                heapq.heappop(heap)
            elif flow.deadline > due:
                heapq.heappop(heap)
                self._push(flow)
            else:
                return due
        return None

    def local_of(self, port: int, version: int) -> Target | None:
        """The host's end of the newest flow from this port of the guest."""
        flow = self.flow_of(port, version)
        try:
            return flow.socket.local if flow is not None else None
        except OSError:
            return None

    def flow_of(self, port: int, version: int) -> TcpFlow | None:
        """The newest flow from this port of the guest that has a socket of the host."""
        size = 12 if version == 4 else 36
        wanted = port.to_bytes(2, "big")
        for key, flow in reversed(self.flows.items()):
            if len(key) == size and key[-4:-2] == wanted and flow.state not in (LINGERING, CLOSED):
                return flow
        return None

    def close(self) -> None:
        for flow in self.flows.values():
            if flow.state not in (LINGERING, CLOSED):
                try:
                    flow.release()
                except OSError:
                    flow.abort()
        self.flows.clear()
        self._by_fileno.clear()
        self._ready.clear()
        self._heap.clear()

    # --- private -------------------------------------------------------

    def _receive_stray(
        self, key: bytes, segment: SegmentIn, head: memoryview, offset: int, now: float
    ) -> None:
        """Take a segment of no flow: a SYN opens one, all else is answered with a reset."""
        flags = segment.flags
        if flags & RST:
            return
        if flags & (SYN | ACK | FIN) != SYN:
            self._reset_stray(key, segment)
            return
        if len(self.flows) >= self._config.max_tcp_flows and not self._drop_lingering():
            self._counters.flows_refused += 1
            self._reset_stray(key, segment)
            return
        self._open(key, segment, bytes(head[14 : offset + 20]), now)

    def _open(self, key: bytes, segment: SegmentIn, quote: bytes, now: float) -> None:
        target = self._route(key)
        if target is None:
            self._reset_stray(key, segment)
            return
        end = self._take_local_end(int.from_bytes(key[-4:-2], "big"))
        try:
            socket = (
                self._sockets.tcp_connect(*target, end.socket) if end else self._sockets.tcp_connect(*target)
            )
        except OSError as error:
            self._counters.note_error(error.errno)
            self._forget_forward(int.from_bytes(key[-4:-2], "big"))
            refusal = refusal_of(error.errno)
            if refusal is Refusal.RESET:
                self._reset_stray(key, segment)
            else:
                self._send_refusal(refusal, quote)
            return
        iss = int.from_bytes(self._random_bytes(4), "big")
        flow = TcpFlow(key, segment, iss, socket, self._link, self._config, quote, now)
        self.flows[key] = flow
        self._by_fileno[socket.fileno] = flow
        self._counters.flows_opened += 1
        self._push(flow)

    def _refuse(self, flow: TcpFlow, number: int) -> None:
        """Answer the guest's SYN with what the host was told."""
        self._counters.note_error(number)
        refusal = refusal_of(number)
        if refusal is Refusal.RESET:
            flow.send_reset(self._link)
        else:
            self._send_refusal(refusal, flow.quote)
        flow.abort()
        self._after(flow)

    def _break(self, flow: TcpFlow) -> None:
        """The host's connection broke: so does the guest's."""
        flow.send_reset(self._link)
        flow.abort()
        self._after(flow)

    def _reset_stray(self, key: bytes, segment: SegmentIn) -> None:
        """RFC 9293 §3.10.7.1."""
        header = FlowHeader(self._link.headers[4 if len(key) == 12 else 6], key)
        if segment.flags & ACK:
            frame = header.bare(segment.ack, 0, RST, 0)
        else:
            length = segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)
            frame = header.bare(0, segment.seq + length & MASK, RST | ACK, 0)
        self._counters.resets_sent += 1
        self._link.send(frame)

    def _drop_lingering(self) -> bool:
        for flow in self.flows.values():
            if flow.state is LINGERING:
                self._close(flow)
                return True
        return False

    def _after(self, flow: TcpFlow) -> None:
        """A flow has heard something: give it a turn, or let it go."""
        if flow.state is CLOSED:
            self._close(flow)
            return
        if flow.state is LINGERING:
            self._by_fileno.pop(flow.socket.fileno, None)
        self._enqueue(flow)

    def _close(self, flow: TcpFlow) -> None:
        flow.abort()
        if self.flows.get(flow.key) is flow:
            del self.flows[flow.key]
            self._forget_forward(int.from_bytes(flow.key[-4:-2], "big"))
            self._counters.note_flow(flow)
        if self._by_fileno.get(flow.socket.fileno) is flow:
            del self._by_fileno[flow.socket.fileno]

    def _enqueue(self, flow: TcpFlow, first: bool = False) -> None:
        if not flow.is_queued:
            flow.is_queued = True
            if first:
                self._ready.appendleft(flow)
            else:
                self._ready.append(flow)

    def _schedule(self, flow: TcpFlow) -> None:
        if flow.deadline < flow.due:
            self._push(flow)

    def _push(self, flow: TcpFlow) -> None:
        self._order += 1
        flow.due = flow.deadline
        heapq.heappush(self._heap, (flow.due, self._order, flow))
        if len(self._heap) > 64 + 4 * len(self.flows):  # entries that a nearer deadline made stale
            self._heap[:] = [e for e in self._heap if e[2].due == e[0] and e[2].state is not CLOSED]
            heapq.heapify(self._heap)
