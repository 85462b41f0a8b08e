"""TCP alone: two connections connected in memory, no IP, no checksum, no wire.

    python benchmarks/tcp_core.py [megabytes]

Prints the rate and what a segment costs the receiver, the sender and the
format, at MTU 1500 and with super-segments.
"""

from __future__ import annotations

import sys
import time

from tcpip.tcp.config import TcpConfig
from tcpip.tcp.connection import TcpConnection
from tcpip.wire.tcp import Segment

CHUNK = bytes(1 << 18)


def connected(gso_max: int) -> tuple[TcpConnection, TcpConnection]:
    config = TcpConfig()
    client = TcpConnection(config, 40000, 80, iss=1, mss=1460, gso_max=gso_max)
    server = TcpConnection(config, 80, 40000, iss=0xFFFF_0000, mss=1460, gso_max=gso_max)
    client.connect(0.0)
    server.listen(0.0)
    for _ in range(3):
        for source, destination in ((client, server), (server, client)):
            for segment in source.segments_to_send(0.0):
                destination.receive_segment(Segment.parse(memoryview(segment.header)), 0.0)
    assert client.is_established and server.is_established
    return client, server


def transfer(gso_max: int, total: int) -> None:
    sender, receiver = connected(gso_max)
    clock = time.perf_counter
    sent = received = segments = acks = 0
    build = parse = take = acknowledge = 0.0
    now = 0.0
    begin = clock()
    while received < total:
        while sent < total and (taken := sender.send(CHUNK)):
            sent += taken
        t0 = clock()
        batch = list(sender.segments_to_send(now))
        t1 = clock()
        wire = [memoryview(segment.header + b"".join(segment.payload)) for segment in batch]
        t2 = clock()
        arrived = [Segment.parse(view) for view in wire]
        t3 = clock()
        for segment in arrived:
            receiver.receive_segment(segment, now)
            while chunk := receiver.receive():
                received += len(chunk)
        t4 = clock()
        answers = [Segment.parse(memoryview(a.header)) for a in receiver.segments_to_send(now)]
        for answer in answers:
            sender.receive_segment(answer, now)
        t5 = clock()
        build += t1 - t0
        parse += t3 - t2
        take += t4 - t3
        acknowledge += t5 - t4
        segments += len(batch)
        acks += len(answers)
        now += 0.0005
        for end in (sender, receiver):
            if (deadline := end.next_timeout()) is not None and deadline <= now:
                end.handle_timeout(now)
    elapsed = clock() - begin
    assert received == sent
    name = f"super-segments of {gso_max}" if gso_max else "MTU 1500"
    print(
        f"{name:24} {received / elapsed / 1e6:8.0f} MB/s  {segments:7} segments, µs each: "
        f"build {build / segments * 1e6:.2f}, parse {parse / segments * 1e6:.2f}, "
        f"take in {take / segments * 1e6:.2f}; "
        f"an ACK, both sides {acknowledge / max(acks, 1) * 1e6:.2f} ({acks})"
    )


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    transfer(0, megabytes << 20)
    transfer(65160, megabytes << 22)


if __name__ == "__main__":
    main()
