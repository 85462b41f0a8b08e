"""Neighbours of the link: from IP address to MAC, for ARP and ND alike.

    DISCOVERING --answer--> DISCOVERED --30 s--> STALE --used--> DELAYED --5 s--> PROBING
         |                      ^                                   |               |  |
      3 tries                   +------------ confirmed ------------+---------------+  | 3 tries
         v                                                                             v
       gone  <------------------------------- 3 tries ------------------------- DISCOVERING

After the state machine of RFC 4861 §7.3.2, with ARP's requests and replies as
solicitations and advertisements.  Tries are a second apart.  Whoever sends to
a neighbour that is being discovered leaves packets, which go out in order
when it answers; when it does not, each is told.

Deviates from RFC 4861 §7.2.5: a different MAC never displaces that of a
DISCOVERED neighbour, even with the override flag.  It makes us probe the one
we know; when that one is silent, the neighbour is discovered anew.  So a
forged answer costs a packet, and a router's takeover a few seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from tcpip.counters import Counters, DropReason
from tcpip.device import Buffer
from tcpip.timers import Timed, Timers
from tcpip.wire.address import IpAddress

MAX_TRIES = 3
RETRANSMIT_SECONDS = 1.0
REACHABLE_SECONDS = 30.0
DELAY_SECONDS = 5.0
MAX_PENDING = 64
"""Packets that wait for one neighbour: the largest datagram is 45 fragments."""
MAX_NEIGHBORS = 512
"""A host talks to routers and a few neighbours; a scan of the link must not grow without bound."""


class NeighborState(Enum):
    """How much is known of a neighbour."""

    DISCOVERING = "discovering"
    DISCOVERED = "discovered"
    STALE = "stale"
    DELAYED = "delayed"
    PROBING = "probing"


_TRANSITIONS = {
    NeighborState.DISCOVERING: {NeighborState.DISCOVERED, NeighborState.STALE},
    NeighborState.DISCOVERED: {NeighborState.STALE, NeighborState.PROBING},
    NeighborState.STALE: {NeighborState.DELAYED, NeighborState.DISCOVERED},
    NeighborState.DELAYED: {NeighborState.PROBING, NeighborState.DISCOVERED, NeighborState.STALE},
    NeighborState.PROBING: {NeighborState.DISCOVERED, NeighborState.DISCOVERING},
}


class Pending(NamedTuple):
    """A packet that waits for its next hop; `failed` is called when that does not answer."""

    ethertype: int
    pieces: tuple[Buffer, ...]
    failed: Callable[[], None] | None


class Solicitation(NamedTuple):
    """A question to send: to everybody, or to one MAC when a known neighbour is probed."""

    address: IpAddress
    mac: bytes | None


class Neighbor(Timed):
    """One entry; `mac` is None while it is being discovered."""

    __slots__ = ("address", "is_router", "mac", "pending", "state", "tries", "waiters")

    def __init__(self, address: IpAddress, state: NeighborState, mac: bytes | None) -> None:
        super().__init__()
        self.address = address
        self.state = state
        self.mac = mac
        self.is_router = False
        self.tries = 0
        self.pending: deque[Pending] = deque()
        self.waiters: list[Callable[[bool], None]] = []
        """Called once, when the neighbour has answered (True) or has not (False)."""

    def enter(self, state: NeighborState) -> None:
        assert state is self.state or state in _TRANSITIONS[self.state], f"{self.state} to {state}"
        self.state = state


class NeighborCache:
    """Neighbours of one link, and the questions that are to be asked."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._neighbors: dict[IpAddress, Neighbor] = {}
        self._timers: Timers[Neighbor] = Timers()
        self._resolved: deque[tuple[bytes, Pending]] = deque()
        self._solicitations: deque[Solicitation] = deque()
        self._failed: deque[IpAddress] = deque()

    def __iter__(self) -> Iterator[Neighbor]:
        return iter(list(self._neighbors.values()))

    def find(self, address: IpAddress) -> Neighbor | None:
        return self._neighbors.get(address)

    # ---- inputs

    def heard_answer(
        self,
        address: IpAddress,
        mac: bytes,
        now: float,
        *,
        is_solicited: bool = True,
        is_override: bool = True,
    ) -> None:
        """Take an ARP reply or a neighbour advertisement; one that nobody waits for creates nothing."""
        neighbor = self._neighbors.get(address)
        if neighbor is None or _is_group(mac):
            self._counters.drop(DropReason.NEIGHBOR_UNSOLICITED)
            return
        state = neighbor.state
        if state is NeighborState.DISCOVERING:
            neighbor.mac = mac
            self._confirm(neighbor, now) if is_solicited else self._become_stale(neighbor)
            self._settle(neighbor)
        elif mac == neighbor.mac:
            if is_solicited:
                self._confirm(neighbor, now)
        elif state is NeighborState.DISCOVERED:
            self._probe(neighbor, now)
        elif state in (NeighborState.STALE, NeighborState.DELAYED) and is_override:
            neighbor.mac = mac
            self._become_stale(neighbor)

    def heard_request(self, address: IpAddress, mac: bytes, now: float) -> None:
        """Take note of a neighbour that asked for us: it will want an answer (RFC 4861 §7.2.3)."""
        if _is_group(mac):
            return
        if address not in self._neighbors:
            if self._make_room():
                self._neighbors[address] = Neighbor(address, NeighborState.STALE, mac)
        else:
            self.heard_answer(address, mac, now, is_solicited=False)

    def confirm(self, neighbor: Neighbor, now: float) -> None:
        """Take a hint from above that packets reach the neighbour (RFC 4861 §7.3.1)."""
        if neighbor.mac is not None and neighbor.state is not NeighborState.DISCOVERED:
            self._confirm(neighbor, now)

    # ---- commands

    def use(self, address: IpAddress, now: float) -> Neighbor | None:
        """Find or begin to discover a neighbour to send to; None when there is no room for one more.

        Its `mac` is None while it must be waited for.
        """
        neighbor = self._neighbors.get(address)
        if neighbor is None:
            if not self._make_room():
                return None
            neighbor = Neighbor(address, NeighborState.DISCOVERING, None)
            self._neighbors[address] = neighbor
            self._solicit(neighbor, now)
        elif neighbor.state is NeighborState.STALE:
            neighbor.enter(NeighborState.DELAYED)
            self._timers.set(neighbor, now + DELAY_SECONDS)
        return neighbor

    def enqueue(self, neighbor: Neighbor, pending: Pending) -> None:
        """Keep a packet until the neighbour answers; beyond the bound the oldest goes (RFC 4861 §7.2.2)."""
        if len(neighbor.pending) == MAX_PENDING:
            neighbor.pending.popleft()
            self._counters.drop(DropReason.NEIGHBOR_QUEUE_FULL)
        neighbor.pending.append(pending)

    def forget_all(self) -> None:
        """Drop every entry: the link changed under us."""
        for neighbor in list(self._neighbors.values()):
            self._timers.set(neighbor, None)
            self._give_up(neighbor)

    # ---- outputs

    def next_resolved(self) -> tuple[bytes, Pending] | None:
        """Give a packet that waited, with the MAC it waited for; in the order they came."""
        return self._resolved.popleft() if self._resolved else None

    def next_solicitation(self) -> Solicitation | None:
        return self._solicitations.popleft() if self._solicitations else None

    def next_failure(self) -> IpAddress | None:
        """Name a neighbour that did not answer."""
        return self._failed.popleft() if self._failed else None

    def next_timeout(self) -> float | None:
        return self._timers.next_timeout()

    def handle_timeout(self, now: float) -> None:
        while (neighbor := self._timers.pop_due(now)) is not None:
            if neighbor.state is NeighborState.DISCOVERED:
                neighbor.enter(NeighborState.STALE)
            elif neighbor.state is NeighborState.DELAYED:
                self._probe(neighbor, now)
            elif neighbor.tries < MAX_TRIES:
                self._solicit(neighbor, now)
            elif neighbor.state is NeighborState.PROBING:
                self._rediscover(neighbor, now)
            else:
                self._give_up(neighbor)

    # ---- transitions

    def _confirm(self, neighbor: Neighbor, now: float) -> None:
        neighbor.enter(NeighborState.DISCOVERED)
        self._timers.set(neighbor, now + REACHABLE_SECONDS)

    def _become_stale(self, neighbor: Neighbor) -> None:
        neighbor.enter(NeighborState.STALE)
        self._timers.set(neighbor, None)

    def _probe(self, neighbor: Neighbor, now: float) -> None:
        neighbor.enter(NeighborState.PROBING)
        neighbor.tries = 0
        self._solicit(neighbor, now)

    def _rediscover(self, neighbor: Neighbor, now: float) -> None:
        neighbor.enter(NeighborState.DISCOVERING)
        neighbor.mac = None
        neighbor.tries = 0
        self._solicit(neighbor, now)

    def _solicit(self, neighbor: Neighbor, now: float) -> None:
        neighbor.tries += 1
        self._solicitations.append(Solicitation(neighbor.address, neighbor.mac))
        self._timers.set(neighbor, now + RETRANSMIT_SECONDS)

    def _settle(self, neighbor: Neighbor) -> None:
        assert neighbor.mac is not None
        self._resolved.extend((neighbor.mac, pending) for pending in neighbor.pending)
        neighbor.pending.clear()
        waiters, neighbor.waiters = neighbor.waiters, []
        for waiter in waiters:
            waiter(True)

    def _give_up(self, neighbor: Neighbor) -> None:
        del self._neighbors[neighbor.address]
        self._failed.append(neighbor.address)
        for pending in neighbor.pending:
            self._counters.drop(DropReason.NEIGHBOR_FAILED)
            if pending.failed is not None:
                pending.failed()
        neighbor.pending.clear()
        waiters, neighbor.waiters = neighbor.waiters, []
        for waiter in waiters:
            waiter(False)

    def _make_room(self) -> bool:
        """Drop a stale neighbour when the table is full; those in use stay."""
        if len(self._neighbors) < MAX_NEIGHBORS:
            return True
        for neighbor in self._neighbors.values():
            if neighbor.state is NeighborState.STALE:
                del self._neighbors[neighbor.address]
                return True
        return False


def _is_group(mac: bytes) -> bool:
    return bool(mac[0] & 1) or not any(mac)
