"""The TAP backend against the kernel, in a network namespace of the test's own."""

import os
import select
import subprocess
import time

import pytest

from tests.fakes.namespaces import in_new_namespace
from virtio import spec
from virtio.device.net import NetDevice
from virtio.device.tap import TapBackend
from virtio.errors import TransportError
from virtio.net import VirtioNet, VirtioNetConfig
from virtio.transport.inprocess import InProcessTransport

MAC = b"\x02\x00\x00\x00\x00\x77"

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace"),
    pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="the kernel has no /dev/net/tun"),
]


def arp_request(target: bytes) -> bytes:
    return (
        b"\xff" * 6 + MAC + b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + MAC
        + b"\x0a\x09\x00\x02" + bytes(6) + target
    )  # fmt: skip


def wait_for_frame(net: VirtioNet, wanted, seconds: float = 3.0) -> bytes:
    deadline = time.monotonic() + seconds
    while (now := time.monotonic()) < deadline:
        net.service(now)
        for view, _flags, _size, token in net.receive_frames():
            frame = bytes(view)
            net.release(token)
            if wanted(frame):
                return frame
        net.flush()
        if not net.arm():
            select.select(net.wait_fds(), [], [], 0.05)
    raise AssertionError("the frame did not come")


@pytest.mark.parametrize(
    "features",
    [
        spec.ALL_FEATURES,
        spec.ALL_FEATURES & ~spec.OFFLOADS,
        spec.ALL_FEATURES & ~spec.VIRTIO_F_VERSION_1 & ~spec.VIRTIO_NET_F_MRG_RXBUF,
    ],
    ids=["all", "no-offload", "legacy"],
)
def test_the_kernel_answers_arp_over_a_tap(features):
    with in_new_namespace():
        net = VirtioNet(
            InProcessTransport(NetDevice(TapBackend("vtap0", MAC, create=True))),
            VirtioNetConfig(features=features),
        )
        try:
            subprocess.run(["ip", "addr", "add", "10.9.0.1/24", "dev", "vtap0"], check=True)
            subprocess.run(["ip", "link", "set", "vtap0", "up"], check=True)
            assert net.mtu == 1500
            assert net.send_frame([arp_request(b"\x0a\x09\x00\x01")], 0, 0, 0, 0)
            net.flush()
            reply = wait_for_frame(net, lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\x00\x02")
            assert reply[:6] == MAC
            assert reply[28:32] == b"\x0a\x09\x00\x01"
        finally:
            net.close()


def test_a_tap_that_is_taken_is_named_in_the_error():
    with in_new_namespace():
        first = TapBackend("vtap1", MAC, create=True)
        try:
            with pytest.raises(TransportError, match="TAP vtap1: in use by another process"):
                TapBackend("vtap1", MAC, create=True)
        finally:
            first.close()


def test_root_does_not_make_a_tap_by_a_mistyped_name():
    with in_new_namespace():
        with pytest.raises(TransportError, match="TAP vtap9: no such interface"):
            TapBackend("vtap9", MAC)
        listed = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
        assert "vtap9" not in listed


def test_an_interface_that_is_no_tap_is_named_in_the_error():
    with in_new_namespace(), pytest.raises(TransportError, match=r"TAP lo: .*ip tuntap add lo mode tap"):
        TapBackend("lo", MAC)


def test_a_frame_for_an_interface_that_is_down_is_counted():
    with in_new_namespace():
        backend = TapBackend("vtap2", MAC, create=True)
        net = VirtioNet(InProcessTransport(NetDevice(backend)))
        try:
            assert net.send_frame([arp_request(b"\x0a\x09\x00\x01")], 0, 0, 0, 0)
            net.flush()
            assert backend.dropped_sends == 1
        finally:
            net.close()


@pytest.mark.parametrize("name", ["", "a" * 16, "a/b", "a b"])
def test_a_name_that_no_interface_can_have_is_refused(name):
    with pytest.raises(TransportError, match="not the name of an interface"):
        TapBackend(name, MAC)
