"""Ctrl-C and SIGTERM where the network swallows what is sent; for other waits: `tests/cases/signals.txt`."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "tests.fakes.whole_path"]

signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)


class Child:
    """A command in a process of its own, on a network that may swallow frames."""

    def __init__(self, *arguments: str, swallow: str = "") -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "SWALLOW": swallow},
        )  # fmt: skip

    def await_swallowing(self) -> None:
        assert self.process.stderr is not None
        ready, _, _ = select.select([self.process.stderr], [], [], 10)
        assert ready and self.process.stderr.readline() == b"swallowed\n"

    def end_by(self, number: signal.Signals) -> tuple[float, str, str]:
        """Seconds until it was gone, and what it said."""
        begin = time.monotonic()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return time.monotonic() - begin, out.decode(), err.decode()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        if child.process.poll() is None:
            child.process.kill()
            child.process.communicate()


def check_ended(child: Child, number: signal.Signals) -> None:
    seconds, _, err = child.end_by(number)
    assert seconds < 1.0
    assert "Traceback" not in err and err == ""
    assert child.process.returncode in (-number, 128 + number)


WITHOUT_ANSWER = {"waiting for DHCP": "all", "resolving": "dns", "connecting": "tcp"}


@signals
@pytest.mark.parametrize("stage", WITHOUT_ANSWER)
def test_a_network_that_does_not_answer_is_left_at_once(
    children: list[Child], stage: str, number: signal.Signals
) -> None:
    host = "name.test" if stage == "resolving" else "192.0.2.1"
    child = Child("curl", "-q", "-sS", f"http://{host}/", swallow=WITHOUT_ANSWER[stage])
    children.append(child)
    child.await_swallowing()
    check_ended(child, number)


@signals
@pytest.mark.parametrize("swallow", ["all", "icmp"])
def test_a_ping_that_nobody_answers_is_left_at_once(
    children: list[Child], swallow: str, number: signal.Signals
) -> None:
    child = Child("ping", "10.0.2.2", swallow=swallow)
    children.append(child)
    child.await_swallowing()
    seconds, out, err = child.end_by(number)
    assert seconds < 1.0 and err == ""
    if swallow == "icmp" and number == signal.SIGINT:
        assert "--- 10.0.2.2 ping statistics ---\n1 packets transmitted, 0 received, 100% packet loss" in out
        assert child.process.returncode == 1


@signals
def test_netcfg_is_left_at_once(children: list[Child], number: signal.Signals) -> None:
    child = Child("netcfg", swallow="all")
    children.append(child)
    child.await_swallowing()
    seconds, _, err = child.end_by(number)
    assert seconds < 1.0 and err == ""
    assert child.process.returncode != 0
