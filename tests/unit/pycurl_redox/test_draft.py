"""Tries that get less far than the first: what is on disk is given up only for more, or for the whole."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from pycurl_redox.cli import main
from pycurl_redox.output import Output
from tests.fakes.memory_network import MemoryNetwork

OLD = bytes(range(97, 123)) * 4000
NEW = OLD.upper()
SIZE = len(OLD)


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def answer(body: bytes, size: int = SIZE, more: str = "") -> list[bytes]:
    """What one connection brings before it ends; less than `size` octets is a body that breaks off."""
    return [f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n{more}\r\n".encode(), body]


def tried(*answers: list[bytes], options: str = "") -> tuple[int, bytes]:
    words = f"-sq --retry {len(answers) - 1} --retry-all-errors --retry-delay 1 {options} -o f a.test"
    code = main(shlex.split(words), network_factory=lambda nic: MemoryNetwork(*answers))
    return code, Path("f").read_bytes()


@pytest.mark.parametrize(
    ("bodies", "code", "left"),
    [
        ((OLD[:5000], OLD[:1000], OLD[:1000]), 18, OLD[:5000]),
        ((OLD[:5000], NEW[:1000], NEW[:1000]), 18, OLD[:5000]),
        ((OLD[:5000], b"", b""), 18, OLD[:5000]),
        ((OLD[:5000], NEW[:1000], OLD[:7000]), 18, OLD[:7000]),
        ((OLD[:5000], NEW[:1000], NEW[:7000]), 18, NEW[:7000]),
        ((OLD[:5000], OLD[:1000] + NEW[1000:3000]), 18, OLD[:5000]),
        ((OLD[:5000], OLD[:1000] + NEW[1000:6000]), 18, OLD[:1000] + NEW[1000:6000]),
        ((OLD[:5000], NEW[:6000], NEW[:5500], OLD[:5999]), 18, NEW[:6000]),
        ((OLD[:5000], OLD), 0, OLD),
        ((OLD[:5000], NEW), 0, NEW),
    ],
    ids=lambda value: "-".join(str(len(each)) for each in value) if isinstance(value, tuple) else "",
)
def test_the_longest_try_is_what_is_left(bodies: tuple[bytes, ...], code: int, left: bytes) -> None:
    assert tried(*map(answer, bodies)) == (code, left)
    assert os.listdir() == ["f"]


@pytest.mark.parametrize("whole", [b"", b"now short", OLD[:1000]], ids=["empty", "other", "beginning"])
def test_a_whole_body_takes_the_place_of_a_longer_part(whole: bytes) -> None:
    assert tried(answer(OLD[:5000]), answer(NEW[:10]), answer(whole, len(whole))) == (0, whole)


def test_another_version_that_gets_less_far_is_continued_and_takes_its_place_when_it_is_longer() -> None:
    tag = 'ETag: "new"\r\n'
    part = f"Content-Range: bytes 1000-{SIZE - 1}/{SIZE}\r\nContent-Length: {SIZE - 1000}\r\n{tag}\r\n"
    rest = b"HTTP/1.1 206 Partial Content\r\n" + part.encode()
    old = answer(OLD[:5000], more='ETag: "old"\r\n')
    assert tried(old, answer(NEW[:1000], more=tag)) == (18, OLD[:5000])
    assert tried(old, answer(NEW[:1000], more=tag), [rest, NEW[1000:4000]]) == (18, OLD[:5000])
    assert tried(old, answer(NEW[:1000], more=tag), [rest, NEW[1000:]]) == (0, NEW)


def test_an_answer_that_is_an_error_is_no_part_of_the_file() -> None:
    busy = [b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"]
    assert tried(busy, answer(OLD[:2])) == (18, OLD[:2])
    assert tried(answer(OLD[:5000]), busy, answer(NEW[:20])) == (18, OLD[:5000])
    head, body = answer(OLD[:5000])
    assert tried(answer(OLD[:5000]), busy, options="-i") == (18, head + body)
    assert tried(answer(OLD[:5000]), answer(NEW[:20]), options="-i") == (18, head + body)
    assert tried(answer(OLD[:5000]), answer(NEW), options="-i") == (0, head + NEW)


def test_what_continues_a_file_is_not_lost_to_an_error_in_between() -> None:
    part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-9/10\r\nContent-Length: %d\r\n\r\n"
    busy = [b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"]
    Path("f").write_bytes(OLD[:2])
    assert tried([part % (2, 8), OLD[2:5]], busy, options="-C -") == (33, OLD[:5])
    assert tried([part % (5, 5), OLD[5:7]], busy, [part % (7, 3), OLD[7:10]], options="-C -") == (0, OLD[:10])


def test_a_file_that_cannot_be_read_or_is_another_by_now_is_not_compared() -> None:
    output = Output("f")
    output.write(OLD[:5000])
    os.rename("f", "g")
    Path("f").write_bytes(NEW[:5000])
    output.start_over(keeps=True)
    output.write(NEW[:1000])
    assert (Path("g").read_bytes(), output.written) == (OLD[:5000], 1000)
    output.complete()
    output.close()
    assert (Path("g").read_bytes(), Path("f").read_bytes()) == (NEW[:1000], NEW[:5000])
