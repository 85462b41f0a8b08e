"""The TCP splice against a guest by hand and a host in memory; time is a number."""

from __future__ import annotations

import errno

import pytest

from tcpip.usernet import UserNetConfig, UserNetwork
from tcpip.wire import icmpv4, icmpv6
from tcpip.wire.address import IpAddress
from tcpip.wire.icmpv4 import Icmpv4Message
from tcpip.wire.icmpv6 import Icmpv6Message
from tcpip.wire.ipv4 import Ipv4Packet
from tests.fakes.bare_client import ACK, ALL_OFFLOADS, FIN, RST, SYN, BareClient, MemoryPort
from tests.fakes.host_sockets import FakeHost

GATEWAY = IpAddress.parse("10.0.2.2")
GATEWAY6 = IpAddress.parse("fd00:2::2")
REMOTE = IpAddress.parse("192.0.2.7")


def make(features=ALL_OFFLOADS, port=None, **fields):
    host = FakeHost()
    iss = fields.pop("iss", b"\xff\xff\xff\xf0")
    network = UserNetwork(UserNetConfig(**fields), host, random_bytes=lambda n: iss)
    return BareClient(network, features, port), host


def established(features=ALL_OFFLOADS, to=REMOTE, port=None, config=None, **options):
    client, host = make(features, port, **(config or {}))
    connection = client.connect(to, 80, **options)
    client.turn()
    assert connection.is_established
    client.turn()
    return client, connection, host.tcp[0]


def test_a_syn_connects_the_host_and_is_answered_when_the_host_is():
    client, host = make()
    host.silent_ports.add(80)
    connection = client.connect(REMOTE, 80)
    client.turn()
    assert host.tcp[0].target == (REMOTE, 80)
    assert not connection.log
    host.note(host.tcp[0].fileno, 4)
    client.turn()
    assert connection.is_established
    assert connection.log[0].options == b"\x02\x04\x05\xb4\x01\x03\x03\x08"


def test_a_syn_without_window_scale_gets_none_back():
    _, connection, _ = established(shift=None)
    assert connection.log[0].options == b"\x02\x04\x05\xb4"


@pytest.mark.parametrize(("to", "inside"), [(GATEWAY, "127.0.0.1"), (GATEWAY6, "::1")])
def test_the_gateway_is_the_hosts_loopback(to, inside):
    _, _, socket = established(to=to)
    assert socket.target == (IpAddress.parse(inside), 80)


@pytest.mark.parametrize("at_once", [True, False])
def test_refused_is_a_reset(at_once):
    client, host = make()
    (host.refuse if at_once else host.refuse_later)[80] = errno.ECONNREFUSED
    connection = client.connect(REMOTE, 80)
    client.turn()
    assert connection.is_reset
    assert connection.log[0].flags == RST | ACK
    assert connection.log[0].ack == connection.snd_nxt
    assert client.network.info().host_errors == {"ECONNREFUSED": 1}
    assert not client.network.info().tcp_flows


