"""DHCP client (RFC 2131): octets of no concern here, times and states only.

                 offer                ack              T1              T2
    SELECTING ----------> REQUESTING -----> BOUND ---------> RENEWING -----> REBINDING
        ^                     |  nak,         ^                 | ack          | ack
        |<--------------------+  no answer    +-----------------+--------------+
        |<--------------------------------------------- nak, lease ran out ----+

After figure 5 of RFC 2131; INIT is SELECTING whose time has come.  Messages
go out by `next_message`, answers come in by `receive_message`.

Deviates from RFC 2131 §4.1: the first retry comes after one second, not four,
since somebody waits at the command line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from tcpip.events import Lease, LeaseLost, LeaseObtained
from tcpip.wire import dhcp
from tcpip.wire.address import IPV4_ANY, IPV4_BROADCAST, IpAddress
from tcpip.wire.dhcp import DhcpMessage, MessageType

FIRST_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 64.0
MAX_REQUESTS = 4
"""Requests without an answer before all begins anew."""
MIN_RENEW_INTERVAL = 60.0
DECLINE_WAIT_SECONDS = 10.0
"""RFC 2131 §3.1: after a decline, so that client and server do not loop."""
MIN_LEASE_SECONDS = 30
"""A server that gives less would have us do nothing but renew."""
INFINITE_LEASE = 0xFFFFFFFF

_WANTED = bytes(
    (
        dhcp.SUBNET_MASK,
        dhcp.ROUTER,
        dhcp.DOMAIN_NAME_SERVER,
        dhcp.DOMAIN_NAME,
        dhcp.INTERFACE_MTU,
        dhcp.LEASE_TIME,
        dhcp.RENEWAL_TIME,
        dhcp.REBINDING_TIME,
    )
)
_MAX_LISTED = 4
"""Routers and DNS servers taken from a lease."""


class DhcpState(Enum):
    """Figure 5 of RFC 2131, without the reboot of a lease that is remembered."""

    STOPPED = "stopped"
    SELECTING = "selecting"
    REQUESTING = "requesting"
    BOUND = "bound"
    RENEWING = "renewing"
    REBINDING = "rebinding"


_TRANSITIONS = {
    DhcpState.STOPPED: {DhcpState.SELECTING},
    DhcpState.SELECTING: {DhcpState.REQUESTING, DhcpState.STOPPED},
    DhcpState.REQUESTING: {DhcpState.BOUND, DhcpState.SELECTING, DhcpState.STOPPED},
    DhcpState.BOUND: {DhcpState.RENEWING, DhcpState.SELECTING, DhcpState.STOPPED},
    DhcpState.RENEWING: {DhcpState.BOUND, DhcpState.REBINDING, DhcpState.SELECTING, DhcpState.STOPPED},
    DhcpState.REBINDING: {DhcpState.BOUND, DhcpState.SELECTING, DhcpState.STOPPED},
}


class Outgoing(NamedTuple):
    """A message, and the addresses of the datagram that carries it."""

    message: DhcpMessage
    source: IpAddress
    destination: IpAddress


class DhcpClient:
    """One interface's lease."""

    def __init__(self, mac: bytes, random_bytes: Callable[[int], bytes], host_name: str = "") -> None:
        self._mac = mac
        self._random_bytes = random_bytes
        self._host_name = host_name.encode("ascii", "ignore")[:63]
        self._transaction_id = 0
        self._tries = 0
        self._began = 0.0
        self._asked = 0.0
        self._deadline: float | None = None
        self._offer: tuple[IpAddress, IpAddress] | None = None
        self._out: deque[Outgoing] = deque()
        self._events: deque[LeaseObtained | LeaseLost] = deque()
        self.state = DhcpState.STOPPED
        self.lease: Lease | None = None

    # ---- inputs

    def receive_message(self, message: DhcpMessage, now: float) -> None:
        """Take an answer; one that does not fit what was asked is ignored."""
        if (
            message.op != dhcp.BOOT_REPLY
            or message.transaction_id != self._transaction_id
            or message.client_mac != self._mac
            or self.state is DhcpState.STOPPED
        ):
            return
        match message.message_type:
            case MessageType.OFFER if self.state is DhcpState.SELECTING:
                self._take_offer(message, now)
            case MessageType.ACK if self.state in (
                DhcpState.REQUESTING,
                DhcpState.RENEWING,
                DhcpState.REBINDING,
            ):
                self._take_ack(message, now)
            case MessageType.NAK if self.state in (
                DhcpState.REQUESTING,
                DhcpState.RENEWING,
                DhcpState.REBINDING,
            ):
                if self.state is DhcpState.REBINDING or self._is_from_our_server(message):
                    self._lose("the server took the address back")
                    self._select(now)
            case _:
                pass

    # ---- commands

    def start(self, now: float) -> None:
        """Begin to look for a server."""
        assert self.state is DhcpState.STOPPED
        self._began = now
        self._select(now)

    def decline(self, now: float) -> None:
        """Tell the server that somebody else has the address, and ask for another one after a while."""
        if self.lease is None:
            return
        lease = self.lease
        options = {dhcp.REQUESTED_ADDRESS: bytes(lease.address), dhcp.SERVER_IDENTIFIER: bytes(lease.server)}
        self._send(MessageType.DECLINE, options)
        self._lose("another host has the address")
        self._enter(DhcpState.SELECTING)
        self._tries = 0
        self._deadline = now + DECLINE_WAIT_SECONDS

    def release(self) -> None:
        """Give the lease back and stop."""
        if self.lease is not None:
            server = self.lease.server
            options = {dhcp.SERVER_IDENTIFIER: bytes(server)}
            self._send(MessageType.RELEASE, options, client=self.lease.address, destination=server)
            self._lose("released")
        self._enter(DhcpState.STOPPED)
        self._deadline = None

    # ---- outputs

    def next_message(self) -> Outgoing | None:
        return self._out.popleft() if self._out else None

    def next_event(self) -> LeaseObtained | LeaseLost | None:
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        if self._deadline is None or self._deadline > now:
            return
        match self.state:
            case DhcpState.SELECTING:
                self._discover(now)
            case DhcpState.REQUESTING:
                self._request_again(now)
            case DhcpState.BOUND:
                self._new_transaction()
                self._enter(DhcpState.RENEWING)
                self._renew(now)
            case DhcpState.RENEWING | DhcpState.REBINDING:
                self._renew(now)
            case DhcpState.STOPPED:
                self._deadline = None

    # ---- looking for a server

    def _select(self, now: float) -> None:
        self._enter(DhcpState.SELECTING)
        self._tries = 0
        self._offer = None
        self._discover(now)

    def _discover(self, now: float) -> None:
        if self._tries == 0:
            self._new_transaction()
        self._send(MessageType.DISCOVER, {}, seconds=now - self._began)
        self._retry_later(now)

    def _take_offer(self, message: DhcpMessage, now: float) -> None:
        server = _server_of(message)
        if server is None or not _is_usable(message.your_address):
            return
        self._offer = (message.your_address, server)
        self._enter(DhcpState.REQUESTING)
        self._tries = 0
        self._request_again(now)

    def _request_again(self, now: float) -> None:
        if self._tries == MAX_REQUESTS:
            self._select(now)
            return
        assert self._offer is not None
        address, server = self._offer
        options = {dhcp.REQUESTED_ADDRESS: bytes(address), dhcp.SERVER_IDENTIFIER: bytes(server)}
        self._asked = now
        self._send(MessageType.REQUEST, options, seconds=now - self._began)
        self._retry_later(now)

    def _retry_later(self, now: float) -> None:
        """Wait twice as long each time, a tenth more or less (RFC 2131 §4.1)."""
        wait = min(FIRST_RETRY_SECONDS * 2**self._tries, MAX_RETRY_SECONDS)
        self._tries += 1
        self._deadline = now + wait * (0.9 + self._random_bytes(1)[0] / 1275)

    # ---- the lease

    def _take_ack(self, message: DhcpMessage, now: float) -> None:
        lease = self._lease_of(message)
        if lease is None:
            return
        if self.lease is not None and lease.address != self.lease.address:
            self._lose("the server gave another address")
        self.lease = lease
        self._enter(DhcpState.BOUND)
        self._deadline = lease.renew_at
        self._events.append(LeaseObtained(lease))

    def _lease_of(self, message: DhcpMessage) -> Lease | None:
        server = _server_of(message)
        address = message.your_address
        seconds = message.integer(dhcp.LEASE_TIME, 4)
        if server is None or seconds is None or not _is_usable(address):
            return None
        if self.state is DhcpState.REQUESTING and (self._offer is None or address != self._offer[0]):
            return None
        asked = self._asked
        renew = rebind = expires = None
        if seconds != INFINITE_LEASE:
            seconds = max(seconds, MIN_LEASE_SECONDS)
            t2 = message.integer(dhcp.REBINDING_TIME, 4) or 0
            t2 = t2 if 0 < t2 < seconds else seconds * 7 // 8
            t1 = message.integer(dhcp.RENEWAL_TIME, 4) or 0
            t1 = t1 if 0 < t1 < t2 else min(seconds // 2, t2)
            renew, rebind, expires = asked + t1, asked + t2, asked + seconds
        mtu = message.integer(dhcp.INTERFACE_MTU, 2)
        return Lease(
            address,
            _prefix_length(message, address),
            server,
            tuple(a for a in message.addresses(dhcp.ROUTER) if _is_usable(a))[:_MAX_LISTED],
            tuple(a for a in message.addresses(dhcp.DOMAIN_NAME_SERVER) if _is_usable(a))[:_MAX_LISTED],
            message.text(dhcp.DOMAIN_NAME),
            mtu if mtu is not None and mtu >= 576 else None,
            renew,
            rebind,
            expires,
        )

    def _renew(self, now: float) -> None:
        """Ask for more time: the server until T2, any server until the end (RFC 2131 §4.4.5)."""
        lease = self.lease
        assert lease is not None and lease.rebind_at is not None and lease.expires_at is not None
        if now >= lease.expires_at:
            self._lose("the lease ran out")
            self._select(now)
            return
        if now >= lease.rebind_at and self.state is DhcpState.RENEWING:
            self._enter(DhcpState.REBINDING)
        until = lease.rebind_at if self.state is DhcpState.RENEWING else lease.expires_at
        destination = lease.server if self.state is DhcpState.RENEWING else IPV4_BROADCAST
        self._asked = now
        self._send(MessageType.REQUEST, {}, client=lease.address, destination=destination)
        self._deadline = min(until, now + max((until - now) / 2, MIN_RENEW_INTERVAL))

    def _lose(self, reason: str) -> None:
        if self.lease is not None:
            self._events.append(LeaseLost(self.lease.address, reason))
            self.lease = None

    def _is_from_our_server(self, message: DhcpMessage) -> bool:
        server = self.lease.server if self.lease is not None else self._offer and self._offer[1]
        return _server_of(message) == server

    def _new_transaction(self) -> None:
        self._transaction_id = int.from_bytes(self._random_bytes(4), "big")

    def _send(
        self,
        kind: MessageType,
        options: dict[int, bytes],
        *,
        seconds: float = 0.0,
        client: IpAddress = IPV4_ANY,
        destination: IpAddress = IPV4_BROADCAST,
    ) -> None:
        all_options = {
            dhcp.MESSAGE_TYPE: bytes((kind,)),
            dhcp.CLIENT_IDENTIFIER: b"\1" + self._mac,
            **options,
        }
        if kind in (MessageType.DISCOVER, MessageType.REQUEST):
            all_options[dhcp.PARAMETER_REQUEST_LIST] = _WANTED
            all_options[dhcp.MAXIMUM_MESSAGE_SIZE] = dhcp.MAX_MESSAGE_SIZE.to_bytes(2, "big")
            if self._host_name:
                all_options[dhcp.HOST_NAME] = self._host_name
        message = DhcpMessage(
            dhcp.BOOT_REQUEST,
            self._transaction_id,
            self._mac,
            all_options,
            min(int(seconds), 0xFFFF),
            client_address=client,
        )
        self._out.append(Outgoing(message, client, destination))

    def _enter(self, state: DhcpState) -> None:
        assert state is self.state or state in _TRANSITIONS[self.state], f"{self.state} to {state}"
        self.state = state


def _server_of(message: DhcpMessage) -> IpAddress | None:
    servers = message.addresses(dhcp.SERVER_IDENTIFIER)
    return servers[0] if len(servers) == 1 and _is_usable(servers[0]) else None


def _is_usable(address: IpAddress) -> bool:
    """Tell whether an address can be a host's."""
    return address[0] not in (0, 127) and address[0] < 224


def _prefix_length(message: DhcpMessage, address: IpAddress) -> int:
    """From the mask, or from the address's class when there is none or it has holes."""
    mask = message.integer(dhcp.SUBNET_MASK, 4)
    if mask is not None:
        length = mask.bit_count()
        if length >= 8 and mask == 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF:
            return length
    return 8 if address[0] < 128 else 16 if address[0] < 192 else 24
