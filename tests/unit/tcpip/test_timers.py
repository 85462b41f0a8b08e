import random

from tcpip.timers import Timed, Timers


def test_the_earliest_deadline_is_told_however_they_move():
    timers: Timers[Timed] = Timers()
    owners = [Timed() for _ in range(20)]
    chance = random.Random(1)
    for _ in range(2000):
        timers.set(chance.choice(owners), chance.choice([None, chance.random(), 2 + chance.random()]))
        expected = min((o.deadline for o in owners if o.deadline is not None), default=None)
        assert timers.next_timeout() == expected


def test_owners_come_out_once_and_in_order():
    timers: Timers[Timed] = Timers()
    owners = [Timed() for _ in range(5)]
    for i, owner in enumerate(owners):
        timers.set(owner, 9.0)
        timers.set(owner, float(i))
    assert [timers.pop_due(3.0) for _ in range(4)] == owners[:4]
    assert timers.pop_due(3.0) is None
    assert timers.next_timeout() == 4.0


def test_a_deadline_that_jumps_to_and_fro_does_not_fill_the_heap():
    timers: Timers[Timed] = Timers()
    owner = Timed()
    for i in range(10_000):
        timers.set(owner, float(i) + 7200)
        timers.set(owner, float(i))
        assert timers.pop_due(float(i)) is owner
    assert len(timers._heap) <= 128
