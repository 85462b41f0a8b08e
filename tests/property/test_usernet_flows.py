"""Whatever the guest sends and whatever the wire does: nothing raises, and what arrives is what was sent."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcpip.usernet import UserNetConfig, UserNetwork
from tcpip.usernet.impair import ImpairConfig, Impairment
from tcpip.wire.address import IpAddress
from tests.fakes.bare_client import ACK, ALL_OFFLOADS, BareClient, MemoryPort
from tests.fakes.host_sockets import FakeHost

REMOTE, REMOTE6 = IpAddress.parse("192.0.2.7"), IpAddress.parse("2001:db8::7")
HEADERS = st.tuples(st.integers(0, 3), st.sampled_from((0, 1, 4)), *[st.integers(0, 0xFFFF)] * 4)


def make(**fields):
    host = FakeHost()
    config = UserNetConfig(resolvers=(IpAddress.parse("192.0.2.53"),), **fields)
    return UserNetwork(config, host, random_bytes=lambda n: b"\xff" * n), host


def recorded_frames() -> list[bytes]:
    """One good frame of each kind, to be spoilt."""
    network, _ = make()
    frames: list[bytes] = []
    network.capture(lambda outgoing, pieces: frames.append(b"".join(pieces)) if outgoing else None)
    client = BareClient(network)
    client.send_arp(IpAddress.parse("10.0.2.2"))
    client.send_dhcp(1)
    for to in (REMOTE, REMOTE6):
        client.send_udp(to, 53, b"question")
        connection = client.connect(to, 80, 50_000 + len(to))
        client.turn()
        connection.send(b"hello")
        connection.finish()
        client.turn()
    return frames


FRAMES = recorded_frames()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=200), HEADERS), max_size=8))
def test_any_octets_are_taken(frames):
    network, _ = make()
    client = BareClient(network)
    for frame, header in frames:
        client.send_frame(frame, header)
        network.service(client.now)
    assert network.info().frames_from_guest == len(frames)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_good_frame_spoilt_is_taken(data):
    network, _ = make()
    client = BareClient(network, port=MemoryPort(capacity=64))
    for _ in range(data.draw(st.integers(1, 6))):
        frame = bytearray(data.draw(st.sampled_from(FRAMES)))
        for _ in range(data.draw(st.integers(0, 4))):
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        frame = (
            bytes(frame[: data.draw(st.integers(0, len(frame)))])
            if data.draw(st.booleans())
            else bytes(frame)
        )
        cuts = sorted(data.draw(st.lists(st.integers(0, len(frame)), max_size=3)))
        client.send_frame(frame, data.draw(HEADERS), cuts)
        network.service(client.now)
        client.port.frames.clear()
        client.now += 0.5
    timeout = network.next_timeout()
    assert timeout is None or timeout >= 0


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-5_000, 70_000),
            st.integers(-70_000, 70_000),
            st.integers(0, 63),
            st.binary(max_size=50),
        ),
        max_size=30,
    ),
    st.binary(max_size=3_000),
)
def test_any_segments_of_a_connection_leave_the_socket_consistent(segments, data):
    """The fake socket asserts that nothing is discarded that was not there and nothing used after close."""
    network, host = make()
    client = BareClient(network)
    connection = client.connect(REMOTE, 80, holds=True)
    client.turn()
    socket = host.tcp[0]
    for i, (seq, ack, flags, payload) in enumerate(segments):
        if i == len(segments) // 2:
            socket.arrive(data)
        connection.rcv_nxt = connection.log[0].seq + ack & 0xFFFFFFFF
        connection.emit(connection.snd_nxt + seq, flags, payload)
        network.service(client.now)
        client.port.frames.clear()
        client.now += 0.3
    if not socket.is_closed:
        assert socket.held == data[len(data) - len(socket.held) :] or not segments


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    loss=st.sampled_from((0.0, 0.02, 0.1)),
    jitter=st.sampled_from((0.0, 0.03)),
    duplicate=st.sampled_from((0.0, 0.1)),
    features=st.sampled_from((ALL_OFFLOADS, 0x3, 0)),
    down=st.integers(0, 120_000),
    up=st.integers(0, 60_000),
    to=st.sampled_from((REMOTE, REMOTE6)),
)
@example(2_546_504, 0.1, 0.03, 0.0, ALL_OFFLOADS, 1, 1, REMOTE)  # a SYN-ACK that comes twice, the second late
def test_a_bad_wire_changes_no_octet(seed, loss, jitter, duplicate, features, down, up, to):
    bad = Impairment(loss=loss, delay=0.01, jitter=jitter, duplicate=duplicate)
    network, host = make(impair=ImpairConfig(seed, bad, bad))
    client = BareClient(network, features)
    connection = client.connect(to, 80)
    client.turn_until(lambda: connection.is_established, step=0.01)
    socket = host.tcp[0]
    download, upload = bytes(i * 7 & 0xFF for i in range(down)), bytes(i * 11 & 0xFF for i in range(up))
    socket.arrive(download)
    socket.end()
    connection.send(upload)
    connection.finish()
    client.turn_until(lambda: connection.at_eof and connection.fin_acked, step=0.01)
    assert connection.received == download
    assert socket.sent == upload
    assert not connection.is_reset and not socket.is_aborted


@pytest.mark.parametrize("direction", ["from_guest", "to_guest"])
def test_each_frame_lost_once_changes_no_octet(direction):
    for n in range(1, 41):
        bad = ImpairConfig(**{direction: Impairment(drop=(n,))})
        network, host = make(impair=bad)
        client = BareClient(network, features=0)
        connection = client.connect(REMOTE, 80)
        client.turn_until(lambda: connection.is_established, step=0.05)  # noqa: B023
        host.tcp[0].arrive(bytes(30_000))
        host.tcp[0].end()
        connection.send(bytes(20_000))
        connection.finish()
        client.turn_until(lambda: connection.at_eof and connection.fin_acked, step=0.05)  # noqa: B023
        assert len(connection.received) == 30_000 and len(host.tcp[0].sent) == 20_000
        assert network.info().frames_lost_on_purpose in (0, 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=20), st.integers(1_000, 20_000))
def test_any_window_and_any_rhythm_give_the_same_octets(parts, window):
    network, host = make()
    client = BareClient(network)
    connection = client.connect(REMOTE, 80, window=window, shift=0)
    client.turn()
    data = b""
    for i, size in enumerate(parts):
        data += bytes((i,)) * size
        host.tcp[0].arrive(bytes((i,)) * size)
        client.turn()
    client.turn_until(lambda: len(connection.received) == len(data), step=0.01)
    assert connection.received == data
    client.turn()
    assert not host.tcp[0].held
    connection.emit(connection.snd_nxt, ACK)
