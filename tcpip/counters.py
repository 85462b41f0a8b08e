"""What the stack counts: traffic, and every reason to drop something."""

from __future__ import annotations

from enum import Enum


class DropReason(Enum):
    """Why a frame or packet was forgotten."""

    MALFORMED = "breaks its format"
    NOT_OURS = "for somebody else"
    UNKNOWN_ETHERTYPE = "neither IP nor ARP"
    MARTIAN = "a source address that cannot be"
    SOURCE_ROUTE = "asks to be source-routed"
    BAD_HOP_LIMIT = "neighbour discovery from beyond the link"
    FRAGMENT_OVERLAP = "fragments overlap"
    FRAGMENT_LIMIT = "no room for fragments"
    FRAGMENT_TIMEOUT = "fragments did not arrive in time"
    NO_ROUTE = "no route"
    NEIGHBOR_QUEUE_FULL = "too many packets wait for a neighbour"
    NEIGHBOR_FAILED = "the neighbour did not answer"
    NEIGHBOR_UNSOLICITED = "an answer nobody asked for"
    OUTBOX_FULL = "too many packets wait for the device"
    LOOPBACK_FULL = "too many packets on the loopback"
    NO_SOCKET = "nobody listens at the port"
    UNKNOWN_PROTOCOL = "no such protocol here"
    SOCKET_QUEUE_FULL = "the reader is too slow"
    BACKLOG_FULL = "too many connections to accept"
    ICMP_RATE_LIMITED = "enough ICMP errors were sent"
    ICMP_UNMATCHED = "an ICMP message about nothing of ours"
    CHECKSUM = "transport checksum is wrong"


class Counters:
    """Plain numbers, read by whoever wants to show them; those of TCP are of connections that are gone."""

    __slots__ = (
        "drops",
        "frames_received",
        "frames_sent",
        "octets_received",
        "octets_sent",
        "tcp_retransmissions",
        "tcp_timeouts",
    )

    def __init__(self) -> None:
        self.frames_received = 0
        self.frames_sent = 0
        self.octets_received = 0
        self.octets_sent = 0
        self.tcp_retransmissions = 0
        self.tcp_timeouts = 0
        self.drops: dict[DropReason, int] = {}

    def drop(self, reason: DropReason) -> None:
        self.drops[reason] = self.drops.get(reason, 0) + 1

    def dropped(self, reason: DropReason) -> int:
        return self.drops.get(reason, 0)

    def as_dict(self) -> dict[str, int]:
        """Plain values, drops under `dropped_REASON`."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "drops"}
        shown.update({f"dropped_{reason.name.lower()}": count for reason, count in self.drops.items()})
        return shown
