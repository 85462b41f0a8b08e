"""A kernel TAP as the far side of the software device (Linux, `Documentation/networking/tuntap.rst`).

The kernel speaks the same `virtio_net_hdr`, so offloads pass through: what
the driver negotiated is switched on at the TAP (TUNSETOFFLOAD), frames are
read straight into posted buffers and written from the driver's pieces.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Sequence

from virtio import spec
from virtio.device.backend import PLAIN_HEADER, NetHeader, RxPort
from virtio.errors import TransportError

_CLONE_DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_TUNSETVNETHDRSZ = 0x400454D8
_SIOCGIFHWADDR = 0x8927
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_TUN_F_CSUM = 0x01
_TUN_F_TSO4 = 0x02
_TUN_F_TSO6 = 0x04
_INTERFACE_NAME_MAX = 15

_VLAN_TAG_SIZE = 4
_FRAMES_A_TURN = 64
_HEADER_SIZE = 12


class TapBackend:
    """One TAP interface, opened for as long as the device lives; fits `Backend`."""

    features = spec.OFFLOADS

    def __init__(self, name: str, mac: bytes | None = None, *, create: bool = False) -> None:
        """Open the TAP; without `mac` the guest's is made from the interface's own, the same each time.

        `create` makes one that is not there, for as long as this object has it
        open; that takes CAP_NET_ADMIN.  Without it a missing TAP is refused.
        """
        self.name = name
        self.dropped_sends = 0
        """Frames the kernel did not take: interface down, or its queue full."""
        self.last_error = 0
        """Why, as an errno."""
        self._port: RxPort | None = None
        self._fd = _open(name, create)
        try:
            fcntl.ioctl(self._fd, _TUNSETVNETHDRSZ, struct.pack("i", _HEADER_SIZE))
            self.mtu = _read_mtu(name)
            self.mac = _neighbour_of(_read_mac(self._fd)) if mac is None else mac
        except OSError as error:
            os.close(self._fd)
            raise _explain(name, error) from error
        self._header = bytearray(_HEADER_SIZE)
        self._room = 0
        self._last_header = PLAIN_HEADER
        self._last_octets = bytes(_HEADER_SIZE)
        """Of the last frame sent, and mostly of the next one."""

    def attach(self, port: RxPort, features: int) -> None:
        """Let the kernel leave undone what the driver takes undone, and no more."""
        offload = 0
        if features & spec.VIRTIO_NET_F_GUEST_CSUM:
            offload |= _TUN_F_CSUM
            if features & spec.VIRTIO_NET_F_GUEST_TSO4:
                offload |= _TUN_F_TSO4
            if features & spec.VIRTIO_NET_F_GUEST_TSO6:
                offload |= _TUN_F_TSO6
        try:
            fcntl.ioctl(self._fd, _TUNSETOFFLOAD, offload)
        except OSError as error:
            raise _explain(self.name, error) from error
        merging = offload & (_TUN_F_TSO4 | _TUN_F_TSO6)
        self._room = spec.FRAME_MAX if merging else self.mtu + spec.ETHERNET_HEADER_SIZE + _VLAN_TAG_SIZE
        self._port = port

    def detach(self) -> None:
        self._port = None

    def transmit(self, pieces: Sequence[memoryview], header: NetHeader) -> None:
        """Write one frame; what the kernel has no room for is lost, as on any wire, and counted."""
        if header != self._last_header:
            self._last_header = header
            self._last_octets = spec.NET_HEADER_WITH_BUFFERS.pack(*header, 0)
        try:
            os.writev(self._fd, (self._last_octets, *pieces))
        except OSError as error:
            self.dropped_sends += 1
            self.last_error = error.errno or 0

    def service(self, now: float) -> None:
        """Read what has arrived, a bounded number of frames, into the driver's buffers."""
        port, header, fd = self._port, self._header, self._fd
        if port is None:
            return
        for _ in range(_FRAMES_A_TURN):
            room = port.rx_room(self._room)
            if room is None:
                return
            try:
                length = os.readv(fd, (header, *room)) - _HEADER_SIZE
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EBADFD:  # it will never come back
                    raise _explain(self.name, error) from error
                self.last_error = error.errno or 0  # the interface is down: nothing arrives
                return
            if length > 0:
                port.rx_done(length, spec.NET_HEADER.unpack_from(header))

    def next_timeout(self) -> float | None:
        return None

    def wait_fds(self) -> Sequence[int]:
        return (self._fd,)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._port = None


def _open(name: str, create: bool) -> int:
    if not 1 <= len(name.encode()) <= _INTERFACE_NAME_MAX or "/" in name or name.split() != [name]:
        raise TransportError(f"TAP {name!r}: not the name of an interface", errno.EINVAL)
    if not create and not _may_exist(name):  # TUNSETIFF would make it, if we may
        raise TransportError(f"TAP {name}: no such interface; {_HOW_TO_MAKE.format(name=name)}", errno.ENODEV)
    try:
        fd = os.open(_CLONE_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _explain(name, error) from error
    try:
        flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError as error:
        os.close(fd)
        raise _explain(name, error) from error
    return fd


def _may_exist(name: str) -> bool:
    """False when the kernel's list of this thread's network namespace is there, and the name is not in it."""
    try:
        with open("/proc/thread-self/net/dev", encoding="utf-8", errors="surrogateescape") as file:
            return any(line.partition(":")[0].strip() == name for line in file)
    except OSError:
        return True  # no procfs: the attempt will tell


def _read_mtu(name: str) -> int:
    try:
        with open(f"/sys/class/net/{name}/mtu", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1500  # no sysfs, or that of another namespace


def _read_mac(fd: int) -> bytes:
    """The address of the kernel's side."""
    answer = fcntl.ioctl(fd, _SIOCGIFHWADDR, bytes(40))
    return answer[18:24]


def _neighbour_of(mac: bytes) -> bytes:
    """Another address of one station, locally administered (IEEE 802, section 8.4)."""
    return bytes((mac[0] & 0xFC | 0x02,)) + mac[1:5] + bytes((mac[5] ^ 0x80,))


def _explain(name: str, error: OSError) -> TransportError:
    """Say which TAP, why not, and what the user can do."""
    number = error.errno or 0
    return TransportError(f"TAP {name}: {_WHY.get(number, os.strerror(number)).format(name=name)}", number)


_HOW_TO_MAKE = (
    "let root make it for you: "
    "'ip tuntap add {name} mode tap user $USER vnet_hdr', then 'ip link set {name} up'"
)
_WHY = {
    errno.ENOENT: f"{_CLONE_DEVICE} is missing; load the module with 'modprobe tun', "
    "or give the container --device /dev/net/tun",
    errno.EACCES: f"no access to {_CLONE_DEVICE}; it is usually open to all (mode 0666)",
    errno.EPERM: f"no permission; {_HOW_TO_MAKE}",
    errno.EBUSY: "in use by another process",
    errno.EINVAL: "exists and is no TAP, or was made with other flags; "
    "remove it and make it again: 'ip tuntap add {name} mode tap user $USER vnet_hdr'",
    errno.EBADFD: "the interface was deleted; make it again: "
    "'ip tuntap add {name} mode tap user $USER vnet_hdr'",
    errno.ENXIO: "the kernel has no TUN/TAP driver",
    errno.ENODEV: "the kernel has no TUN/TAP driver",
}
