"""Any octets into a stack: nothing is raised, and the same inputs give the same octets out."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpip.config import StackConfig, StaticAddress
from tcpip.wire import icmpv4, icmpv6, ipv4, ipv6, ndisc, udp
from tcpip.wire.address import IpAddress, IpNetwork
from tcpip.wire.tcp import SYN, build_header
from tests.fakes.frame_pair import MAC_A, MAC_B, FramePair, complete, static_config
from tests.fakes.lone_stack import LoneStack

A4, B4 = IpAddress.parse("10.0.2.15"), IpAddress.parse("10.0.2.2")
A6, B6 = IpAddress.parse("fd00::15"), IpAddress.parse("fe80::2")

_ETHERNET4 = MAC_A + MAC_B + b"\x08\x00"
_ETHERNET6 = MAC_A + MAC_B + b"\x86\xdd"


def a_syn() -> bytes:
    packet = ipv4.Ipv4Packet(B4, A4, 6, build_header(999, 80, 1, 0, SYN, 1000)).build()
    pseudo = (int.from_bytes(B4, "big") + int.from_bytes(A4, "big") + 6 + 20) % 0xFFFF
    frame = bytearray(_ETHERNET4 + packet)
    frame[50:52] = pseudo.to_bytes(2, "big")
    return complete(bytes(frame), 34, 16)


def an_advertisement() -> bytes:
    prefix = ndisc.PrefixInformation(IpNetwork.parse("2001:db8::/64"), 3600, 1800)
    message = ndisc.RouterAdvertisement(64, 1800, source_mac=MAC_B, mtu=1400, prefixes=(prefix,)).build()
    body = message.build(B6, IpAddress.parse("ff02::1"))
    return _ETHERNET6 + ipv6.Ipv6Packet(B6, IpAddress.parse("ff02::1"), 58, body, 255).build()


VALID = [
    a_syn(),
    an_advertisement(),
    _ETHERNET4 + ipv4.Ipv4Packet(B4, A4, 1, icmpv4.Icmpv4Message.echo(1, 2, b"data").build()).build(),
    _ETHERNET6 + ipv6.Ipv6Packet(B6, A6, 58, icmpv6.Icmpv6Message.echo(1, 2, b"d").build(B6, A6)).build(),
    _ETHERNET4 + ipv4.Ipv4Packet(B4, A4, 17, udp.UdpDatagram(5, 6, b"data").build(B4, A4)).build(),
    _ETHERNET4
    + ipv4.Ipv4Packet(
        B4, A4, 17, bytes(24), more_fragments=True, fragment_offset=8, identification=7
    ).build(),
    _ETHERNET6
    + ipv6.Ipv6Packet(B6, A6, 17, bytes(24), more_fragments=True, has_fragment_header=True).build(),
]


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        head = draw(st.sampled_from([b"", _ETHERNET4, _ETHERNET6, b"\xff" * 6 + MAC_B + b"\x08\x06"]))
        return head + draw(st.binary(max_size=120))
    frame = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 3))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()) and len(frame) > 38 and frame[12:14] == b"\x08\x00":
        frame[24:26] = b"\0\0"
        frame = bytearray(complete(bytes(frame[:34]), 14, 10)) + frame[34:]
    return bytes(frame[: draw(st.integers(0, len(frame)))] if draw(st.booleans()) else frame)


def made() -> LoneStack:
    config = StackConfig(addresses=(StaticAddress(A4, 24), StaticAddress(A6, 64)), gateways=(B4,), dhcp=True)
    lone = LoneStack(config)
    lone.stack.tcp_listen(80)
    lone.stack.udp_open(6)
    lone.poll()
    return lone


steps = st.lists(st.tuples(frames(), st.sampled_from([0, 1, 2, 3]), st.floats(0, 5)), max_size=12)


@given(steps)
@settings(max_examples=300, deadline=None)
def test_any_frames_raise_nothing_and_the_clock_is_told_the_truth(steps):
    lone = made()
    for frame, flags, seconds in steps:
        lone.receive(frame, flags)
        lone.advance(seconds)
        due = lone.stack.next_timeout()
        assert due is None or due > lone.now, "something was due, and was not done"
    assert lone.stack.counters.frames_received == len(steps)


@given(steps, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_same_inputs_clock_and_seed_give_the_same_octets(steps, seed):
    def run() -> list[bytes]:
        lone = made()
        out: list[bytes] = []
        for frame, flags, seconds in steps:
            out += lone.receive(frame, flags) + lone.advance(seconds)
        return out

    assert run() == run()


@given(st.integers(0, 2**32))
@settings(max_examples=12, deadline=None)
def test_what_was_sent_arrives_whole_whatever_the_wire_loses(seed):
    random = Random(seed)
    lost = [random.random() < 0.1 for _ in range(5000)]
    counter = iter(range(10**9))
    wire = FramePair(
        static_config("10.0.2.15/24"),
        static_config("10.0.2.2/24"),
        lose=lambda frame: lost[next(counter) % 5000] and frame[12:14] == b"\x08\x00",
        delay=0.01,
    )
    listener = wire.b.stack.tcp_listen(80)
    client = wire.a.stack.tcp_connect(B4, 80, wire.now)
    wire.run_until(lambda: bool(listener.queue), at_most=120)
    server = listener.accept()
    data = random.randbytes(60_000)
    client.send(data)
    client.shutdown(wire.now)
    wire.a.stack.wants_to_send(client)
    got = bytearray()

    def is_over() -> bool:
        while chunk := server.receive():
            got.extend(chunk)
            wire.b.stack.wants_to_send(server)
        return server.at_eof

    wire.run_until(is_over, at_most=600)
    assert bytes(got) == data
