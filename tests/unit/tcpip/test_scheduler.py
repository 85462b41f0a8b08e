"""Tasks wait for signals with deadlines, and for nothing else."""

import pytest

from tcpip.scheduler import CancelledError, Scheduler, Signal, sleep_until


def test_a_task_wakes_when_its_signal_fires() -> None:
    scheduler, signal, seen = Scheduler(), Signal(), []

    async def waits() -> str:
        seen.append(await signal.wait())
        return "done"

    task = scheduler.spawn(waits())
    assert scheduler.run_ready() and not scheduler.run_ready()
    assert not seen
    signal.fire()
    scheduler.run_ready()
    assert seen == [True] and task.result == "done"


def test_a_deadline_wakes_with_false_and_leaves_the_signal() -> None:
    scheduler, signal = Scheduler(), Signal()

    async def waits() -> bool:
        return await signal.wait(5.0)

    task = scheduler.spawn(waits())
    scheduler.run_ready()
    assert scheduler.next_timeout() == 5.0
    scheduler.handle_timeout(4.9)
    assert not scheduler.run_ready()
    scheduler.handle_timeout(5.0)
    scheduler.run_ready()
    assert task.result is False and scheduler.next_timeout() is None
    signal.fire()


def test_a_signal_that_fired_first_wins_over_the_deadline() -> None:
    scheduler, signal = Scheduler(), Signal()

    async def waits() -> bool:
        return await signal.wait(5.0)

    task = scheduler.spawn(waits())
    scheduler.run_ready()
    signal.fire()
    scheduler.handle_timeout(6.0)
    scheduler.run_ready()
    assert task.result is True


def test_an_error_comes_out_where_the_result_is_asked_for() -> None:
    scheduler = Scheduler()

    async def fails() -> None:
        raise ValueError("no")

    async def joins() -> None:
        await scheduler.spawn(fails()).join()

    task = scheduler.spawn(joins())
    while scheduler.run_ready():
        pass
    with pytest.raises(ValueError, match="no"):
        _ = task.result


def test_cancelling_runs_what_the_coroutine_wants_to_clean_up() -> None:
    scheduler, signal, cleaned = Scheduler(), Signal(), []

    async def waits() -> None:
        try:
            await signal.wait()
        finally:
            cleaned.append(True)

    task = scheduler.spawn(waits())
    scheduler.run_ready()
    task.cancel()
    assert cleaned and task.is_done
    with pytest.raises(CancelledError):
        _ = task.result
    signal.fire()
    assert not scheduler.run_ready()


def test_an_interrupt_inside_a_task_leaves_through_the_loop() -> None:
    scheduler = Scheduler()

    async def interrupted() -> None:
        raise KeyboardInterrupt

    task = scheduler.spawn(interrupted())
    with pytest.raises(KeyboardInterrupt):
        scheduler.run_ready()
    assert task.is_done


def test_many_waits_with_deadlines_leave_no_growing_heap() -> None:
    scheduler, signal = Scheduler(), Signal()

    async def reads() -> None:
        for i in range(5000):
            await signal.wait(1000.0 + i // 2)

    task = scheduler.spawn(reads())
    largest = 0
    while not task.is_done:
        scheduler.run_ready()
        signal.fire()
        largest = max(largest, len(scheduler._deadlines))
    assert largest <= 100


def test_a_thousand_sleepers_wake_in_order_of_their_deadlines() -> None:
    scheduler, order = Scheduler(), []

    async def sleeps(until: float) -> None:
        await sleep_until(until)
        order.append(until)

    for i in range(1000):
        scheduler.spawn(sleeps(float((i * 7919) % 1000)))
    scheduler.run_ready()
    while (deadline := scheduler.next_timeout()) is not None:
        scheduler.handle_timeout(deadline)
        scheduler.run_ready()
    assert order == sorted(order) and len(order) == 1000


def test_a_task_that_cancels_itself_ends_where_it_waits_next() -> None:
    scheduler, seen = Scheduler(), []

    async def cancels_itself() -> None:
        task.cancel()
        seen.append("goes on")
        try:
            await Signal().wait()
        finally:
            seen.append("cleans up")

    task = scheduler.spawn(cancels_itself())
    scheduler.run_ready()
    assert seen == ["goes on", "cleans up"] and task.is_done
    with pytest.raises(CancelledError):
        _ = task.result


def test_two_tasks_that_cancel_each_other_both_end() -> None:
    scheduler, ends = Scheduler(), []

    async def first() -> None:
        try:
            await sleep_until(1.0)
            others[1].cancel()
            await Signal().wait()
        finally:
            ends.append("first")

    async def second() -> None:
        try:
            await Signal().wait()
        finally:
            others[0].cancel()
            ends.append("second")

    others = [scheduler.spawn(first()), scheduler.spawn(second())]
    scheduler.run_ready()
    scheduler.handle_timeout(1.0)
    scheduler.run_ready()
    assert ends == ["second", "first"] and all(task.is_done for task in others)


def test_a_lost_wake_up_is_made_good_by_waking_all() -> None:
    scheduler, signal = Scheduler(), Signal()

    async def waits() -> str:
        while not ready:
            await signal.wait()
        return "seen"

    ready: list[bool] = []
    tasks = [scheduler.spawn(waits()) for _ in range(2)]
    unborn = scheduler.spawn(waits())
    scheduler._ready.pop()  # as if an interrupt had come before its first step
    scheduler.run_ready()
    signal._waiters.clear()  # and another in the midst of `fire`
    ready.append(True)
    scheduler.wake_all()
    scheduler.run_ready()
    assert [task.result for task in (*tasks, unborn)] == ["seen"] * 3


def test_who_sleeps_is_not_woken_early() -> None:
    scheduler = Scheduler()
    task = scheduler.spawn(sleep_until(5.0))
    scheduler.run_ready()
    scheduler.wake_all()
    scheduler.run_ready()
    assert not task.is_done
    scheduler.handle_timeout(5.0)
    scheduler.run_ready()
    assert task.is_done


def test_who_is_told_of_the_end_finds_the_result() -> None:
    scheduler, found = Scheduler(), []

    async def answers() -> int:
        return 42

    task = scheduler.spawn(answers())
    task.on_end = lambda: found.append(task.result)
    scheduler.run_ready()
    assert found == [42]
