"""Pipes of the machine, waited for by a loop that has no stack."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tcpip.bare_loop import BareLoop
from tcpip.descriptors import READABLE, WRITABLE
from tcpip.scheduler import Signal


@pytest.fixture
def loop() -> Iterator[BareLoop]:
    loop = BareLoop()
    yield loop
    loop.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


def test_a_reader_is_woken_when_another_task_has_written(loop: BareLoop, pipe: tuple[int, int]) -> None:
    async def write() -> None:
        os.write(pipe[1], b"x")

    async def read() -> bytes:
        loop.spawn(write())
        assert await loop.descriptors.wait(pipe[0], READABLE, loop.now() + 10)
        return os.read(pipe[0], 9)

    assert loop.run(read()) == b"x"


def test_the_end_of_a_pipe_wakes_too(loop: BareLoop, pipe: tuple[int, int]) -> None:
    async def close() -> None:
        os.close(pipe[1])

    async def read() -> bytes:
        loop.spawn(close())
        assert await loop.descriptors.wait(pipe[0], READABLE, loop.now() + 10)
        return os.read(pipe[0], 9)

    assert loop.run(read()) == b""


def test_several_wait_for_one_descriptor(loop: BareLoop, pipe: tuple[int, int]) -> None:
    async def read() -> bool:
        return await loop.descriptors.wait(pipe[0], READABLE, loop.now() + 10)

    async def all_of_them() -> list[bool]:
        tasks = [loop.spawn(read()) for _ in range(3)]
        await Signal().wait(loop.now())  # they wait by now
        os.write(pipe[1], b"x")
        return [await task.join() for task in tasks]

    assert loop.run(all_of_them()) == [True, True, True]


def test_a_deadline_ends_the_wait(loop: BareLoop, pipe: tuple[int, int]) -> None:
    async def read() -> bool:
        return await loop.descriptors.wait(pipe[0], READABLE, loop.now() + 0.01)

    assert loop.run(read()) is False


def test_a_full_pipe_is_waited_for(loop: BareLoop, pipe: tuple[int, int]) -> None:
    while True:
        try:
            os.write(pipe[1], bytes(4096))
        except BlockingIOError:
            break

    async def drain() -> None:
        while os.read(pipe[0], 65_536) == bytes(65_536):
            pass

    async def write() -> bool:
        assert not await loop.descriptors.wait(pipe[1], WRITABLE, loop.now())
        loop.spawn(drain_all())
        return await loop.descriptors.wait(pipe[1], WRITABLE, loop.now() + 10)

    async def drain_all() -> None:
        try:
            await drain()
        except BlockingIOError:
            pass

    assert loop.run(write()) is True


def test_a_file_is_always_ready(loop: BareLoop, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")

    async def read() -> bool:
        with open(tmp_path / "f", "rb") as file:
            return await loop.descriptors.wait(file.fileno(), READABLE, None)

    assert loop.run(read()) is True


def test_a_fifo_without_a_writer_is_not_at_its_end(loop: BareLoop, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    file = os.open(tmp_path / "f", os.O_RDONLY | os.O_NONBLOCK)

    async def read() -> bool:
        return await loop.descriptors.wait(file, READABLE, loop.now() + 0.01)

    try:
        assert loop.run(read()) is False
    finally:
        os.close(file)


def test_what_a_run_leaves_behind_is_cancelled(loop: BareLoop, pipe: tuple[int, int]) -> None:
    cleaned = []

    async def wait() -> None:
        try:
            await loop.descriptors.wait(pipe[0], READABLE, None)
        finally:
            cleaned.append(True)

    async def fail() -> None:
        loop.spawn(wait())
        await Signal().wait(loop.now())
        raise ValueError

    with pytest.raises(ValueError):
        loop.run(fail())
    assert cleaned == [True]
