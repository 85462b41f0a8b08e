"""Segments become frames: cut here or by a device, they are the same."""

import pytest

from tcpip import device
from tcpip.flow import Flow
from tcpip.seqnum import MASK
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.connection import SegmentOut, TcpConnection
from tcpip.wire import tcp
from tcpip.wire.address import IpAddress
from tests.fakes.frame_pair import MAC_A, MAC_B, as_received

MSS = 1000
V4 = ("10.0.2.15", "10.0.2.2")
V6 = ("fec0::15", "fec0::2")
SUPER = tcp.ACK | tcp.PSH | tcp.FIN


def make_flow(addresses: tuple[str, str], offloads: int) -> Flow:
    local, remote = map(IpAddress.parse, addresses)
    connection = TcpConnection(TcpConfig(), 40_000, 80, iss=1)
    flow = Flow(connection, local, remote, b"", offloads, 0xFFFE, hop_limit=64, is_loopback=False)
    flow.set_mac(MAC_B, MAC_A)
    return flow


def make_segment(pieces: tuple[bytes, ...], gso_size: int, sequence: int = MASK - 1500) -> SegmentOut:
    header = tcp.build_timestamps_header(40_000, 80, sequence, 77, SUPER, 500, 1234, 5678)
    return SegmentOut(header, pieces, sum(map(len, pieces)), gso_size)


def octets_on_the_wire(flow: Flow, segment: SegmentOut) -> list[bytes]:
    wire = []
    for frame in flow.build_frames(segment):
        whole = b"".join(map(bytes, frame.pieces))
        wire += [part for part, _, _ in as_received(whole, frame, 0)]
    return wire


@pytest.mark.parametrize("addresses", [V4, V6])
@pytest.mark.parametrize(
    "sizes", [(3000,), (3001,), (1, 999, 2500), (333, 333, 333, 2), (1999, 1), (5001, 4999)]
)
def test_frames_are_the_same_whoever_cuts_them(addresses, sizes):
    text = bytes(range(251)) * 40
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    segment = make_segment(tuple(pieces), MSS if sum(sizes) > MSS else 0)
    tso = device.TX_CHECKSUM | device.TSO4 | device.TSO6
    cut_by_device = octets_on_the_wire(make_flow(addresses, tso), segment)
    assert octets_on_the_wire(make_flow(addresses, 0), segment) == cut_by_device
    assert octets_on_the_wire(make_flow(addresses, device.TX_CHECKSUM), segment) == cut_by_device
    assert len(cut_by_device) == -(-sum(sizes) // MSS)
    start = 34 if addresses is V4 else 54
    assert b"".join(frame[start + 32 :] for frame in cut_by_device) == text[: sum(sizes)]


def test_a_super_segment_goes_whole_to_a_device_that_cuts_its_family_only():
    segment = make_segment((bytes(5000),), MSS)
    assert len(make_flow(V4, device.TSO4).build_frames(segment)) == 1
    assert len(make_flow(V6, device.TSO4).build_frames(segment)) == 5


def test_the_octets_of_cut_frames_are_views_of_what_was_given():
    text = bytes(2500)
    frames = make_flow(V4, 0).build_frames(make_segment((text,), MSS))
    assert [view.obj is text for frame in frames for view in frame.pieces[1:]] == [True] * 3
