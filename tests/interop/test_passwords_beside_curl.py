"""`-u USER` and `-U USER` without a password, at a terminal and without one, beside curl."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import termios
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.commands import CURL, REDOX_CURL, needs_curl
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, needs_curl]

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
COMMANDS = {"ours": REDOX_CURL, "curl": (str(CURL), "-q")}


class Asked(NamedTuple):
    code: int
    shown: bytes
    logins: list[bytes]


class Terminal:
    """A process with a controlling terminal of its own; what it writes to stderr is shown there too."""

    def __init__(self, command: Sequence[str]) -> None:
        self.ours, self._theirs = pty.openpty()

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command, stdin=self._theirs, stdout=subprocess.DEVNULL, stderr=self._theirs,
            preexec_fn=take_terminal, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        self.shown = b""

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def wait_for(self, prompt: bytes) -> None:
        while prompt not in self.shown:
            self.shown += os.read(self.ours, 1000)

    def type(self, text: bytes) -> None:
        os.write(self.ours, text)

    def end(self) -> int:
        """Return the exit code; what is still to be read is shown."""
        code = self.process.wait(20)
        os.set_blocking(self.ours, False)
        try:
            self.shown += os.read(self.ours, 10_000)
        except BlockingIOError:
            pass
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self._theirs)


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    logins: list[bytes] = []

    def converse(link: object) -> None:
        head = read_request(link)  # type: ignore[arg-type]
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b": Basic ")
            if value:
                logins.append(name + b" " + b64decode(value))
        link.sendall(REPLY)  # type: ignore[attr-defined]

    with serving(converse) as port:
        yield f"http://127.0.0.1:{port}/", logins


LINES: dict[str, tuple[str, tuple[tuple[bytes, bytes], ...]]] = {
    "host": ("-s -u x URL", ((b"Enter host password for user 'x':", b"secret"),)),
    "no letters": ("-s -u x URL", ((b"Enter host password for user 'x':", b""),)),
    "proxy": ("-s -x URL -U x http://h.test/", ((b"Enter proxy password for user 'x':", b"s p"),)),
    "both": (
        "-s -x URL -u x -U y http://h.test/",
        ((b"password for user 'x':", b"one"), (b"proxy password for user 'y':", b"two")),
    ),
    "groups": (
        "-s -u x URL --next -s -u y:z URL --next -s -u w URL",
        ((b"for user 'x' on URL #1:", b"one"), (b"for user 'w' on URL #3:", b"two")),
    ),
    "the last group only": ("-s URL --next -s -u y URL", ((b"for user 'y' on URL #2:", b"two"),)),
    "login options": ("-s -u x;o=p URL", ((b"for user 'x':", b"one"),)),
    "nobody": ("-s -u  URL", ((b"for user '':", b"one"),)),
    "given": ("-s -u x: -U ;y URL", ()),
    "bearer": ("-s -u x --oauth2-bearer t URL", ()),
    "no URL": ("-s -u x", ((b"for user 'x':", b"one"),)),
    "a long name": (f"-s -u {'n' * 300} URL", ((b"Enter host password for user 'nnn", b"one"),)),
}


@pytest.mark.parametrize("name", LINES)
def test_a_password_is_asked_for_at_the_terminal_as_curl_asks(
    server: tuple[str, list[bytes]], name: str
) -> None:
    url, logins = server
    line, answers = LINES[name]
    asked = {}
    for who, command in COMMANDS.items():
        logins.clear()
        terminal = Terminal([*command, *line.replace("URL", url).split(" ")])
        try:
            for prompt, answer in answers:
                terminal.wait_for(prompt)
                assert not terminal.echoes
                terminal.type(answer + b"\n")
            asked[who] = Asked(terminal.end(), terminal.shown, list(logins))
            assert terminal.echoes
        finally:
            terminal.close()
    assert asked["ours"] == asked["curl"]
    assert all(answer not in asked["ours"].shown for _, answer in answers if answer)


def test_ctrl_c_at_the_prompt_ends_the_command_and_gives_the_echo_back(
    server: tuple[str, list[bytes]],
) -> None:
    terminal = Terminal([*REDOX_CURL, "-s", "-u", "x", server[0]])
    try:
        terminal.wait_for(b"user 'x':")
        terminal.type(b"sec\x03")
        assert terminal.end() == -signal.SIGINT
        assert terminal.echoes and server[1] == []
    finally:
        terminal.close()


@pytest.mark.parametrize("typed", [b"secret\n", b"", b"\n"])
def test_without_a_terminal_standard_input_has_the_answer(
    server: tuple[str, list[bytes]], typed: bytes
) -> None:
    asked = {}
    for who, command in COMMANDS.items():
        server[1].clear()
        done = subprocess.run(
            [*command, "-s", "-u", "x", server[0]],
            input=typed, capture_output=True, start_new_session=True, timeout=20,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        asked[who] = Asked(done.returncode, done.stderr, list(server[1]))
    assert asked["ours"] == asked["curl"]
    assert asked["ours"].shown == b"Enter host password for user 'x':\n"
