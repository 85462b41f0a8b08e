"""Captures that we write, read by tshark."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tcpip.wire import pcap
from tcpip.wire.address import IpAddress
from tests.fakes.frame_pair import FramePair, static_config

BAD_CHECKSUM = "tcp.checksum.status==0 || icmpv6.checksum.status==0"

pytestmark = pytest.mark.interop


@pytest.mark.slow
def test_tshark_reads_a_capture_of_a_connection(tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    wire = FramePair(static_config("fd00::15/64"), static_config("fd00::2/64"))
    listener = wire.b.stack.tcp_listen(80)
    client = wire.a.stack.tcp_connect(IpAddress.parse("fd00::2"), 80, wire.now)
    wire.run_until(lambda: bool(listener.queue))
    client.send(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
    wire.a.stack.release(client)
    wire.run_for(0.1)
    file = tmp_path / "capture.pcapng"
    blocks = [pcap.file_header("wire0"), pcap.tls_secrets(b"CLIENT_RANDOM 00 00\n")]
    blocks += [pcap.packet(f, 1_700_000_000.25 + i, pcap.OUTBOUND) for i, f in enumerate(wire.a.sent)]
    file.write_bytes(b"".join(blocks))
    fields = ["-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "_ws.col.Protocol"]
    checks = ["-o", "tcp.check_checksum:TRUE", "-o", "tcp.analyze_sequence_numbers:TRUE"]
    out = subprocess.run(
        ["tshark", "-r", str(file), "-n", *checks, "-T", "fields", *fields],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.splitlines()
    assert len(out) == len(wire.a.sent)
    assert out[0].startswith("1700000000.25")
    assert {line.split("\t")[1] for line in out} == {"wire0"}
    assert {line.split("\t")[2] for line in out} >= {"ICMPv6", "TCP", "HTTP"}
    bad = subprocess.run(
        [
            "tshark",
            "-r",
            str(file),
            "-n",
            *checks,
            "-Y",
            "tcp.checksum.status==0 || icmpv6.checksum.status==0",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    assert bad == ""
