"""A snapshot of the user-mode network, for those who look on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    from tcpip.usernet.splice import TcpFlow


class FlowInfo(NamedTuple):
    """One TCP flow; addresses as text, octets of payload acknowledged."""

    guest: str
    remote: str
    state: str
    octets_from_guest: int
    octets_to_guest: int
    in_flight: int
    retransmissions: int


class UserNetInfo(NamedTuple):
    """A snapshot for people; all numbers since the start."""

    network: str
    network6: str | None
    tcp_flows: tuple[FlowInfo, ...]
    udp_flows: int
    forwards: int
    """Rules for loopback addresses."""
    echo_flows: int
    frames_from_guest: int
    frames_to_guest: int
    frames_dropped: int
    frames_lost_on_purpose: int
    malformed: int
    martians: int
    flows_opened: int
    flows_refused: int
    resets_sent: int
    retransmissions: int
    host_errors: dict[str, int]
    """By name: ECONNREFUSED, EMFILE, ..."""


def flow_info(flow: TcpFlow) -> FlowInfo:
    """Describe a flow as it is now."""
    key, half = flow.key, len(flow.key) - 4 >> 1
    ports = int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")
    return FlowInfo(
        _endpoint_text(key[:half], ports[0]),
        _endpoint_text(key[half:-4], ports[1]),
        flow.state.name,
        flow.octets_from_guest,
        flow.octets_to_guest,
        flow.in_flight,
        flow.retransmissions,
    )


def _endpoint_text(address: bytes, port: int) -> str:
    text = str(IpAddress(address))
    return f"[{text}]:{port}" if len(address) == 16 else f"{text}:{port}"
