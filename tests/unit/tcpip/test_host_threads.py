"""Threads share a host: results, and its end while others run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from tcpip.errors import ConnectionAbortedError, UsageError
from tcpip.host import Host
from tcpip.scheduler import Signal, sleep_until
from tests.fakes.silent_device import silent_host


@pytest.fixture
def host() -> Iterator[Host]:
    host = silent_host()
    yield host
    host.close()


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads change places at nearly every line."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(count: int, work: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_a_thread_goes_on_only_when_its_result_is_there(host: Host, hasty_threads: None) -> None:
    wrong: list[object] = []

    async def answer(number: int) -> int:
        await sleep_until(host.now() + 0.0002)  # others come meanwhile, and one drives for all
        return number

    def ask(thread: int) -> None:
        for number in range(60):
            try:
                if host.run(answer(number)) != number:
                    wrong.append(number)
            except BaseException as error:
                wrong.append(error)

    join(in_threads(8, ask))
    assert wrong == []


async def immediately() -> str:
    return "done"


def test_close_ends_what_other_threads_run(host: Host) -> None:
    ends: list[str] = []
    started = threading.Semaphore(0)

    async def wait() -> None:
        started.release()
        try:
            await Signal().wait()
        finally:
            ends.append("cleaned up")

    def work(number: int) -> None:
        with pytest.raises(ConnectionAbortedError, match="closed"):
            host.run(wait())
        ends.append("ended")

    threads = in_threads(3, work)
    for _ in threads:
        assert started.acquire(timeout=5)
    host.close()
    join(threads)
    assert sorted(ends) == ["cleaned up"] * 3 + ["ended"] * 3
    assert host.device.is_closed  # type: ignore[attr-defined]


def test_a_closed_host_runs_nothing(host: Host) -> None:
    host.close()
    with pytest.raises(UsageError, match="closed"):
        host.run(immediately())


def test_a_coroutine_may_close_the_host_it_runs_on(host: Host) -> None:
    async def closes() -> None:
        host.close()
        await Signal().wait()

    with pytest.raises(ConnectionAbortedError):
        host.run(closes())
    assert host.device.is_closed  # type: ignore[attr-defined]


def test_a_task_that_waits_while_it_cleans_up_is_ended_by_close(host: Host) -> None:
    ends: list[str] = []

    async def stubborn() -> None:
        try:
            await Signal().wait()
        finally:
            try:
                await Signal().wait()
            finally:
                ends.append("ended")

    async def begins() -> None:
        host.spawn(stubborn())
        await sleep_until(host.now())

    host.run(begins())
    host.close()
    assert ends == ["ended"]


def test_a_device_that_fails_is_no_traceback_of_the_keeper(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    leaked: list[object] = []

    def fails(now: float) -> None:
        asked.set()
        raise OSError("gone")

    monkeypatch.setattr("tcpip.host.KEEP_INTERVAL", 0.001)
    monkeypatch.setattr(threading, "excepthook", leaked.append)
    monkeypatch.setattr(host.device, "service", fails)
    before = threading.active_count()
    host.keep_in_background()
    assert asked.wait(5)
    for thread in threading.enumerate():
        if thread.name == "redox-keeper":
            thread.join(5)
    assert leaked == [] and threading.active_count() == before
    with pytest.raises(OSError, match="gone"):
        host.run(sleep_until(host.now() + 1))
    monkeypatch.undo()
