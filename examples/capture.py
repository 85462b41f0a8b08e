"""A capture of exactly one request, with its TLS keys inside: one file for Wireshark, and no root.

python examples/capture.py https://example.com/ request.pcapng [CA-FILE]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pycurl_redox import Client
from pycurl_redox.network import open_network
from tcpip.clock import wall_clock
from tcpip.wire import pcap


def main(url: str, path: str, cacert: str | None = None) -> None:
    """Fetch once and write what crossed the ring."""
    frames: list[bytes] = []

    def on_frame(is_from_guest: bool, pieces: Sequence[memoryview]) -> None:
        direction = pcap.OUTBOUND if is_from_guest else pcap.INBOUND
        frames.append(pcap.packet(b"".join(pieces), wall_clock(), direction))

    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys")
        os.environ["SSLKEYLOGFILE"] = str(keys)
        network = open_network("user", capture=on_frame)
        try:
            with Client(network=network, cacert=cacert) as client:
                response = client.get(url)
        finally:
            network.close()
        secrets = pcap.tls_secrets(keys.read_bytes()) if keys.exists() else b""
    Path(path).write_bytes(pcap.file_header() + secrets + b"".join(frames))
    print(f"{response.status} {response.reason}: {len(frames)} frames in {path}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: " + (__doc__ or "").splitlines()[2])
    main(*sys.argv[1:])
