"""redox-ping: iputils' words, and the hosts it may and may not reach."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.interop

COMMAND = [sys.executable, "-c", "from pycurl_redox.ping import main; raise SystemExit(main())"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")


def ping(*arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*before, *COMMAND, *arguments], capture_output=True, text=True, timeout=60)


def normalised(text: str) -> str:
    text = re.sub(r"time=[\d.]+ ms", "time=T ms", text)
    text = re.sub(r"time \d+ms", "time Tms", text)
    return re.sub(r"= [\d.]+/[\d.]+/[\d.]+/[\d.]+ ms", "= T ms", text)


SAME = [
    ["-c", "3", "-i", "0.2", "127.0.0.1"],
    ["-c", "1", "::1"],
    ["-c", "2", "-i", "0.2", "-q", "127.0.0.1"],
    ["-c", "1", "-s", "8", "127.0.0.1"],
    ["-c", "1", "-s", "1000", "127.0.0.1"],
    ["-c", "1", "-n", "-4", "localhost"],
    ["-c", "0", "127.0.0.1"],
    ["-c", "x", "127.0.0.1"],
]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ping") is None, reason="iputils-ping is not installed")
@pytest.mark.parametrize("arguments", SAME, ids=" ".join)
def test_the_output_and_exit_code_are_those_of_iputils(arguments: list[str]) -> None:
    theirs = subprocess.run(["ping", *arguments], capture_output=True, text=True, timeout=60)
    ours = ping(*arguments)
    assert normalised(ours.stdout) == normalised(theirs.stdout)
    assert ours.stderr.replace("redox-ping", "ping") == theirs.stderr
    assert ours.returncode == theirs.returncode


@pytest.mark.slow
@pytest.mark.parametrize("gateway", ["10.0.2.2", "fe80::2"])
def test_the_gateway_answers(gateway: str) -> None:
    done = ping("-c", "2", "-i", "0.1", gateway)
    assert done.returncode == 0 and "2 packets transmitted, 2 received, 0% packet loss" in done.stdout


@pytest.mark.slow
def test_a_time_stamp_stands_before_each_line() -> None:
    done = ping("-c", "1", "-D", "127.0.0.1")
    assert re.search(r"(?m)^\[\d{10}\.\d{6}\] 64 bytes from 127\.0\.0\.1: icmp_seq=1 ttl=64", done.stdout)


@pytest.mark.slow
def test_an_unknown_flag_shows_the_usage() -> None:
    done = ping("-Z", "127.0.0.1")
    assert done.returncode == 2 and done.stderr.startswith("redox-ping: invalid option -- 'Z'\n")


@pytest.mark.slow
def test_an_interrupt_prints_the_statistics_at_once() -> None:
    with subprocess.Popen([*COMMAND, "127.0.0.1"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(10) == 0 and time.monotonic() - begin < 1.0
    assert lines[1].startswith("64 bytes from 127.0.0.1: icmp_seq=1")
    assert "\n--- 127.0.0.1 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss" in rest


class Beyond:
    """A host in a namespace, and the machine of the tests in another, joined by a veth pair."""

    def __init__(self) -> None:
        self.near, self.far = f"redox-near-{os.getpid()}", f"redox-far-{os.getpid()}"

    def start(self) -> None:
        for name in (self.near, self.far):
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", self.near, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        _run("ip", "-n", self.near, "link", "set", "veth1", "netns", self.far)
        for name, link, host in ((self.near, "veth0", 1), (self.far, "veth1", 2)):
            _run("ip", "-n", name, "addr", "add", f"10.77.0.{host}/24", "dev", link)
            _run("ip", "-n", name, "addr", "add", f"fd77::{host}/64", "dev", link, "nodad")
            _run("ip", "-n", name, "link", "set", link, "up")

    def stop(self) -> None:
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", name], check=False)

    def allow(self, groups: str) -> None:
        command = ["ip", "netns", "exec", self.near, "sysctl", "-qw", f"net.ipv4.ping_group_range={groups}"]
        subprocess.run(command, check=True)

    def ping(self, *arguments: str, privileged: bool = False) -> subprocess.CompletedProcess[str]:
        drop = () if privileged else ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
        return ping(*arguments, before=("ip", "netns", "exec", self.near, *drop))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def beyond() -> Iterator[Beyond]:
    network = Beyond()
    try:
        network.start()
        yield network
    finally:
        network.stop()


@needs_root
@needs_setpriv
@pytest.mark.privileged
@pytest.mark.slow
class TestHostsBeyondTheGateway:
    @pytest.mark.parametrize("address", ["10.77.0.2", "fd77::2"])
    def test_are_reached_where_the_group_may_ping(self, beyond: Beyond, address: str) -> None:
        beyond.allow("0 2147483647")
        done = beyond.ping("-c", "2", "-i", "0.1", address)
        assert done.returncode == 0, done
        assert f"64 bytes from {address}: icmp_seq=2" in done.stdout

    def test_are_refused_by_name_where_it_may_not(self, beyond: Beyond) -> None:
        beyond.allow("1 0")
        done = beyond.ping("-c", "1", "10.77.0.2")
        assert done.returncode == 2 and "net.ipv4.ping_group_range" in done.stderr
        assert done.stdout == ""

    def test_are_reached_with_a_raw_socket_by_who_may_open_one(self, beyond: Beyond) -> None:
        beyond.allow("1 0")
        done = beyond.ping("-c", "1", "10.77.0.2", privileged=True)
        assert done.returncode == 0, done

    def test_that_are_not_there_are_reported_with_exit_1(self, beyond: Beyond) -> None:
        beyond.allow("0 2147483647")
        done = beyond.ping("-c", "1", "-W", "4", "10.77.0.9")
        assert done.returncode == 1
        assert "icmp_seq=1 Destination Host Unreachable" in done.stdout
        assert "1 packets transmitted, 0 received, +1 errors, 100% packet loss" in done.stdout

    def test_the_gateway_needs_no_permission(self, beyond: Beyond) -> None:
        beyond.allow("1 0")
        assert beyond.ping("-c", "1", "10.0.2.2").returncode == 0

    def test_silence_is_told_with_dash_capital_o(self, beyond: Beyond) -> None:
        beyond.allow("0 2147483647")
        mute = ["ip", "netns", "exec", beyond.far, "sysctl", "-qw"]
        subprocess.run([*mute, "net.ipv4.icmp_echo_ignore_all=1"], check=True)
        try:
            done = beyond.ping("-O", "-c", "2", "-i", "0.2", "-W", "0.5", "10.77.0.2")
        finally:
            subprocess.run([*mute, "net.ipv4.icmp_echo_ignore_all=0"], check=True)
        assert "no answer yet for icmp_seq=1" in done.stdout and done.returncode == 1
        assert "2 packets transmitted, 0 received, 100% packet loss" in done.stdout
