"""redox-ping without a network: its command line, its figures, and the order of what it says."""

from __future__ import annotations

import pytest

from pycurl_redox.ping import Options, Ping, Statistics, UsageError, parse
from tcpip.ping import Reply
from tcpip.scheduler import Scheduler, Signal
from tcpip.wire.address import IpAddress

HERE = IpAddress.parse("192.0.2.1")


class ScriptedEcho:
    """Answers request `n` after `delays[n]` seconds, or never."""

    def __init__(self, network: ScriptedNetwork, delays: list[list[float]]) -> None:
        self._network = network
        self._delays = delays
        self._coming: list[tuple[float, Reply]] = []
        self.closed = False

    def send(self, sequence: int, size: int, hop_limit: int) -> None:
        now = self._network.now()
        for delay in self._delays[sequence - 1] if sequence <= len(self._delays) else []:
            reply = Reply(HERE, sequence, size, hop_limit, delay)
            self._coming.append((now + delay, reply))
        self._coming.sort(key=lambda item: item[0])

    async def reply(self, deadline: float | None) -> Reply | None:
        when = self._coming[0][0] if self._coming else None
        if when is None or (deadline is not None and when > deadline):
            await Signal().wait(deadline)
            return None
        await Signal().wait(when)
        return self._coming.pop(0)[1]

    def close(self) -> None:
        self.closed = True


class ScriptedNetwork:
    """A clock that jumps, and one host."""

    def __init__(self, delays: list[list[float]]) -> None:
        self.time = 100.0
        self.socket = ScriptedEcho(self, delays)

    def now(self) -> float:
        return self.time

    def wall_clock(self) -> float:
        return 1_700_000_000.25

    async def resolve(self, name: str, family: int, deadline: float | None) -> list[IpAddress]:
        return [HERE]

    async def echo(self, address: IpAddress) -> ScriptedEcho:
        return self.socket

    def name_of(self, address: IpAddress) -> str | None:
        return None


def run(options: Options, delays: list[list[float]], until: float = 1000.0) -> tuple[str, Statistics]:
    network, lines = ScriptedNetwork(delays), []
    ping = Ping(network, options, lines.append)  # type: ignore[arg-type]
    scheduler = Scheduler()
    task = scheduler.spawn(ping.run())
    while not task.is_done and network.time < until:
        if not scheduler.run_ready():
            deadline = scheduler.next_timeout()
            assert deadline is not None
            network.time = deadline
            scheduler.handle_timeout(deadline)
    if task.is_done:
        assert task.result is None and network.socket.closed
    return "".join(lines), ping.statistics


def test_replies_are_counted_and_timed() -> None:
    output, figures = run(Options("192.0.2.1", packets=2), [[0.010], [0.020]])
    assert output == (
        "PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.\n"
        "64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=10.0 ms\n"
        "64 bytes from 192.0.2.1: icmp_seq=2 ttl=64 time=20.0 ms\n"
    )
    assert figures.text("192.0.2.1") == (
        "\n--- 192.0.2.1 ping statistics ---\n"
        "2 packets transmitted, 2 received, 0% packet loss, time 1020ms\n"
        "rtt min/avg/max/mdev = 10.000/15.000/20.000/5.000 ms\n"
    )


def test_a_late_reply_counts_for_its_own_number() -> None:
    output, figures = run(Options("192.0.2.1", packets=2), [[1.5], [0.1]])
    assert output.index("icmp_seq=2") < output.index("icmp_seq=1")
    assert (figures.sent, figures.received) == (2, 2)


def test_a_second_reply_is_a_duplicate_and_no_second_reception() -> None:
    output, figures = run(Options("192.0.2.1", packets=2), [[0.1, 0.2], [0.1]])
    assert "icmp_seq=1 ttl=64 time=200 ms (DUP!)" in output
    assert (figures.received, figures.duplicates) == (2, 1)
    assert "2 received, +1 duplicates, 0% packet loss" in figures.text("x")


def test_silence_ends_after_the_linger_time() -> None:
    output, figures = run(Options("192.0.2.1", packets=1, timeout=3.0, has_timeout=True), [[]])
    assert output.count("\n") == 1 and figures.received == 0
    assert "1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\n" in figures.text("x")


def test_a_deadline_ends_everything() -> None:
    output, figures = run(Options("192.0.2.1", deadline=2.5), [[0.01]] * 10)
    assert figures.sent == 3 and output.count("icmp_seq") == 3


def test_outstanding_replies_are_told_before_the_next_request() -> None:
    output, _ = run(Options("192.0.2.1", packets=2, outstanding=True), [[], [0.1]])
    assert output.splitlines()[1:] == [
        "no answer yet for icmp_seq=1",
        "64 bytes from 192.0.2.1: icmp_seq=2 ttl=64 time=100 ms",
    ]


def test_time_stamps_and_quiet() -> None:
    stamped, _ = run(Options("192.0.2.1", packets=1, stamps=True), [[0.001]])
    assert "[1700000000.250000] 64 bytes from" in stamped
    quiet, figures = run(Options("192.0.2.1", packets=1, quiet=True), [[0.001]])
    assert quiet.count("\n") == 1 and figures.received == 1


@pytest.mark.parametrize(
    ("argv", "message", "code"),
    [
        ([], "Destination address required", 1),
        (["-Z", "x"], "invalid option -- 'Z'", 2),
        (["-c"], "option requires an argument -- 'c'", 2),
        (["-c", "0", "x"], "out of range: 1 <= value <= 9223372036854775807", 1),
        (["-i", "-1", "x"], "bad timing interval: -1", 2),
        (["-i", "0.0001", "x"], "minimal interval", 2),
        (["-t", "256", "x"], "out of range: 1 <= value <= 255", 1),
        (["-4", "-6", "x"], "only one -4 or -6", 2),
        (["x", "y"], "one destination", 2),
    ],
)
def test_a_bad_command_line_is_refused_by_name(argv: list[str], message: str, code: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert message in str(caught.value) and caught.value.exit_code == code


def test_options_may_be_joined_and_follow_the_destination() -> None:
    options = parse(["-4qnc3", "host", "-W", "0.5", "--nic", "tap:t0"])
    assert options == Options(
        "host", family=4, packets=3, timeout=0.5, has_timeout=True, quiet=True, numeric=True, nic="tap:t0"
    )
    assert parse(["-h"]) is None
