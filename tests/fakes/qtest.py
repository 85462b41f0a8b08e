"""QEMU's real virtio-net-pci, driven from outside through its qtest socket.

No guest, no kernel, no privilege: the CPU sits in HLT, guest RAM is a file
that we map, and registers are read and written by lines on a socket.
"""

import os
import select
import shutil
import socket
import subprocess
import tempfile

from virtio.errors import TransportError
from virtio.memory import Region
from virtio.transport.pci import PciTransport

QEMU = shutil.which("qemu-system-x86_64")
RAM = 64 << 20
SHARED_AT = 16 << 20
SLOT = 4
BAR_ADDRESS = 0xFE00_0000
_COMMAND, _MEMORY_AND_BUS_MASTER = 0x04, 0x06
_BAR0 = 0x10


class QemuMachine:
    """A machine with one virtio-net-pci on QEMU's user network; `with` ends it."""

    def __init__(self, device="", netdev="user,id=n0", capture=None):
        self._directory = tempfile.mkdtemp(prefix="qtest-")
        path = os.path.join(self._directory, "qtest")
        self.ram = os.path.join(self._directory, "ram")
        bios = os.path.join(self._directory, "bios")
        with open(bios, "wb") as file:
            file.write(b"\xf4" * 65536)  # HLT; a real BIOS would number the PCI devices anew
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(20)
        dump = ["-object", f"filter-dump,id=f0,netdev=n0,file={capture}"] if capture else []
        self.process = subprocess.Popen(
            [
                QEMU, "-M", "q35,accel=tcg", "-m", "64", "-display", "none", "-nodefaults", "-bios", bios,
                "-object", f"memory-backend-file,id=m,size=64M,mem-path={self.ram},share=on",
                "-machine", "memory-backend=m", "-qtest", f"unix:{path}", "-netdev", netdev, *dump,
                "-device", "virtio-net-pci,netdev=n0,disable-legacy=on,mac=52:54:00:12:34:56,"
                f"addr={SLOT}{device}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            self.socket, _ = listener.accept()
        except BaseException:
            self.close()
            raise
        finally:
            listener.close()
        self.socket.settimeout(20)
        self._pending = b""
        self.interrupts = 0
        self.command("irq_intercept_in ioapic")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, line: str) -> int:
        """Send one command and return its value, 0 when it has none; interrupts are counted on the way."""
        self.socket.sendall(line.encode() + b"\n")
        while True:
            line = self._line()
            words = line.split()
            if words[0] == b"IRQ":
                self._note_interrupt(line)
            elif words[0] == b"OK":
                return int(words[1], 0) if len(words) > 1 else 0
            else:
                raise TransportError(f"qtest: {line!r} was answered by {b' '.join(words)!r}")

    def drain(self):
        """Take interrupt lines that have come by themselves."""
        while select.select([self.socket], [], [], 0)[0]:
            data = self.socket.recv(65536)
            if not data:
                raise TransportError("qtest: QEMU has gone")
            self._pending += data
        while b"\n" in self._pending:
            self._note_interrupt(self._line())

    def _note_interrupt(self, line: bytes):
        """Count what PCI devices raise; the lines below 16 are the clock and its like."""
        words = line.split()
        self.interrupts += words[:2] == [b"IRQ", b"raise"] and int(words[2]) >= 16

    def _line(self) -> bytes:
        while b"\n" not in self._pending:
            data = self.socket.recv(65536)
            if not data:
                raise TransportError("qtest: QEMU has gone")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def close(self):
        if getattr(self, "socket", None) is not None:
            self.socket.close()
            self.socket = None
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        shutil.rmtree(self._directory, ignore_errors=True)


class QtestAccess:
    """Fits `virtio.transport.pci.PciAccess` for the device in slot 4."""

    def __init__(self, machine: QemuMachine):
        self.machine = machine
        self.region = None
        self._bars = {}
        self._place_bars()

    def config_read(self, offset, width):
        self.machine.command(f"outl 0xcf8 {0x80000000 | SLOT << 11 | offset & 0xFC:#x}")
        word = self.machine.command("inl 0xcfc")
        return word >> 8 * (offset & 3) & (1 << 8 * width) - 1

    def config_write(self, offset, value):
        self.machine.command(f"outl 0xcf8 {0x80000000 | SLOT << 11 | offset & 0xFC:#x}")
        self.machine.command(f"outl 0xcfc {value:#x}")

    def bar_read(self, bar, offset, width):
        return self.machine.command(f"read{_LETTER[width]} {self._bars[bar] + offset:#x}")

    def bar_write(self, bar, offset, width, value):
        self.machine.command(f"write{_LETTER[width]} {self._bars[bar] + offset:#x} {value:#x}")

    def share_memory(self, size):
        self.region = Region.file(self.machine.ram, SHARED_AT, size, SHARED_AT)
        return self.region

    def wait_fds(self):
        return (self.machine.socket.fileno(),)

    def drain(self):
        self.machine.drain()

    def close(self):
        if self.region is not None:
            self.region.close()
            self.region = None

    def _place_bars(self):
        """Give each memory BAR an address, as a BIOS would."""
        address, bar = BAR_ADDRESS, 0
        while bar < 6:
            register = _BAR0 + 4 * bar
            kind = self.config_read(register, 4)
            self.config_write(register, 0xFFFFFFFF)
            size = -(self.config_read(register, 4) & ~0xF) & 0xFFFFFFFF
            if size and not kind & 1:
                address = -(-address // size) * size
                self.config_write(register, address)
                self._bars[bar] = address
                address += size
                if kind & 4:
                    self.config_write(register + 4, 0)
                    bar += 1
            bar += 1
        self.config_write(_COMMAND, _MEMORY_AND_BUS_MASTER)


_LETTER = {1: "b", 2: "w", 4: "l", 8: "q"}


def qtest_transport(machine: QemuMachine) -> PciTransport:
    return PciTransport(QtestAccess(machine))
