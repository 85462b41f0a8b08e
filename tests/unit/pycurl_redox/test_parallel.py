"""-Z through `main`, over scripted connections on a clock that jumps."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pycurl_redox.cli import main
from pycurl_redox.errors import TRY_HELP
from pycurl_redox.job import Job
from pycurl_redox.pool import Pool, Route
from pycurl_redox.progress import PARALLEL_HEAD, ParallelMeter
from tcpip.errors import TimedOutError
from tcpip.scheduler import sleep_until
from tcpip.wire.address import IpAddress
from tests.fakes.memory_network import MemoryNetwork, MemoryStream


class TimedNetwork(MemoryNetwork):
    """Every connection answers any number of requests, each `seconds` after it was sent."""

    def __init__(
        self, seconds: float, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    ) -> None:
        super().__init__()
        self.seconds = seconds
        self.answer = answer
        self.open = self.most = 0
        self.begun: list[float] = []

    async def connect(self, address: IpAddress, port: int, deadline: float | None) -> MemoryStream:
        self.dialled.append((str(address), port))
        stream = TimedStream(self, (address, port))
        self.streams.append(stream)
        return stream


class TimedStream(MemoryStream):
    def __init__(self, network: TimedNetwork, remote: tuple[IpAddress, int]) -> None:
        super().__init__(network, [], remote)
        self.network = network
        self.waits = False

    @property
    def is_stale(self) -> bool:
        return self.is_closed

    async def write(self, pieces: Sequence[bytes | bytearray | memoryview], deadline: float | None) -> None:
        network = self.network
        network.begun.append(network.now())
        network.open += 1
        network.most = max(network.most, network.open)
        await super().write(pieces, deadline)

    async def read(self, deadline: float | None) -> bytes:
        due = self.network.now() + self.network.seconds
        if deadline is not None and deadline < due:
            await sleep_until(deadline)
            raise TimedOutError("TCP: nothing in time")
        await sleep_until(due)
        self.network.open -= 1
        return self.network.answer


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "all_proxy", "ALL_PROXY", "CURL_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def run(arguments: str, network: MemoryNetwork) -> tuple[int, float]:
    began = network.now()
    code = main(shlex.split(arguments), network_factory=lambda nic: network)
    return code, network.now() - began


def reply(body: bytes = b"", head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), head, body)


@pytest.mark.parametrize(
    ("option", "width"),
    [("", 50), ("--parallel-max 7", 7), ("--parallel-max 300", 300), ("--parallel-max 301", 50)]
    + [("--parallel-max 0", 50)],
)
def test_as_many_run_at_once_as_parallel_max_says(option: str, width: int) -> None:
    network = TimedNetwork(10)
    code, seconds = run(f"-sZ --no-progress-meter {option} -o /dev/null a.test/[1-700]", network)
    assert (code, network.most, len(network.streams)) == (0, width, width)
    assert seconds == 10 * -(-700 // width)


def test_parallel_max_host_bounds_the_connections_of_each_host() -> None:
    network = TimedNetwork(10)
    urls = "-o /dev/null a.test/[1-6] -o /dev/null b.test/[1-3] -o /dev/null http://a.test:81/"
    code, seconds = run(f"-sZ --no-progress-meter --parallel-max-host 2 {urls}", network)
    assert (code, seconds) == (0, 30)
    dialled = {where: network.dialled.count(where) for where in network.dialled}
    assert dialled == {("192.0.2.1", 80): 2, ("192.0.2.2", 80): 2, ("192.0.2.1", 81): 1}


def test_one_that_waits_for_a_place_at_its_host_ends_at_its_max_time(
    capfd: pytest.CaptureFixture[str],
) -> None:
    network = TimedNetwork(10)
    code, seconds = run("-sSZ --no-progress-meter --parallel-max-host 1 -m 15 a.test/[1-3]", network)
    assert (code, seconds) == (28, 15)
    assert capfd.readouterr().err.count("curl: (28) Operation timed out after 15000 milliseconds") == 2


def test_a_resting_connection_of_another_kind_makes_room_at_its_host() -> None:
    class Resting:
        is_stale = False
        is_reusable = True

        def __init__(self, route: Route) -> None:
            self.route, self.number, self.on_end = route, 0, pool.count(route)

        def abort(self) -> None:
            self.on_end()

    pool = Pool(max_per_host=1)
    route = Route("http", "a.test", 80, "a.test", 80)
    pool.give(Resting(route))  # type: ignore[arg-type]
    assert pool.has_room(route._replace(family=4)) and pool.idle_count == 0
    pool.count(route)
    assert not pool.has_room(route) and pool.has_room(route._replace(port=81))


def test_a_connection_that_the_peer_closes_stays_until_it_is_asked_for() -> None:
    class Closed:
        is_stale = is_reusable = True
        number = 0
        route = Route("http", "a.test", 80, "a.test", 80)
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    pool, closed, dead = Pool(), Closed(), []
    pool.give(closed)  # type: ignore[arg-type]
    assert pool.idle_count == 1 and not closed.aborted
    assert pool.take(closed.route, dead) is None and dead == [closed] and closed.aborted


def test_a_pattern_of_a_million_is_taken_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from pycurl_redox.command import Command

    made: list[object] = []
    jobs = Command.jobs

    def counted(command: Command) -> Iterator[Job]:
        for job in jobs(command):
            made.append(job.number)
            yield job

    monkeypatch.setattr(Command, "jobs", counted)
    network = TimedNetwork(10, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    code, _ = run("-sfZ --fail-early --no-progress-meter --parallel-max 5 a.test/[1-1000000]", network)
    assert (code, made) == (22, list(range(6)))


def test_the_operations_of_next_run_together(tmp_path: Path) -> None:
    network = TimedNetwork(10)
    code, seconds = run("-sZ --no-progress-meter -o f a.test/1 --next -s -o g -H X:y a.test/2", network)
    assert (code, seconds) == (0, 10)
    assert (tmp_path / "f").read_bytes() == (tmp_path / "g").read_bytes() == b"hi"
    assert [b"X:y" in stream.sent for stream in network.streams] == [False, True]


def test_rate_has_no_effect_side_by_side() -> None:
    network = TimedNetwork(10)
    assert run("-sZ --no-progress-meter --rate 1/m -o /dev/null a.test/[1-5]", network) == (0, 10)


def test_the_exit_code_is_that_of_the_last_that_failed(capfd: pytest.CaptureFixture[str]) -> None:
    network = MemoryNetwork(
        None, [reply(b"a")], [b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"], [reply(b"b")]
    )
    code, _ = run("-sSfZ --no-progress-meter a.test/1 a.test/2 a.test/3 a.test/4", network)
    assert code == 22
    assert capfd.readouterr().err == (
        "curl: (7) Failed to connect to a.test port 80 after 0 ms: Couldn't connect to server\n"
        "curl: (22) The requested URL returned error: 404\n"
    )


def test_fail_early_ends_the_others_and_tells_of_each(capfd: pytest.CaptureFixture[str]) -> None:
    network = MemoryNetwork(None, [None], [None])
    words = "-sSZ --no-progress-meter --fail-early --parallel-max 2 -w '%{urlnum}:%{exitcode} '"
    code, _ = run(f"{words} a.test/1 a.test/2 a.test/3 a.test/4", network)
    out, err = capfd.readouterr()
    assert (code, out) == (7, "0:7 1:42 2:7 ")
    assert err == (
        "curl: (7) Failed to connect to a.test port 80 after 0 ms: Couldn't connect to server\n"
        "curl: (42) Transfer aborted due to critical error in another transfer\n"
        "curl: (7) Couldn't connect to server\n"
    )


def test_a_url_that_is_none_is_one_failure_among_others(capfd: pytest.CaptureFixture[str]) -> None:
    network = MemoryNetwork([reply(b"b")])
    assert run("-sSZ --no-progress-meter ftpx://a.test/ a.test/", network)[0] == 1
    out, err = capfd.readouterr()
    assert (out, err) == ("b", 'curl: (1) Protocol "ftpx" not supported or disabled in libcurl\n')


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        ("a.test/ -T none", 26, f"curl: Can't open 'none'!\n{TRY_HELP}"
         "curl: (26) Failed to open/read local data from file/application\n"),
        ("a.test/ --next -o x", 2, f"curl: no URL specified!\n{TRY_HELP}"
         "curl: (2) Failed initialization\n"),
        ("a.test/x -O a.test/ -O", 23, "curl: Remote file name has no length!\n"
         + "curl: (23) Failed writing received data to disk/application\n" * 2),
    ],
)  # fmt: skip
def test_a_command_that_is_wrong_somewhere_does_nothing(
    words: str, code: int, err: str, capfd: pytest.CaptureFixture[str]
) -> None:
    network = MemoryNetwork([reply(b"b")])
    assert run(f"-Z {words}", network)[0] == code
    assert capfd.readouterr() == ("", err)
    assert not network.dialled


def test_heads_go_to_one_file_and_cookies_to_one_jar(tmp_path: Path) -> None:
    network = MemoryNetwork(
        [reply(b"", b"Set-Cookie: a=1\r\n")], [reply(b"", b"Set-Cookie: b=2\r\n")], [reply()]
    )
    code, _ = run("-sZ --no-progress-meter -D h -c jar a.test/[1-2] --next -b '' -D i b.test", network)
    assert code == 0
    assert (tmp_path / "h").read_bytes() == (
        reply(b"", b"Set-Cookie: a=1\r\n") + reply(b"", b"Set-Cookie: b=2\r\n")
    )
    assert (tmp_path / "i").read_bytes() == reply()
    lines = [line.split("\t")[-2:] for line in (tmp_path / "jar").read_text().splitlines() if "\t" in line]
    assert sorted(lines) == [["a", "1"], ["b", "2"]]


def test_a_jar_on_standard_output_is_written_after_each(capfd: pytest.CaptureFixture[str]) -> None:
    run("-sZ --no-progress-meter -o /dev/null -c - a.test/[1-3]", MemoryNetwork(*[[reply()]] * 3))
    assert capfd.readouterr().out.count("# Netscape HTTP Cookie File") == 3


def test_files_beside_each_other_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "n").write_bytes(b"old")
    named = reply(b"3", b"Content-Disposition: attachment; filename=j\r\n")
    network = MemoryNetwork([reply(b"1")], [reply(b"2")], [named], [named])
    words = "-sZ --no-progress-meter --no-clobber --output-dir d --create-dirs -o e/n -O -OJ -OJ"
    assert run(f"{words} a.test/x a.test/n a.test/y a.test/z", network)[0] == 0
    files = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert files == {"d/e/n": b"1", "d/n": b"old", "d/n.1": b"2", "d/j": b"3", "d/j.1": b"3"}


def test_remove_on_error_takes_away_the_broken_one_alone(tmp_path: Path) -> None:
    network = MemoryNetwork([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], [reply(b"2")])
    assert run("-sZ --no-progress-meter --remove-on-error -o f a.test -o g a.test", network)[0] == 18
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"g": b"2"}


@pytest.mark.parametrize("option", ["", "-Z --no-progress-meter"])
def test_skip_existing_leaves_out_what_is_there(
    option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f1").write_bytes(b"old")
    network = MemoryNetwork([reply(b"2")])
    words = "--skip-existing -o 'f#1' -w '%{xfer_id} ' a.test/[1-2]"
    assert run(f"-s {option} {words}", network)[0] == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f1": b"old", "f2": b"2"}
    assert capfd.readouterr() == ("1 ", "")


@pytest.mark.parametrize("option", ["", "-Z --no-progress-meter"])
def test_out_null_takes_all_and_writes_nothing(
    option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    network = MemoryNetwork([reply(b"first"), reply(b"second")], [reply(b"second")])
    words = "-w '%{size_download} ' a.test/ --out-null a.test/ -o f"
    assert run(f"-s {option} {words}", network)[0] == 0
    assert capfd.readouterr() == ("5 6 ", "")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"second"}


def test_a_retry_gives_its_place_to_others() -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    network = MemoryNetwork([busy], [reply(b"2")], [reply(b"3")], [reply(b"1")])
    began = network.now()
    order = []
    connect = network.connect

    async def noted(address: IpAddress, port: int, deadline: float | None) -> MemoryStream:
        order.append(network.now() - began)
        return await connect(address, port, deadline)

    network.connect = noted  # type: ignore[method-assign]
    code, seconds = run(
        "-sZ --no-progress-meter --parallel-max 1 --retry 1 -o /dev/null a.test/[1-2] -o /dev/null b.test",
        network,
    )
    assert (code, seconds, order) == (0, 100, [0, 0, 0, 100])


def test_lines_of_verbose_are_not_cut_into_each_other(capfd: pytest.CaptureFixture[str]) -> None:
    """A head that ends in the middle of a line waits for its end, whatever the neighbour says meanwhile."""
    from pycurl_redox.config import GlobalConfig
    from pycurl_redox.reporter import Tracer

    class File:
        text = b""

        def write(self, text: bytes) -> None:
            assert text == b"" or text.endswith(b"\n")
            self.text += text

        def flush(self) -> None: ...

        def isatty(self) -> bool:
            return False

    config, file = GlobalConfig(), File()
    config.parallel, config.trace_kind = True, "plain"
    one, other = (Tracer(config, file, True) for _ in range(2))  # type: ignore[arg-type]
    one.write("header in", b"X: half")
    other.write("header in", b"Y: whole\r\n")
    other.write("data in", b"12")
    one.write("header in", b" and half\r\n")
    one.write("data in", b"123")
    other.write("data in", b"more of it")
    assert file.text == b"< Y: whole\r\n{ [2 bytes data]\n< X: half and half\r\n{ [3 bytes data]\n"


# ---- the meter


def test_the_meter_of_many_is_drawn_as_curl_draws_it() -> None:
    meter = ParallelMeter(100.0)
    assert meter.is_due(100.0, [])
    nothing = ((0, None), (0, None))
    assert meter.line(100.0, [(0, nothing), (1, nothing)], 2, 2) == PARALLEL_HEAD + (
        "\r--  --      0     0     2     2  --:--:-- --:--:-- --:--:--     0      "
    )
    one = ((64 * 1024 * 1024, 128 * 1024 * 1024), (0, None))
    assert not meter.is_due(100.4, [(0, one)])
    assert meter.is_due(100.5, [(0, one)])
    assert meter.line(101.0, [(0, one), (1, nothing)], 2, 2) == (
        "\r--  --  64.0M     0     2     2  --:--:--  0:00:01 --:--:-- 64.0M      "
    )
    meter.ended(1, nothing, is_last=True)
    assert meter.line(101.5, [(0, one)], 2, 1) == (
        "\r 50 --  64.0M     0     2     1   0:00:03  0:00:01  0:00:01 42.6M      "
    )
    meter.ended(0, ((128 * 1024 * 1024, 128 * 1024 * 1024), (0, None)), is_last=True)
    assert meter.line(104.0, [], 2, 0, final=True) == (
        "\r100 --   128M     0     2     0   0:00:04  0:00:04 --:--:-- 32.0M     \n"
    )


def test_the_meter_looks_back_ten_lines_for_its_speed() -> None:
    meter = ParallelMeter(0.0)
    for second in range(1, 10):
        meter.line(float(second), [(0, ((1000 * second, 100_000), (0, None)))], 1, 1)
    speeds = [
        meter.line(at, [(0, ((octets, 100_000), (0, None)))], 1, 1).split()[-1]
        for at, octets in ((10.0, 19_000), (11.0, 20_000))
    ]
    assert speeds == ["2000", "2000"]  # (19 000 - 1 000) in nine seconds, (20 000 - 2 000) in nine


def test_the_size_of_what_is_tried_twice_counts_once() -> None:
    meter = ParallelMeter(0.0)
    meter.ended(0, ((5, 10), (0, None)), is_last=False)
    assert meter.line(1.0, [(0, ((10, 10), (0, None)))], 1, 1).startswith(PARALLEL_HEAD + "\r150 --     15 ")


def test_an_idle_meter_is_drawn_once_a_second() -> None:
    meter = ParallelMeter(0.0)
    row = [(0, ((5, 10), (0, None)))]
    meter.line(0.0, row, 1, 1)
    assert [meter.is_due(at, row) for at in (0.5, 0.9, 1.0)] == [False, False, True]


@pytest.mark.parametrize(
    ("words", "is_drawn"),
    [("", True), ("-s", True), ("--no-progress-meter", False), ("-#", True)],
)  # that -s does not silence it is curl 7.88.1's way
def test_the_meter_is_drawn_unless_it_is_switched_off(
    words: str, is_drawn: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    run(f"-Z {words} -o /dev/null a.test", MemoryNetwork([reply(b"1")]))
    assert (capfd.readouterr().err == PARALLEL_HEAD + (
        "\r--  --      0     0     1     1  --:--:-- --:--:-- --:--:--     0      "
        "\r100 --      1     0     1     0  --:--:-- --:--:-- --:--:--  1000     \n"
    )) == is_drawn  # fmt: skip
