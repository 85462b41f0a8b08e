"""`SessionFile`: several commands have one file open, and none loses or uses what is another's."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import pytest

from pycurl_redox import session_file
from pycurl_redox.session_file import SessionFile
from pycurl_redox.tls_sessions import PER_SERVER, SessionStore
from tcpip.clock import wall_clock
from tests.unit.pycurl_redox.test_tls_sessions import ticket

Make = Callable[[Path], None]


class Command:
    """What a command does with its file."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        self.store = SessionStore()
        self.file = SessionFile(str(path), self.said.append)
        self.file.load(self.store)

    def give(self, *identities: bytes, host: str = "a.test") -> None:
        for identity in identities:
            self.store.give(host, 443, "s", ticket(identity), wall_clock())

    def take(self, host: str = "a.test") -> bytes | None:
        found = self.store.take(host, 443, "s", wall_clock())
        return None if found is None else found[0].ticket.identity

    def save(self) -> None:
        self.file.save(self.store)


def filled(path: Path, *identities: bytes) -> Path:
    command = Command(path)
    command.give(*identities)
    command.save()
    return path


def left(path: Path) -> list[bytes]:
    command = Command(path)
    return list(iter(command.take, None))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def test_two_that_have_read_the_same_do_not_use_the_same(path: Path) -> None:
    filled(path, b"1", b"2")
    one, other = Command(path), Command(path)
    assert (one.take(), other.take(), one.take(), other.take()) == (b"2", b"1", None, None)


def test_what_was_used_is_gone_though_its_user_was_killed(path: Path) -> None:
    filled(path, b"1", b"2")
    assert Command(path).take() == b"2"
    assert left(path) == [b"1"]


def test_each_adds_to_what_the_others_have_written(path: Path) -> None:
    one, other = Command(path), Command(path)
    one.give(b"1")
    other.give(b"2", host="b.test")
    one.save()
    other.save()
    third = Command(path)
    assert (third.take("a.test"), third.take("b.test")) == (b"1", b"2")


def test_one_that_was_saved_may_be_another_commands_by_now(path: Path) -> None:
    one = Command(path)
    one.give(b"1")
    one.save()
    assert Command(path).take() == b"1"
    assert one.take() is None


def test_a_server_has_no_more_than_its_share_of_the_file(path: Path) -> None:
    for number in range(PER_SERVER + 2):
        filled(path, bytes((number,)))
    assert left(path) == [bytes((number,)) for number in range(PER_SERVER + 1, 1, -1)]


def test_a_file_that_is_taken_away_gives_no_more(path: Path) -> None:
    command = Command(filled(path, b"1"))
    path.unlink()
    assert command.take() is None and not command.said


def test_what_others_may_have_written_by_now_is_not_used(path: Path) -> None:
    command = Command(filled(path, b"1"))
    path.chmod(0o620)
    assert command.take() is None


def test_a_damaged_file_is_set_aside_and_what_is_whole_serves_once(path: Path) -> None:
    filled(path, b"1")
    damaged = path.read_bytes() + b"nothing of ours\n"
    path.write_bytes(damaged)
    one, other = Command(path), Command(path)
    assert "line 3 is no session of TLS" in one.said[0] and not other.said
    assert Path(f"{path}.damaged").read_bytes() == damaged
    assert (one.take(), other.take()) == (b"1", None)


@pytest.mark.parametrize(
    ("make", "said"), [(os.mkfifo, ["it is no file of its own"] * 2), (os.mkdir, [ANY, "Is a directory"])]
)
def test_what_is_no_file_is_told_of_and_not_waited_for(path: Path, make: Make, said: list[str]) -> None:
    make(path)
    command = Command(path)
    command.give(b"1")
    command.save()
    assert [text.rpartition(": ")[2] for text in command.said] == said


def test_a_lock_that_nobody_lets_go_of_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_file, "TRIES", 2)
    command = Command(filled(path, b"1"))
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert command.take() is None
    assert "another command does not let go of it" in command.said[0]
    assert left(path) == [b"1"]


WORKER = """
import sys
from pathlib import Path
from tests.unit.pycurl_redox.test_session_file import Command

path, name = Path(sys.argv[1]), sys.argv[2]
for number in range(20):
    command = Command(path)
    if (taken := command.take()) is not None:
        print(taken.decode())
    command.give(f"{name}-{number}".encode())
    command.save()
    assert not command.said, command.said
"""


def test_many_at_a_time_use_each_once(path: Path) -> None:
    filled(path, b"1", b"2", b"3")
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(path), name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b", "c", "d")
    ]
    used = [line for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert all(worker.returncode == 0 for worker in workers)
    assert used and len(used) == len(set(used))
    assert not set(used) & {identity.decode() for identity in left(path)}
    assert [each.name for each in path.parent.iterdir()] == ["sessions"]
