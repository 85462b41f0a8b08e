#!/usr/bin/env python3
"""Count the copies of each octet of a body, in this process, by looking at every place that copies.

    benchmarks/copies.py [--json]

A download and an upload of 64 MiB over http and https on the default network;
each place's octets are divided by the body's.  System calls copy too; they
are counted under the kernel's name.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.servers import servers
from pycurl_redox import cli, output, upload
from tcpip.tcp import arrives
from tcpip.usernet import sockets
from tls import record
from virtio import transmit

SIZE = 64 * 1024 * 1024
counted: Counter[str] = Counter()


def watch(owner: Any, name: str, place: str, size: Callable[[tuple[Any, ...], Any], int]) -> None:
    """Count what passes a function, by its arguments and its result."""
    original = getattr(owner, name)

    def counting(*arguments: Any, **keywords: Any) -> Any:
        result = original(*arguments, **keywords)
        counted[place] += size(arguments, result)
        return result

    setattr(owner, name, counting)


def watch_all() -> None:
    watch(sockets.TcpSocket, "peek", "kernel: host socket → ring", lambda a, r: r or 0)
    watch(arrives, "_deliver", "ring → chunk", lambda a, r: len(a[1]))
    watch(record.RecordReader, "_rest_of_partial", "record that straddles chunks", lambda a, r: len(r or b""))
    watch(record.RecordReader, "_open", "decryption", lambda a, r: len(a[1]))
    watch(output.Output, "write", "kernel: chunk → file", lambda a, r: len(a[1]))
    watch(upload.FileBody, "read", "kernel: file → chunk", lambda a, r: len(r))
    watch(record.RecordWriter, "seal", "chunk → scratch, beside the type octet", lambda a, r: len(a[2]))
    watch(record.RecordWriter, "seal", "encryption", lambda a, r: len(a[2]))
    watch(transmit.TransmitSide, "send", "pieces → ring", lambda a, r: sum(map(len, a[1])) if r else 0)
    watch(sockets.TcpSocket, "send", "kernel: ring → host socket", lambda a, r: r)


def measure() -> dict[str, dict[str, float]]:
    watch_all()
    rows: dict[str, dict[str, float]] = {}
    with servers(SIZE) as local:
        source = local.root / "upload.bin"
        with open(source, "wb") as file:
            os.truncate(file.fileno(), SIZE)
        for scheme, base in (("http", local.http), ("https", local.https)):
            common = ["-sS", "--cacert", local.ca, "-o", "/dev/null"]
            for job, words in (
                ("download", [f"{base}/bulk"]),
                ("upload", ["-T", str(source), f"{base}/upload"]),
            ):
                counted.clear()
                assert cli.main([*common, *words]) == 0
                shares = {place: octets / SIZE for place, octets in counted.items() if octets / SIZE > 0.01}
                own = sum(share for place, share in shares.items() if not place.startswith("kernel"))
                rows[f"{scheme} {job}"] = shares | {"in the process": own}
    return rows


def main() -> None:
    rows = measure()
    if "--json" in sys.argv:
        print(json.dumps(rows))
        return
    for job, shares in rows.items():
        print(job + ": " + ", ".join(f"{place} {share:.2f}" for place, share in shares.items()))


if __name__ == "__main__":
    main()
