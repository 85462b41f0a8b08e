"""--limit-rate, --speed-limit, --rate and what else has to do with time, on a clock that jumps."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from pycurl_redox.cli import main
from pycurl_redox.output import Output
from pycurl_redox.pace import SpeedWatch
from pycurl_redox.retry import retry_after
from tests.fakes.memory_network import SILENCE, MemoryNetwork, MemoryStream, Script


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "all_proxy", "ALL_PROXY", "CURL_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def reply(body: bytes, *headers: str) -> bytes:
    return (
        "\r\n".join(["HTTP/1.1 200 Fine", *headers, f"Content-Length: {len(body)}", "", ""]).encode() + body
    )


def run(arguments: str, *scripts: Script) -> tuple[int, float, MemoryNetwork]:
    """Exit code, and the seconds that the command took by the network's clock."""
    network = MemoryNetwork(*scripts)
    began = network.now()
    code = main(shlex.split(arguments), network_factory=lambda nic: network)
    return code, network.now() - began, network


def test_a_download_is_held_to_its_rate(tmp_path: Path) -> None:
    body = bytes(range(250)) * 40  # 10 000 octets, all in one chunk
    code, seconds, _ = run("-s --limit-rate 1000 -o f a.test", [reply(body)])
    assert code == 0 and (tmp_path / "f").read_bytes() == body
    assert seconds == pytest.approx(10, rel=0.02)


def test_an_upload_is_held_to_its_rate(tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"u" * 10_000)
    code, seconds, network = run("-s --limit-rate 2000 -H Expect: -T up a.test/", [reply(b"")])
    assert code == 0 and bytes(network.streams[0].sent).endswith(b"u" * 10_000)
    assert seconds == pytest.approx(5, rel=0.02)


def test_a_rate_does_not_outlast_the_time_allowed(tmp_path: Path) -> None:
    code, seconds, _ = run("-s --limit-rate 100 -m 3 -o f a.test", [reply(bytes(1000))])
    assert code == 28 and seconds == pytest.approx(3)
    assert len((tmp_path / "f").read_bytes()) == pytest.approx(300, abs=10)


def test_a_transfer_that_stands_still_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    code, seconds, network = run("-sS -y 4 -Y 10 -o f a.test", [reply(b"x" * 100)[:-50], SILENCE])
    assert code == 28 and seconds == pytest.approx(9, abs=6)
    message = "curl: (28) Operation too slow. Less than 10 bytes/sec transferred the last 4 seconds\n"
    assert capsys.readouterr().err == message
    assert network.streams[0].is_closed


def test_a_transfer_that_is_fast_enough_is_left_alone() -> None:
    code, _, _ = run("-s -y 2 -Y 500 --limit-rate 1000 -o f a.test", [reply(bytes(10_000))])
    assert code == 0


def test_only_slowness_on_end_counts() -> None:
    watch = SpeedWatch(100, 4)
    octets, verdicts = 0, []
    for second in range(40):
        octets += 2000 if second % 4 == 0 else 0  # the mean of five seconds is what counts
        verdicts.append(watch.is_too_slow(float(second), octets))
    assert not any(verdicts)
    assert [watch.is_too_slow(40.0 + second, octets) for second in range(12)][-1]


def test_transfers_begin_as_far_apart_as_rate_says() -> None:
    _, seconds, network = run("-s --rate 2/m -o f -o f -o f a.test a.test a.test", [reply(b"")] * 3)
    assert seconds == pytest.approx(60) and len(network.streams) == 1


def test_the_file_gets_the_time_of_its_original(tmp_path: Path) -> None:
    code, _, _ = run("-s -R -o f a.test", [reply(b"x", "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT")])
    assert code == 0 and (tmp_path / "f").stat().st_mtime == 784_903_526


@pytest.mark.parametrize(
    ("options", "tuned"),
    [
        ("", (False, 60.0, None)),
        ("--keepalive-time 7", (False, 7, None)),
        ("--keepalive-time 7 --keepalive-cnt 3", (False, 7, 3)),
        ("--no-keepalive", (False, None, None)),
        ("--no-tcp-nodelay", (True, 60.0, None)),
    ],
)
def test_keepalive_and_nagle_are_set_for_the_connection(options: str, tuned: object) -> None:
    _, _, network = run(f"-s -o f {options} a.test", [reply(b"")])
    assert network.streams[0].tuned == tuned


@pytest.mark.parametrize("options", ["", "-N"])
def test_what_has_come_is_on_stdout_before_the_next_is_read(
    options: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    read, seen = MemoryStream.read, []

    async def looking(stream: MemoryStream, deadline: float | None) -> object:
        seen.append(capfdbinary.readouterr().out)
        return await read(stream, deadline)

    monkeypatch.setattr(MemoryStream, "read", looking)
    run(f"-s {options} a.test", [reply(b"12345")[:-2], b"4", b"5"])
    assert seen == [b"", b"123", b"4"]


def test_a_file_is_written_to_without_a_buffer(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "f"))
    output.write(b"a")
    assert os.path.getsize(tmp_path / "f") == 1
    output.close()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"20", 20.0),
        (b"99999999999", None),
        (b"Tue, 15 Nov 1994 12:45:26 GMT", 26.0),
        (b"Tue, 15 Nov 1994 12:44:26 GMT", None),
        (b"soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: bytes, seconds: float | None) -> None:
    assert retry_after(value, 784_903_500.5) == seconds
