"""The default network built by hand, with interrupts, rings, wires and addresses of a test's choosing.

Run as a program it is the command on such a network; `SWALLOW` in the
environment names the frames of ours that nobody ever answers:

    SWALLOW=dns python -m tests.fakes.whole_path curl -sS http://name.test/
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from pycurl_redox.network import Network, NicSpec
from tcpip.config import StackConfig, StaticAddress
from tcpip.host import Host
from tcpip.stack import Stack
from tcpip.tcp.config import TcpConfig
from tcpip.usernet.config import UserNetConfig
from tcpip.usernet.gateway import UserNetwork
from tcpip.wire.address import IpAddress
from virtio import spec
from virtio.device.backend import NetHeader
from virtio.device.net import NetDevice
from virtio.net import VirtioNet, VirtioNetConfig
from virtio.transport.inprocess import InProcessTransport

MODES = ("prompt", "delayed", "merged", "lost", "spurious")
OWN = StaticAddress(IpAddress.parse("10.0.2.15"), 24)
GATEWAY = IpAddress.parse("10.0.2.2")


class BadInterrupts(InProcessTransport):
    """A device whose interrupts come late, one for three, never, or for nothing.

    What wakes the one loop from its wait is the interrupt: where it is late or
    lost, the descriptors behind the device are kept from the loop as well.
    """

    DELAY = 0.03

    def __init__(self, device: NetDevice, mode: str) -> None:
        self._mode = mode
        self._held = 0
        self._due: float | None = None
        self._last: float | None = None
        self._always = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.signals = 0
        self.waits = 0
        self.longest_wait = 0.0
        super().__init__(device)

    def service(self, now: float) -> None:
        if self._last is not None:
            self.longest_wait = max(self.longest_wait, now - self._last)
        self._last = now
        super().service(now)

    def take_interrupts(self) -> int:
        causes = super().take_interrupts()
        if self._mode == "spurious":
            return causes | spec.INTERRUPT_QUEUE
        if self._due is not None and self._last is not None and self._due <= self._last:
            causes, self._held, self._due = causes | self._held, 0, None
        return causes

    def next_timeout(self) -> float | None:
        deadlines = [each for each in (super().next_timeout(), self._due) if each is not None]
        if self._mode == "delayed" and self._last is not None:
            deadlines.append(self._last + self.DELAY)
        return min(deadlines, default=None)

    def wait_fds(self) -> Sequence[int]:
        self.waits += 1
        if self._mode == "spurious":
            return (*super().wait_fds(), self._always)
        if self._mode in ("delayed", "lost") or (self._mode == "merged" and self.waits % 3):
            return ()
        return super().wait_fds()

    def close(self) -> None:
        if self._always >= 0:
            os.close(self._always)
            self._always = -1
        super().close()

    def _interrupt(self, causes: int) -> None:
        self.signals += 1
        if self._mode == "lost" or (self._mode == "merged" and self.signals % 3):
            return
        if self._mode == "delayed":
            self._held |= causes
            if self._due is None:
                self._due = (self._last or 0.0) + self.DELAY
        else:
            super()._interrupt(causes)


SWALLOWED: dict[str, Callable[[bytes], bool]] = {
    "": lambda frame: False,
    "all": lambda frame: True,
    "dns": lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == b"\0\x35",
    "tcp": lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 6,
    "icmp": lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 1,
}


class Swallower:
    """A backend that loses some of our frames, and says so the first time."""

    def __init__(self, backend: UserNetwork, what: str, tell: Callable[[], None]) -> None:
        self._backend = backend
        self._is_swallowed = SWALLOWED[what]
        self._tell: Callable[[], None] | None = tell

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    def transmit(self, pieces: Sequence[memoryview], header: NetHeader) -> None:
        if not self._is_swallowed(b"".join(pieces)[:64]):
            self._backend.transmit(pieces, header)
        elif self._tell is not None:
            self._tell()
            self._tell = None


def whole_path(
    mode: str = "prompt",
    *,
    usernet: UserNetConfig = UserNetConfig(),  # noqa: B008 - a constant
    driver: VirtioNetConfig = VirtioNetConfig(),  # noqa: B008
    dhcp: bool = False,
    swallow: str = "",
    tell: Callable[[], None] = lambda: None,
) -> Network:
    """Stack on driver on device on user-mode network; the address is QEMU's, without asking for it."""
    gateway = UserNetwork(usernet, random_bytes=os.urandom)
    backend = Swallower(gateway, swallow, tell) if swallow else gateway
    device = VirtioNet(BadInterrupts(NetDevice(backend), mode), driver)  # type: ignore[arg-type]
    config = StackConfig(tcp=TcpConfig(nagle=False))
    if not dhcp:
        config = config._replace(
            addresses=(OWN,), gateways=(GATEWAY,), dns_servers=(IpAddress.parse("10.0.2.3"),), dhcp=False
        )
    stack = Stack(config, device.mac, device.mtu, device.offloads, os.urandom)
    return Network(Host(stack, device), device, NicSpec("user"), gateway, random_bytes=os.urandom)


def main() -> int:
    """Run a command on a network that swallows, and say on stderr when it first does."""
    import pycurl_redox.network

    def opened(*_: object, **__: object) -> Network:
        swallow = os.environ.get("SWALLOW", "")
        return whole_path(
            swallow=swallow, dhcp=swallow == "all", tell=lambda: os.write(2, b"swallowed\n") and None
        )

    pycurl_redox.network.open_network = opened
    tool, *arguments = sys.argv[1:]
    if tool == "curl":
        from pycurl_redox.cli import main
    elif tool == "ping":
        from pycurl_redox.ping import main
    else:
        from pycurl_redox.netcfg import main
    return main(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
