"""The octets of a fetch cross the ring: seen at the device's side, and lost there one frame at a time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.servers import Servers
from pycurl_redox import Client
from pycurl_redox.network import open_network
from tcpip.clock import wall_clock
from tcpip.usernet.impair import ImpairConfig, Impairment
from tcpip.wire import pcap
from tests.fakes.local_servers import body, needs_nginx, nginx

pytestmark = [pytest.mark.interop, pytest.mark.slow, needs_nginx]

MEGABYTE = body(1 << 20)
PAGE = body(60_000)


@pytest.fixture(scope="module")
def local() -> Iterator[Servers]:
    with nginx(megabyte=MEGABYTE, page=PAGE) as running:
        yield running


def tshark(capture: Path, *arguments: str) -> list[str]:
    command = ["tshark", "-n", "-r", str(capture), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_capture_at_the_devices_side_shows_the_whole_fetch(
    local: Servers, tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture, keys = tmp_path / "device.pcap", tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    base = local.https if scheme == "https" else local.http
    with open(capture, "wb") as file:
        file.write(pcap.file_header())

        def on_frame(is_from_guest: bool, pieces: Sequence[memoryview]) -> None:
            direction = pcap.OUTBOUND if is_from_guest else pcap.INBOUND
            file.write(pcap.packet(b"".join(pieces), wall_clock(), direction))

        network = open_network("user", capture=on_frame)
        with Client(network=network, cacert=local.ca) as client:
            assert client.get(f"{base}/megabyte").content == MEGABYTE
        network.close()
    options = ["-o", "tcp.check_checksum:FALSE", "-o", f"tls.keylog_file:{keys}"]
    options += ["-d", f"tcp.port=={base.rsplit(':', 1)[1]},{'tls' if scheme == 'https' else 'http'}"]
    protocols = set(tshark(capture, *options, "-T", "fields", "-e", "frame.protocols"))
    assert any("dhcp" in line for line in protocols)
    assert any("arp" in line for line in protocols) and any("icmpv6" in line for line in protocols)
    flags = tshark(capture, *options, "-Y", "tcp", "-T", "fields", "-e", "tcp.flags.str")
    assert "S" in flags[0] and "A" not in flags[0] and any("F" in line for line in flags)
    assert not tshark(capture, *options, "-Y", "tcp.analysis.retransmission || tcp.analysis.lost_segment")
    bodies = tmp_path / "objects"
    tshark(capture, *options, "--export-objects", f"http,{bodies}")
    assert (bodies / "megabyte").read_bytes() == MEGABYTE


LOST = [(direction, number) for direction in ("from_guest", "to_guest") for number in range(1, 41)]


def test_each_of_the_first_forty_frames_of_either_direction_may_be_lost(local: Servers) -> None:
    def fetch(lost: tuple[str, int]) -> tuple[bool, int, int]:
        direction, number = lost
        impair = ImpairConfig()._replace(**{direction: Impairment(drop=(number,))})
        network = open_network("user,without=segmentation", impair=impair)  # small frames, and many
        try:
            with Client(network=network, cacert=local.ca, timeout=60, connect_timeout=30) as client:
                is_right = all(client.get(f"{local.https}/page").content == PAGE for _ in range(20))
            state = network.info()
            again = state["usernet"]["retransmissions"] + state["counters"]["tcp_retransmissions"]
            return is_right, state["usernet"]["frames_lost_on_purpose"], again
        finally:
            network.close()

    with ThreadPoolExecutor(20) as pool:  # each mostly waits for a time-out
        outcomes = dict(zip(LOST, pool.map(fetch, LOST), strict=True))
    wrong = [lost for lost, (is_right, _, _) in outcomes.items() if not is_right]
    assert wrong == []
    assert [lost for lost, (_, dropped, _) in outcomes.items() if not dropped] == [], "too short a fetch"
    sent_again = sum(again > 0 for _, _, again in outcomes.values())
    assert sent_again >= 40, "data that is lost is sent again, and counted; a lost ACK needs nothing"


def test_a_device_that_delivers_nothing_ends_with_exit_28(local: Servers) -> None:
    code = (
        "import sys\n"
        "from pycurl_redox.cli import main\n"
        "from pycurl_redox.network import open_network\n"
        "from tcpip.usernet.impair import ImpairConfig, Impairment\n"
        "impair = ImpairConfig(to_guest=Impairment(loss=1.0))\n"
        "sys.exit(main(sys.argv[1:], lambda nic: open_network(nic, impair=impair)))\n"
    )
    command = [sys.executable, "-c", code, "-sS", "-m", "1", f"{local.http}/page"]
    done = subprocess.run(command, capture_output=True, timeout=20)
    assert done.returncode == 28 and b"curl: (28)" in done.stderr


def test_netcfg_counts_what_the_fetch_moved(local: Servers) -> None:
    code = "from pycurl_redox.netcfg import main; raise SystemExit(main())"
    command = [
        sys.executable,
        "-c",
        code,
        "--json",
        "--cacert",
        local.ca,
        "--fetch",
        f"{local.https}/megabyte",
    ]
    state = json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)
    receive, transmit = state["virtio"]["receive"], state["virtio"]["transmit"]
    assert receive["octets"] > len(MEGABYTE) and transmit["octets"] > 500
    for ring in (receive, transmit):
        assert ring["posted"] == ring["used"] + ring["outstanding"]
        assert 0 < ring["kicks"] <= ring["posted"]
        assert ring["outstanding"] <= ring["size"]
    assert receive["used"] >= receive["frames"] == state["usernet"]["frames_to_guest"]
    assert transmit["frames"] == state["usernet"]["frames_from_guest"]
    assert state["virtio"]["status"] == 0x0F and state["virtio"]["resets"] == 0
    assert {route["destination"] for route in state["routes"]} >= {"0.0.0.0/0", "::/0", "127.0.0.0/8"}
    assert state["dhcp"]["lease"]["address"] == "10.0.2.15"