@pytest.mark.parametrize(
    ("number", "code4", "code6"),
    [
        (errno.EHOSTUNREACH, icmpv4.HOST_UNREACHABLE, icmpv6.ADDRESS_UNREACHABLE),
        (errno.ENETUNREACH, icmpv4.NETWORK_UNREACHABLE, icmpv6.NO_ROUTE),
        (errno.EADDRNOTAVAIL, icmpv4.NETWORK_UNREACHABLE, icmpv6.NO_ROUTE),
        (errno.EACCES, icmpv4.COMMUNICATION_PROHIBITED, icmpv6.PROHIBITED),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_an_unreachable_host_is_the_icmp_error_that_quotes_the_syn(number, code4, code6, at_once):
    client, host = make()
    (host.refuse if at_once else host.refuse_later)[80] = number
    client.connect(REMOTE, 80, 50_000)
    client.connect(IpAddress.parse("2001:db8::7"), 80, 50_001)
    client.turn()
    four, six = client.packets
    message4 = Icmpv4Message.parse(four.payload)
    assert (four.source, message4.type, message4.code) == (GATEWAY, icmpv4.DESTINATION_UNREACHABLE, code4)
    quoted = icmpv4.parse_quoted(message4.body)
    assert (quoted.destination, quoted.source_port, quoted.sequence_number) == (REMOTE, 50_000, 0xFFFF_FF00)
    message6 = Icmpv6Message.parse(six.payload, six.source, six.destination)
    assert (six.source, message6.type, message6.code) == (GATEWAY6, icmpv6.DESTINATION_UNREACHABLE, code6)
    assert icmpv6.parse_quoted(message6.body).source_port == 50_001


def test_a_host_that_times_out_is_silence():
    client, host = make()
    host.refuse_later[80] = errno.ETIMEDOUT
    connection = client.connect(REMOTE, 80)
    client.turn()
    assert not connection.log and not client.packets and not client.network.info().tcp_flows


def test_a_host_out_of_descriptors_resets_and_is_named():
    client, host = make()
    host.refuse[80] = errno.EMFILE
    connection = client.connect(REMOTE, 80)
    client.turn()
    assert connection.is_reset
    assert client.network.info().host_errors == {"EMFILE": 1}


def test_connecting_goes_on_while_the_guest_repeats_its_syn_and_ends_in_silence():
    client, host = make(connect_timeout=30.0)
    host.silent_ports.add(80)
    connection = client.connect(REMOTE, 80)
    start = client.now
    for at in (1.0, 3.0, 7.0, 15.0):
        client.turn(start + at)
        assert not host.tcp[0].is_closed
        connection.send_syn()
    client.turn(start + 29.9)
    assert client.network.next_timeout() == start + 30.0
    client.turn(start + 30.0)
    assert host.tcp[0].is_aborted and not connection.log
    assert client.network.next_timeout() == 701.0  # the next router advertisement


def test_connecting_ends_soon_after_the_guest_has_given_up():
    client, host = make()
    host.silent_ports.add(80)
    connection = client.connect(REMOTE, 80)
    client.turn()
    assert client.network.next_timeout() == client.now + 4.0
    client.turn(client.now + 4.0)
    assert host.tcp[0].is_aborted and not connection.log
    connection.send_syn()  # or it was two losses: it is heard again
    client.turn()
    assert len(host.tcp) == 2


def test_payload_goes_to_the_socket_and_one_ack_answers_a_turn():
    client, connection, socket = established()
    before = len(connection.log)
    for i in range(5):
        connection.send(bytes((i,)) * 1_000)
    client.turn()
    assert socket.sent == b"".join(bytes((i,)) * 1_000 for i in range(5))
    assert len(connection.log) == before + 1
    assert connection.log[-1].ack == connection.snd_nxt


def test_a_burst_of_full_segments_is_pushed_once():
    client, connection, socket = established(features=0)
    connection.send(bytes(1_460 * 4))
    assert socket.pushes == 0
    client.turn()
    assert socket.pushes == 1 and len(socket.sent) == 1_460 * 4


@pytest.mark.parametrize("to", [REMOTE, IpAddress.parse("2001:db8::7")])
@pytest.mark.parametrize("features", [ALL_OFFLOADS, 0x3, 0])
def test_what_the_host_sends_arrives_in_the_largest_frames_negotiated(to, features):
    client, connection, socket = established(features, to)
    data = bytes(range(256)) * 1_000
    socket.arrive(data)
    client.turn_until(lambda: len(connection.received) == len(data))
    assert connection.received == data
    merged, mss = (64_240, 1_460) if len(to) == 4 else (64_800, 1_440)
    assert connection.largest == (merged if features == ALL_OFFLOADS else mss)
    gso = connection.log[-1].header[1] or connection.log[-2].header[1]
    assert gso == ((1 if len(to) == 4 else 4) if features == ALL_OFFLOADS else 0)
    client.turn()
    assert not socket.held


def test_merged_frames_are_laid_over_many_small_buffers():
    client, connection, socket = established(port=MemoryPort(piece=61))
    data = bytes(range(251)) * 700
    socket.arrive(data)
    client.turn_until(lambda: len(connection.received) == len(data))
    assert connection.received == data and connection.largest > 60_000


def test_octets_stay_in_the_socket_until_they_are_acknowledged():
    client, connection, socket = established(holds=True)
    socket.arrive(b"abcdef")
    client.turn()
    assert connection.received == b"abcdef" and socket.held == b"abcdef"
    connection.acknowledge()
    client.turn()
    assert not socket.held


def test_a_lost_frame_is_peeked_at_again_when_time_is_up():
    client, connection, socket = established(holds=True)
    socket.arrive(b"abcdef")
    client.network.service(client.now)
    client.port.frames.clear()  # lost
    due = client.network.next_timeout()
    assert client.now < due <= client.now + 1.0
    client.turn(due)
    assert connection.received == b"abcdef"
    assert client.network.info().retransmissions == 1
    client.turn(client.network.next_timeout())
    assert [s.payload for s in connection.log[-2:]] == [b"abcdef"] * 2
    connection.acknowledge()
    client.turn()
    assert not socket.held
    assert client.network.next_timeout() == 700.0


def test_three_duplicate_acks_bring_the_missing_frame_at_once():
    client, connection, socket = established(features=0)
    socket.arrive(bytes(range(10)) * 1_460)
    client.network.service(client.now)
    assert len(client.port.frames) == 10
    del client.port.frames[2]
    client.turn()
    assert len(connection.received) == 2 * 1_460
    client.turn_until(lambda: len(connection.received) == 14_600, step=0.0)
    assert connection.received == bytes(range(10)) * 1_460
    assert client.now == 100.0, "no timer was needed"


def test_after_a_partial_acknowledgment_the_next_hole_is_filled_without_a_timer():
    client, connection, socket = established(features=0, holds=True)
    socket.arrive(bytes(20 * 1_460))
    client.turn()
    una = connection.log[1].seq
    for _ in range(4):
        connection.rcv_nxt = una
        connection.acknowledge()
    client.turn()
    assert connection.log[-1].seq == una
    connection.rcv_nxt = una + 3 * 1_460 & 0xFFFFFFFF
    connection.acknowledge()
    client.turn()
    assert connection.log[-1].seq == una + 3 * 1_460 & 0xFFFFFFFF
    assert len(connection.log[-1].payload) == 1_460
    assert len(socket.held) == 17 * 1_460


def test_the_guests_window_is_never_exceeded():
    client, connection, socket = established(window=4_000, shift=0, holds=True)
    socket.arrive(bytes(10_000))
    client.turn()
    client.turn()
    assert sum(len(s.payload) for s in connection.log) == 4_000
    connection.acknowledge()
    client.turn()
    assert sum(len(s.payload) for s in connection.log) == 8_000


def test_a_closed_window_is_probed_until_it_opens():
    client, connection, socket = established(window=0, shift=0, holds=True)
    socket.arrive(b"abc")
    client.turn()
    seen = len(connection.log)
    times = []
    for _ in range(3):
        times.append(client.network.next_timeout() - client.now)
        client.turn(client.network.next_timeout())
    assert len(connection.log) == seen + 3
    assert times[1] == pytest.approx(2 * times[0]) and times[2] == pytest.approx(4 * times[0])
    assert connection.log[-1].seq == connection.rcv_nxt - 1 & 0xFFFFFFFF
    connection.window = 100
    connection.acknowledge()
    client.turn()
    assert connection.received == b"abc"


def test_a_guest_that_never_answers_is_given_up():
    client, connection, socket = established(holds=True)
    socket.arrive(b"abc")
    for _ in range(100):
        if socket.is_closed:
            break
        client.turn(client.network.next_timeout())
    assert socket.is_aborted and connection.is_reset
    assert not client.network.info().tcp_flows


def test_a_lost_syn_ack_is_repeated_by_timer_and_by_a_repeated_syn():
    client, host = make()
    connection = client.connect(REMOTE, 80)
    client.network.service(client.now)
    client.port.frames.clear()
    connection.send_syn()
    client.network.service(client.now)
    assert len(client.port.frames) == 1
    client.port.frames.clear()
    client.turn(client.network.next_timeout())
    assert connection.is_established
    assert len(host.tcp) == 1


def test_out_of_order_segments_are_dropped_and_each_gets_a_duplicate_ack():
    client, connection, socket = established()
    before = len(connection.log)
    for i in range(1, 4):
        connection.emit(connection.snd_nxt + 10 * i, ACK, b"x" * 10)
    client.turn()
    assert not socket.sent
    assert [s.ack for s in connection.log[before:]] == [connection.snd_nxt] * 3
    connection.send(b"a" * 10)
    connection.emit(connection.snd_nxt - 5, ACK, b"aaaaabbbbb")  # overlaps: its new half counts
    client.turn()
    assert socket.sent == b"a" * 10 + b"bbbbb"


def test_the_window_is_the_sockets_room_and_reopens_when_the_socket_drains():
    client, connection, socket = established()
    socket.free = 10_000
    connection.send(b"x" * 9_000)
    client.turn()
    assert socket.fileno in client.network._sockets.rearmed
    shown = connection.remote_window
    connection.send(b"y" * 100_000)
    client.turn()
    assert len(socket.sent) == 10_000
    assert connection.remote_window <= shown
    socket.free = socket.size
    client.network._sockets.note(socket.fileno, 4)
    client.turn_until(lambda: len(socket.sent) == 109_000, step=0.1)
    assert socket.sent == b"x" * 9_000 + b"y" * 100_000


def test_the_right_edge_of_the_window_never_moves_left():
    client, connection, socket = established()
    edge = 0
    for free in (1_000_000, 500_000, 10, 700_000, 0, 300_000):
        socket.free = free
        connection.send(b"z" * 300)
        client.turn()
        latest = connection.log[-1]
        new = (latest.ack + 0x200 & 0xFFFFFFFF) + (latest.window << 8)
        assert new + 255 >= edge
        edge = new


def test_end_of_file_travels_both_ways_and_half_closed_flows_go_on():
    client, connection, socket = established()
    connection.finish()
    client.turn()
    assert socket.is_shut and not socket.is_closed
    assert connection.fin_acked
    socket.arrive(b"late")
    client.turn()
    assert connection.received == b"late"
    socket.end()
    client.turn()
    assert connection.at_eof
    client.turn()
    assert socket.is_closed and not socket.is_aborted
    assert not client.network.info().tcp_flows


def test_the_host_may_close_first_and_a_repeated_fin_of_the_guest_is_acknowledged_again():
    client, connection, socket = established(config={"linger_timeout": 5.0})
    socket.arrive(b"all")
    socket.end()
    client.turn()
    assert connection.at_eof and connection.received == b"all"
    connection.send(b"still")
    client.turn()
    assert socket.sent == b"still"
    connection.finish()
    client.turn()
    assert socket.is_closed and connection.fin_acked
    seen = len(connection.log)
    connection.emit(connection.snd_nxt - 1, FIN | ACK)
    client.turn()
    assert len(connection.log) == seen + 1
    assert connection.log[-1].flags == ACK and connection.log[-1].ack == connection.snd_nxt
    client.turn(client.now + 5.0)
    assert not client.network.info().tcp_flows


def test_a_lost_fin_is_repeated():
    client, connection, socket = established()
    socket.arrive(b"all")
    client.turn()
    client.turn()
    socket.end()
    client.network.service(client.now)
    client.port.frames.clear()
    client.turn(client.network.next_timeout())
    assert connection.at_eof
    client.turn()
    connection.finish()
    client.turn()
    assert connection.fin_acked and not connection.is_reset


def test_data_and_fin_lost_together_come_again_together():
    client, connection, socket = established()
    socket.arrive(b"all")
    socket.end()
    client.network.service(client.now)
    assert len(client.port.frames) == 2
    client.port.frames.clear()
    client.turn_until(lambda: connection.at_eof, step=0.1)
    assert connection.received == b"all"
    client.turn()
    assert not socket.held


def test_an_ack_of_fin_that_comes_after_the_time_out_is_taken():
    client, connection, socket = established(holds=True)
    socket.arrive(b"all")
    socket.end()
    client.turn()
    client.network.service(client.network.next_timeout())  # goes back to the first octet
    client.port.capacity = 0
    connection.acknowledge()
    client.turn()
    connection.finish()
    client.port.capacity = 10
    client.turn()
    assert socket.is_closed and connection.fin_acked and not connection.is_reset


def test_a_reset_of_the_guest_resets_the_host():
    client, connection, socket = established()
    connection.emit(connection.snd_nxt, RST)
    assert socket.is_aborted
    client.turn()
    assert not client.network.info().tcp_flows


def test_a_reset_beside_the_point_gets_a_challenge_and_one_outside_the_window_nothing():
    client, connection, socket = established()
    seen = len(connection.log)
    connection.emit(connection.snd_nxt + 5, RST)
    client.turn()
    assert len(connection.log) == seen + 1 and not socket.is_closed
    connection.emit(connection.snd_nxt - 5, RST)
    client.turn()
    assert len(connection.log) == seen + 1 and not socket.is_closed


def test_a_broken_host_connection_resets_the_guest():
    client, connection, socket = established()
    socket.break_off()
    client.turn()
    assert connection.is_reset
    assert connection.log[-1].seq == connection.rcv_nxt
    assert not client.network.info().tcp_flows


def test_a_host_that_breaks_while_the_guest_sends_resets_the_guest():
    client, connection, socket = established()
    socket.broken = errno.EPIPE
    connection.send(b"abc")
    client.turn()
    assert connection.is_reset


def test_segments_of_no_connection_are_reset():
    client, _ = make()
    connection = client.connect(REMOTE, 80)
    del client.connections[50_000]
    connection.emit(77, ACK, b"abc")
    client.turn()
    connection2 = client.segments[50_000][0]
    assert connection2.flags & SYN
    connection.ports = (50_001, 80)
    connection.rcv_nxt = 4_711
    connection.emit(77, ACK, b"abc")
    connection.emit(77, FIN, b"abc")
    client.turn()
    first, second = client.segments[50_001]
    assert (first.flags, first.seq) == (RST, 4_711)
    assert (second.flags, second.seq, second.ack) == (RST | ACK, 0, 81)


def test_flows_are_bounded_and_lingering_ones_make_room():
    client, host = make(max_tcp_flows=2)
    first = client.connect(REMOTE, 80, 50_001)
    client.connect(REMOTE, 80, 50_002)
    third = client.connect(REMOTE, 80, 50_003)
    client.turn()
    assert third.is_reset and len(host.tcp) == 2
    assert client.network.info().flows_refused == 1
    client.turn()
    host.tcp[0].end()
    client.turn()
    first.finish()
    client.turn()
    fourth = client.connect(REMOTE, 80, 50_004)
    client.turn()
    assert fourth.is_established


def test_no_room_for_frames_means_waiting_without_spinning():
    client, connection, socket = established()
    client.port.capacity = 0
    socket.arrive(b"abc")
    connection.send(b"up")
    client.turn()
    timeout = client.network.next_timeout()
    assert timeout is None or timeout > client.now
    client.port.capacity = 10
    client.turn()
    assert connection.received == b"abc" and socket.sent == b"up"


def test_flows_take_turns():
    client, host = make(quantum=64_240, turn_budget=300_000)
    flows = [client.connect(REMOTE, 80, 50_001 + i) for i in range(3)]
    client.turn()
    client.turn()
    for socket in host.tcp:
        socket.arrive(bytes(1 << 20))
    client.turn()
    assert all(60_000 < len(flow.received) < 140_000 for flow in flows)
    assert client.network.next_timeout() == client.now
    client.turn_until(lambda: all(len(flow.received) == 1 << 20 for flow in flows))


def test_a_rule_sends_a_port_to_exactly_that_loopback_address_once():
    client, host = make()
    client.network.forward(50_000, (IpAddress.parse("127.0.0.5"), 8_080))
    client.network.forward(50_001, (IpAddress.parse("::1"), 8_081))
    one = client.connect(GATEWAY, 8_080, 50_000)
    client.connect(GATEWAY, 8_081, 50_001)
    client.turn()
    assert [s.target for s in host.tcp] == [
        (IpAddress.parse("127.0.0.5"), 8_080),
        (IpAddress.parse("::1"), 8_081),
    ]
    assert client.network.host_endpoint(50_000, 4) == (IpAddress.parse("127.0.0.1"), 30_101)
    assert client.network.host_endpoint(50_000, 6) is None
    one.emit(one.snd_nxt, RST)
    assert client.network.host_endpoint(50_000, 4) is None
    client.connect(GATEWAY, 8_080, 50_000)
    assert host.tcp[-1].target == (IpAddress.parse("127.0.0.1"), 8_080)


def test_a_rule_never_bends_a_connection_to_another_host():
    client, host = make()
    client.network.forward(50_000, (IpAddress.parse("127.0.0.5"), 80))
    client.connect(REMOTE, 80, 50_000)
    assert host.tcp[0].target == (REMOTE, 80)


def test_tcp_to_the_dns_address_reaches_a_resolver_and_nothing_else():
    client, host = make(resolvers=(IpAddress.parse("192.0.2.53"),))
    client.connect(IpAddress.parse("10.0.2.3"), 53, 50_000)
    other = client.connect(IpAddress.parse("10.0.2.3"), 80, 50_001)
    client.turn()
    assert [s.target for s in host.tcp] == [(IpAddress.parse("192.0.2.53"), 53)]
    assert other.is_reset


@pytest.mark.parametrize(
    "to", ["127.0.0.1", "0.0.0.0", "224.0.0.1", "10.0.2.15", "10.0.2.255", "::ffff:127.0.0.1"]
)
def test_nothing_reaches_the_inside_of_the_host_by_its_own_addresses(to):
    client, host = make()
    client.connect(IpAddress.parse(to), 80)
    client.turn()
    assert not host.tcp


@pytest.mark.parametrize("cuts", [(), (14,), (1, 2, 3), (54,), (20, 40, 60), (66,), (67, 1_000)])
def test_how_the_frame_was_cut_makes_no_difference(cuts):
    client, connection, socket = established()
    connection.emit(connection.snd_nxt, ACK, b"abcdefgh" * 200, cuts=cuts)
    client.turn()
    assert socket.sent == b"abcdefgh" * 200


def test_a_wrong_checksum_is_dropped_unless_the_guest_left_it_to_the_device():
    client, connection, socket = established(features=0)
    frames = []
    client.network.capture(lambda outgoing, pieces: frames.append(b"".join(pieces)) if outgoing else None)
    connection.emit(connection.snd_nxt, ACK, b"abc")
    assert socket.sent == b"abc"
    bad = bytearray(frames[0])
    bad[-1] ^= 1
    client.send_frame(bytes(bad))
    assert client.network.info().malformed == 1


def test_an_idle_flow_ends_with_a_reset_on_both_sides():
    client, connection, socket = established(config={"idle_timeout": 50.0})
    client.turn(client.now + 49.0)
    assert not socket.is_closed
    client.turn(client.now + 2.0)
    assert socket.is_aborted and connection.is_reset


def test_flows_outlive_a_reset_of_the_device():
    client, connection, socket = established()
    client.network.detach()
    socket.arrive(b"abc")
    client.network.service(client.now)
    client.network.attach(client.port, ALL_OFFLOADS)
    client.turn()
    assert connection.received == b"abc"


def test_close_ends_what_runs_and_may_be_called_twice():
    client, _, socket = established()
    client.network.close()
    client.network.close()
    assert socket.is_closed and not socket.is_aborted
    client.turn()
    assert client.network.wait_fds() == () and client.network.next_timeout() is None


def test_when_both_close_at_once_a_repeated_fin_of_the_guest_is_still_acknowledged():
    client, connection, socket = established(holds=True)
    socket.end()
    client.turn()  # our FIN, sent before the guest's is here
    connection.emit(connection.snd_nxt, FIN | ACK)
    connection.snd_nxt += 1
    client.turn()
    assert socket.is_closed
    seen = len(connection.log)
    connection.emit(connection.snd_nxt - 1, FIN | ACK)
    client.turn()
    assert [s.flags for s in connection.log[seen:]] == [ACK]


def test_what_the_guest_has_is_discarded_before_the_close_so_that_the_server_sees_no_reset():
    client, connection, socket = established(holds=True)
    connection.finish()
    client.turn()
    socket.arrive(b"last words")
    socket.end()
    client.turn()
    assert connection.at_eof
    connection.acknowledge()  # of the octets and of the FIN at once: the flow ends with it
    assert socket.is_closed and not socket.held and not socket.is_aborted


def test_a_keep_alive_is_answered():
    client, connection, _ = established()
    seen = len(connection.log)
    connection.emit(connection.snd_nxt - 1, ACK)
    client.turn()
    assert [(s.flags, s.ack) for s in connection.log[seen:]] == [(ACK, connection.snd_nxt)]


@pytest.mark.parametrize("version", [4, 6])
def test_tcp_behind_options_or_extension_headers_is_tcp_all_the_same(version):
    """The fast path takes plain headers only; router alerts and destination options go another way."""
    client, connection, socket = established(to=REMOTE if version == 4 else IpAddress.parse("2001:db8::7"))
    frames = []
    client.features = 0  # whole checksums
    client.network, network = Recorder(frames), client.network
    connection.emit(connection.snd_nxt, ACK, b"data")
    client.network = network
    frame = frames[0]
    if version == 4:
        octets = Ipv4Packet.parse(frame[14:])._replace(options=b"\x94\x04\0\0").build()
    else:
        length = (len(frame) - 54 + 8).to_bytes(2, "big")
        octets = frame[14:18] + length + b"\x3c" + frame[21:54] + b"\x06\0\x01\x04\0\0\0\0" + frame[54:]
    assert not socket.sent
    client.send_frame(frame[:14] + octets)
    client.turn()
    assert socket.sent == b"data" and client.network.info().malformed == 0


class Recorder:
    """Takes frames and keeps them."""

    def __init__(self, frames):
        self.frames = frames

    def transmit(self, pieces, header):
        self.frames.append(b"".join(pieces))


def test_a_host_that_answered_before_it_broke_is_heard_to_the_end():
    client, connection, socket = established()
    socket.arrive(b"413 too large")
    socket.break_off()
    connection.send(b"more of the request")  # the socket refuses it before anybody has read the answer
    client.turn()
    assert connection.received == b"413 too large"
    client.turn()
    assert connection.is_reset and socket.is_aborted


def test_a_flow_that_spent_the_last_of_a_turn_goes_on_in_the_next():
    client, connection, socket = established(
        features=0x3, config={"quantum": 10_000, "turn_budget": 15_000}, holds=True, window=60_000
    )
    socket.arrive(bytes(58_400))
    for _ in range(8):
        client.turn()
    assert sum(len(segment.payload) for segment in connection.log) == 58_400


def test_octets_that_were_being_discarded_at_an_interrupt_are_not_discarded_again():
    client, connection, socket = established()
    discard, discarded = socket.discard, []

    def interrupted(count):
        discard(count)
        discarded.append(count)
        if len(discarded) == 1:
            raise KeyboardInterrupt

    socket.discard = interrupted
    socket.arrive(b"12345")
    client.turn()
    with pytest.raises(KeyboardInterrupt):
        client.turn()
    assert connection.received == b"12345"
    client.network.close()
    assert discarded == [5] and socket.is_closed
