"""The TAP backend on a pretended kernel: what it asks of it, and what it tells the user."""

import errno
import fcntl
import os
import struct

import pytest

from tests.fakes.backends import ethernet_frame
from virtio import spec
from virtio.device import tap
from virtio.device.net import NetDevice
from virtio.errors import TransportError
from virtio.net import VirtioNet, VirtioNetConfig
from virtio.transport.inprocess import InProcessTransport

MAC = b"\x02\0\0\0\0\x77"


@pytest.fixture
def kernel(monkeypatch):
    """A socket pair in place of /dev/net/tun; yields our end and the ioctls."""
    import socket

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    real_open = os.open
    calls = []

    def open_(path, flags, *rest, **options):
        return os.dup(theirs.fileno()) if path == "/dev/net/tun" else real_open(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(fcntl, "ioctl", lambda fd, number, value: calls.append((number, value)))
    yield ours, calls
    ours.close()
    theirs.close()


OFFLOADS = [
    (spec.ALL_FEATURES, 7),
    (spec.ALL_FEATURES & ~spec.OFFLOADS, 0),
    (spec.ALL_FEATURES & ~spec.GUEST_TSO, 1),
    (spec.ALL_FEATURES & ~spec.VIRTIO_NET_F_GUEST_TSO6, 3),
    (spec.ALL_FEATURES & ~spec.VIRTIO_NET_F_GUEST_CSUM, 0),
]


@pytest.mark.parametrize(("features", "offload"), OFFLOADS)
def test_the_offloads_of_the_tap_are_those_that_were_negotiated(kernel, features, offload):
    _, calls = kernel
    net = VirtioNet(
        InProcessTransport(NetDevice(tap.TapBackend("tap7", MAC, create=True))),
        VirtioNetConfig(features=features),
    )
    (iff, request), (size, header), (offloads, mask) = calls
    assert (iff, request[:18]) == (0x400454CA, b"tap7".ljust(16, b"\0") + struct.pack("H", 0x5002))
    assert (size, header) == (0x400454D8, struct.pack("i", 12))
    assert (offloads, mask) == (0x400454D0, offload)
    net.close()


def test_frames_and_headers_pass_both_ways(kernel):
    ours, _ = kernel
    net = VirtioNet(InProcessTransport(NetDevice(tap.TapBackend("tap7", MAC, create=True))))
    frame = bytearray(ethernet_frame(200))
    frame[12:14], frame[14], frame[23], frame[46] = b"\x08\x00", 0x45, 6, 0x50
    assert net.send_frame([frame[:54], frame[54:]], 34, 16, 1, 100)
    assert net.send_frame([frame], 0, 0, 0, 0)
    net.flush()
    assert ours.recv(500) == struct.pack("<BBHHHHH", 1, 1, 54, 100, 34, 16, 0) + frame
    assert ours.recv(500) == bytes(12) + frame
    ours.send(struct.pack("<BBHHHHH", 1, 1, 54, 100, 34, 16, 0) + frame)
    ours.send(bytes(12) + frame)
    net.service(0.0)
    seen = [(bytes(view), flags, size) for view, flags, size, _ in net.receive_frames()]
    assert seen == [(frame, 1, 100), (frame, 0, 0)]
    net.close()


def test_a_kernel_that_takes_no_more_costs_frames_and_not_the_driver(kernel):
    ours, _ = kernel
    backend = tap.TapBackend("tap7", MAC, create=True)
    net = VirtioNet(InProcessTransport(NetDevice(backend)))
    for _ in range(2000):
        assert net.send_frame([ethernet_frame(1514)], 0, 0, 0, 0)
        net.flush()
    assert backend.dropped_sends > 0
    assert backend.last_error == errno.EAGAIN
    ours.close()
    net.service(0.0)
    assert net.info().transmit.used == 2000
    net.close()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOENT, "TAP tap7: /dev/net/tun is missing; load the module with 'modprobe tun'"),
        (errno.EACCES, "TAP tap7: no access to /dev/net/tun"),
        (errno.EPERM, "TAP tap7: no permission; .*'ip tuntap add tap7 mode tap user .USER vnet_hdr'"),
        (errno.EBUSY, "TAP tap7: in use by another process"),
        (errno.EINVAL, "TAP tap7: exists and is no TAP, or was made with other flags"),
        (errno.ENODEV, "TAP tap7: the kernel has no TUN/TAP driver"),
        (errno.ENOMEM, "TAP tap7: Cannot allocate memory"),
    ],
)
@pytest.mark.parametrize("step", ["open", "ioctl"])
def test_an_error_names_the_tap_and_the_way_out(monkeypatch, kernel, number, text, step):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((os, "open", fail) if step == "open" else (fcntl, "ioctl", fail)))
    with pytest.raises(TransportError, match=text) as error:
        tap.TapBackend("tap7", MAC, create=True)
    assert error.value.errno == number
    monkeypatch.undo()


def test_a_tap_that_is_not_there_is_refused_and_nothing_is_asked_of_the_kernel(kernel):
    _, calls = kernel
    with pytest.raises(TransportError, match=r"TAP tap7: no such interface; .*'ip tuntap add tap7") as error:
        tap.TapBackend("tap7", MAC)
    assert (error.value.errno, calls) == (errno.ENODEV, [])


def test_a_tap_whose_offloads_cannot_be_set_is_closed(monkeypatch, kernel):
    backend = tap.TapBackend("tap7", MAC, create=True)

    def fail(*_):
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(fcntl, "ioctl", fail)
    with pytest.raises(TransportError, match="TAP tap7"):
        VirtioNet(InProcessTransport(NetDevice(backend)))
    assert backend.wait_fds() == (-1,)
