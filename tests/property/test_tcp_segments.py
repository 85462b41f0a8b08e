"""Any octets: a segment or a named error, and no connection minds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpip.errors import MalformedPacketError
from tcpip.seqnum import MASK
from tcpip.tcp.assembler import Assembler
from tcpip.tcp.config import TcpConfig
from tcpip.tcp.scoreboard import Scoreboard
from tcpip.tcp.send_buffer import SendBuffer
from tcpip.wire import tcp
from tcpip.wire.tcp import Segment
from tests.fakes.tcp_peer import TcpPeer

numbers = st.integers(0, MASK)
options = st.fixed_dictionaries(
    {},
    optional={
        "mss": st.integers(0, 0xFFFF),
        "window_scale": st.integers(0, 255),
        "sack_permitted": st.booleans(),
        "ts_value": numbers,
        "ts_echo": numbers,
    },
)


@given(st.binary(max_size=100))
def test_any_octets_are_a_segment_or_a_named_error(octets):
    try:
        segment = Segment.parse(memoryview(octets))
    except MalformedPacketError as error:
        assert str(error).startswith("TCP: ")
    else:
        assert len(segment.payload) <= len(octets) - 20


@given(numbers, numbers, st.integers(0, 0xFF), st.integers(0, 0xFFFF), options, st.binary(max_size=50))
def test_what_is_built_is_parsed(sequence, acknowledgment, flags, window, fields, payload):
    header = tcp.build_header(1, 2, sequence, acknowledgment, flags, window, tcp.build_options(**fields))
    segment = Segment.parse(memoryview(header + payload))
    assert segment[2:6] == (sequence, acknowledgment, flags, window)
    assert bytes(segment.payload) == payload
    assert segment.mss == fields.get("mss")
    assert segment.window_scale == fields.get("window_scale")
    assert segment.ts_value == fields.get("ts_value")


near = st.integers(-3000, 3000) | st.sampled_from([1 << 31, -(1 << 31), 65_000, -65_000])
segments = st.tuples(
    st.sets(st.sampled_from("SAFRPU")).map(lambda s: "".join(sorted(s))) | st.just("A"),
    near,
    near,
    st.integers(0, 1500),
    st.sampled_from([0, 1, 500, 60_000]),
    st.lists(st.tuples(near, near), max_size=3),
)
steps = st.lists(
    st.one_of(
        segments,
        st.sampled_from(["send", "receive", "jump", "shutdown", "take"]),
    ),
    max_size=40,
)


@given(
    steps,
    st.sampled_from(["connect", "listen", "established", "closing"]),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_peer_sends_a_connection_goes_on_or_ends_by_a_named_error(steps, begin, timestamps):
    config = TcpConfig(
        timestamps=timestamps, receive_buffer=5000, send_buffer=5000, user_timeout=100, out_of_order_ranges=4
    )
    if begin in ("established", "closing"):
        peer = TcpPeer.established(config)
        if begin == "closing":
            peer.connection.shutdown(0.0)
    else:
        peer = TcpPeer(config)
        getattr(peer.connection, begin)(0.0)
    c = peer.connection
    received = 0
    for step in steps:
        if isinstance(step, tuple):
            flags, seq, ack, length, window, blocks = step
            peer.give(
                flags,
                seq,
                ack,
                bytes(length),
                window,
                blocks=blocks,
                ts=(100 + seq) & MASK if timestamps else None,
            )
        elif step == "send":
            if c.send_room and c.state.value not in ("CLOSED", "LISTEN"):
                assert c.send(b"x" * 1700) > 0
        elif step == "receive":
            received += len(c.receive())
        elif step == "take":
            assert len(peer.take()) < 100
        elif step == "shutdown":
            c.shutdown(peer.now)
        elif (deadline := c.next_timeout()) is not None:
            peer.now = max(peer.now, deadline)
            c.handle_timeout(peer.now)
            peer.take()
            again = c.next_timeout()
            assert again is None or again > peer.now, "a deadline that does nothing"
        assert c.readable + c.assembler.octets <= 5000 + 127
        assert len(c.buffer) <= 5000
        assert c.snd_una <= c.snd_nxt <= c.snd_max
    if c.state.value == "CLOSED":
        assert c.next_timeout() is None


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=30))
def test_an_assembler_gives_back_what_a_plain_array_would(pieces):
    source = bytes(range(100))
    assembler, have = Assembler(100), set()
    for start, length in pieces:
        assembler.add(start, memoryview(source)[start : start + length])
        have |= set(range(start, min(start + length, 100)))
        assert assembler.octets == len(have)
        blocks = assembler.sack_blocks()
        assert start + 0 >= blocks[0][0] and start + length <= blocks[0][1]
        assert all(octet in have for low, high in blocks for octet in range(low, high))
    for start in range(100):
        chunks = b"".join(assembler.take(start))
        if chunks:
            assert chunks == source[start : start + len(chunks)]
            assert set(range(start, start + len(chunks))) <= have


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=30), st.integers(0, 100))
def test_a_scoreboard_knows_what_a_plain_set_would(ranges, una):
    board, have = Scoreboard(100), set()
    for start, length in ranges:
        news = set(range(start, start + length)) - have
        assert board.add(start, start + length) == len(news)
        have |= news
    board.forget_below(una)
    have = {octet for octet in have if octet >= una}
    assert board.sacked == len(have)
    assert board.octets_between(20, 70) == len([o for o in have if 20 <= o < 70])
    hole, following = board.hole_after(una)
    assert hole == next(o for o in range(una, 200) if o not in have)
    assert following == min((o for o in have if o > hole), default=None)


@given(st.lists(st.binary(min_size=1, max_size=6000), max_size=12), st.data())
def test_a_send_buffer_slices_like_the_joined_octets(pieces, data):
    buffer, whole = SendBuffer(0), b"".join(pieces)
    for piece in pieces:
        buffer.append(piece)
    gone = 0
    for _ in range(4):
        gone = data.draw(st.integers(gone, len(whole)))
        buffer.acknowledge(gone)
        if gone < len(whole):
            start = data.draw(st.integers(gone, len(whole) - 1))
            end = data.draw(st.integers(start + 1, len(whole)))
            assert b"".join(buffer.slices(start, end)) == whole[start:end]
