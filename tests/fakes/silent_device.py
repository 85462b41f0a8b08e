"""A network interface with nobody on the wire, for tests of the loop alone."""

from __future__ import annotations

from tcpip.host import Host
from tcpip.stack import Stack
from tests.fakes.frame_pair import random_bytes, static_config


class SilentDevice:
    """Takes every frame, and receives none; fits `FrameDevice`."""

    mac = bytes.fromhex("525400000001")
    mtu = 1500
    offloads = 0

    def __init__(self) -> None:
        self.is_closed = False

    def send_frame(self, pieces, csum_start, csum_offset, gso_type, gso_size) -> bool:
        assert not self.is_closed
        return True

    def flush(self) -> None:
        pass

    def receive_frames(self):
        return ()

    def release(self, token: int) -> None:
        raise AssertionError("nothing was lent")

    def service(self, now: float) -> None:
        assert not self.is_closed

    def next_timeout(self) -> float | None:
        return None

    def arm(self) -> bool:
        return False

    def wait_fds(self):
        return ()

    def close(self) -> None:
        self.is_closed = True


def silent_host() -> Host:
    device = SilentDevice()
    return Host(Stack(static_config("192.0.2.1/24"), device.mac, 1500, 0, random_bytes(1)), device)
