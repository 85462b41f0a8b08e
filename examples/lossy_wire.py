"""Two hosts of our own on a wire that loses every tenth frame, in virtual time.

    python examples/lossy_wire.py

A megabyte crosses; the clock jumps from deadline to deadline, so that minutes
of time-outs take a moment, and the same seed loses the same frames.
"""

from __future__ import annotations

import random

from tcpip.config import StackConfig, StaticAddress
from tcpip.stack import Stack

LOSS, DELAY = 0.1, 0.020
DATA = bytes(range(256)) * 4096


def host(number: int, chance: random.Random) -> Stack:
    """A stack with a static address and no offloads, on a link with MTU 1500."""
    address = StaticAddress.parse(f"192.0.2.{number}/24")
    config = StackConfig(addresses=(address,), dhcp=False, router_advertisements=False)
    return Stack(config, bytes((2, 0, 0, 0, 0, number)), 1500, 0, chance.randbytes)


def main() -> None:
    """Send until all has arrived, and say what it took."""
    chance = random.Random(2026)
    near, far = host(1, chance), host(2, chance)
    listener = far.tcp_listen(80)
    sender = near.tcp_connect(StaticAddress.parse("192.0.2.2/24").address, 80, 0.0)
    receiver, received, now, lost = None, bytearray(), 0.0, 0
    wire: list[tuple[float, Stack, bytes]] = []  # when, to whom, what
    unsent = memoryview(DATA)

    while len(received) < len(DATA):
        unsent = unsent[sender.send(unsent) :]
        near.wants_to_send(sender)
        for source, destination in ((near, far), (far, near)):
            for frame in source.frames_to_send(now):
                if chance.random() < LOSS:
                    lost += 1
                else:
                    wire.append((now + DELAY, destination, b"".join(frame.pieces)))
        receiver = receiver or listener.accept()
        while receiver is not None and (chunk := receiver.receive()):
            received += chunk
            far.wants_to_send(receiver)

        deadlines = [when for when, _, _ in wire[:1]]
        deadlines += [t for t in (near.next_timeout(), far.next_timeout()) if t is not None]
        now = max(now, min(deadlines))
        while wire and wire[0][0] <= now:
            _, destination, octets = wire.pop(0)
            destination.receive_frame(memoryview(octets), 0, 0, now)
        near.handle_timeout(now)
        far.handle_timeout(now)

    assert received == DATA
    info = sender.info()
    print(f"{len(received)} octets in {now:.1f} s of virtual time, {lost} frames lost,")
    print(f"{info.retransmissions} segments sent again, {info.timeouts} time-outs")


if __name__ == "__main__":
    main()
