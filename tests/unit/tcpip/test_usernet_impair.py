"""The bad wire: what it does is what was asked for, and the same again from the same seed."""

from __future__ import annotations

from tcpip.usernet import UserNetConfig, UserNetwork
from tcpip.usernet.impair import Chance, ImpairConfig, Impairment, Wire
from tcpip.wire.address import IpAddress
from tests.fakes.bare_client import PLAIN, BareClient
from tests.fakes.host_sockets import FakeHost

GATEWAY = IpAddress.parse("10.0.2.2")


def through(impairment, count=100, seed=1, step=0.0):
    """Numbers of the frames that come out, in order, with their times."""
    wire = Wire(impairment, seed)
    out = []
    for i in range(count):
        wire.offer(i.to_bytes(2, "big"), PLAIN, i * step)
    while (now := wire.next_timeout()) is not None:
        wire.take_due(now, lambda frame, _, now=now: out.append((int.from_bytes(frame, "big"), now)) or True)
    return out


def test_nothing_asked_for_nothing_done():
    assert [number for number, _ in through(Impairment())] == list(range(100))


def test_loss_is_about_what_was_asked_and_repeatable():
    one, again, other = (through(Impairment(loss=0.3), 1_000, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert 620 < len(one) < 780


def test_chance_is_even():
    chance = Chance(7)
    numbers = [chance.next() for _ in range(10_000)]
    assert 0.48 < sum(numbers) / 10_000 < 0.52 and 0 <= min(numbers) < 0.001 and 0.999 < max(numbers) < 1


def test_the_nth_frame_is_dropped():
    assert [number for number, _ in through(Impairment(drop=(1, 4)), 6)] == [1, 2, 4, 5]


def test_duplicates_come_twice():
    out = [number for number, _ in through(Impairment(duplicate=1.0), 3)]
    assert out == [0, 0, 1, 1, 2, 2]


def test_delay_keeps_the_order_and_jitter_does_not():
    assert through(Impairment(delay=0.5), 3, step=0.1) == [(0, 0.5), (1, 0.6), (2, 0.7)]
    out = through(Impairment(delay=0.5, jitter=0.2), 100)
    assert [number for number, _ in out] != list(range(100)) and sorted(n for n, _ in out) == list(range(100))
    assert all(0.5 <= when <= 0.7 for _, when in out)


def test_rate_spaces_frames_by_their_size():
    out = through(Impairment(rate=20.0), 3)
    assert [round(when, 6) for _, when in out] == [0.1, 0.2, 0.3]


def test_a_full_wire_loses_what_comes():
    out = through(Impairment(delay=1.0, max_frames=10))
    assert [number for number, _ in out] == list(range(10))


def test_both_directions_of_a_network_are_impaired_and_counted():
    impair = ImpairConfig(0, Impairment(drop=(1,), delay=0.25), Impairment(drop=(2,), delay=0.5))
    network = UserNetwork(UserNetConfig(impair=impair, network6=None), FakeHost(), random_bytes=bytes)
    client = BareClient(network)
    for _ in range(4):
        client.send_arp(GATEWAY)
    client.turn()
    assert not client.arps and network.next_timeout() == client.now + 0.25
    client.turn(client.now + 0.25)
    assert network.info().frames_from_guest == 3
    client.turn(client.now + 0.5)
    assert len(client.arps) == 2
    assert network.info().frames_lost_on_purpose == 2
    assert network.next_timeout() is None


def test_frames_that_are_due_wait_for_receive_buffers_without_spinning():
    impair = ImpairConfig(to_guest=Impairment(delay=0.1))
    network = UserNetwork(UserNetConfig(impair=impair, network6=None), FakeHost(), random_bytes=bytes)
    client = BareClient(network)
    client.port.capacity = 0
    client.send_arp(GATEWAY)
    client.turn(client.now + 0.1)
    assert network.next_timeout() is None
    client.port.capacity = 1
    client.turn()
    assert len(client.arps) == 1
