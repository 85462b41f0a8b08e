"""What every `FrameDevice` promises (`tcpip/device.py`), as one check for all of them."""

from typing import Protocol


class FarEnd(Protocol):
    """The other end of the wire, as a test holds it."""

    def take(self) -> list[bytes]:
        """Frames that left the device since the last call."""

    def give(self, frame: bytes) -> None:
        """Let a frame arrive at the device."""


def frame_of(length: int, fill: int = 1) -> bytes:
    return bytes.fromhex("52540012345602000000000288b5") + bytes((fill + i) % 251 for i in range(length - 14))


def check_frame_device(device, far_end: FarEnd) -> None:
    """Drive a device that is up and idle through the contract; it is closed at the end."""
    _check_questions(device)
    _check_sending(device, far_end)
    _check_receiving(device, far_end)
    _check_early_stop(device, far_end)
    _check_full_ring(device, far_end)
    _check_waiting(device, far_end)
    _check_close(device)


def _turn(device, now=0.0) -> list[bytes]:
    device.service(now)
    frames = []
    for frame, flags, gso_size, token in device.receive_frames():
        assert flags & ~3 == 0, "flags are CHECKSUM_PARTIAL and CHECKSUM_GOOD"
        assert gso_size >= 0
        frames.append(bytes(frame))
        device.release(token)
    device.flush()
    return frames


def _check_questions(device) -> None:
    assert len(device.mac) == 6
    assert not device.mac[0] & 1, "mac: a group address"
    assert 68 <= device.mtu <= 65535
    assert device.offloads & ~0x3F == 0
    assert all(isinstance(fd, int) for fd in device.wait_fds())
    assert device.next_timeout() is None or isinstance(device.next_timeout(), float)


def _check_sending(device, far_end) -> None:
    far_end.take()
    sent = []
    for length in (14, 15, 60, 61, device.mtu + 14):
        frame = frame_of(length)
        for pieces in ([frame], [frame[:14], frame[14:]], [bytearray(frame[:9]), memoryview(frame)[9:]]):
            assert device.send_frame(pieces, 0, 0, 0, 0) is True
            sent.append(frame)
    device.flush()
    device.service(0.0)
    assert far_end.take() == sent, "frames leave whole and in order, however they were cut"
    piece = bytearray(frame_of(100))
    assert device.send_frame([piece], 0, 0, 0, 0)
    expected = bytes(piece)
    piece[:] = bytes(100)
    device.flush()
    device.service(0.0)
    assert far_end.take() == [expected], "the pieces are the caller's again when the call returns"


def _check_receiving(device, far_end) -> None:
    frames = [frame_of(length, fill=length) for length in (14, 60, device.mtu + 14)]
    for frame in frames:
        far_end.give(frame)
    assert _turn(device) == frames
    assert _turn(device) == []
    for n in range(1000):  # memory given back is used again
        far_end.give(frame_of(60, fill=n))
        assert _turn(device) == [frame_of(60, fill=n)]


def _check_early_stop(device, far_end) -> None:
    frames = [frame_of(60, fill=n) for n in range(3)]
    for frame in frames:
        far_end.give(frame)
    device.service(0.0)
    for frame, _, _, token in device.receive_frames():
        assert bytes(frame) == frames[0]
        device.release(token)
        break
    assert _turn(device) == frames[1:], "a reader that stopped early finds the rest"


def _check_full_ring(device, far_end) -> None:
    far_end.take()
    count = 0
    while device.send_frame([frame_of(60, fill=count)], 0, 0, 0, 0):
        count += 1
        assert count < 100_000, "a ring without end"
    assert count >= 1
    assert device.send_frame([frame_of(60)], 0, 0, 0, 0) is False
    device.flush()
    device.service(0.0)
    assert far_end.take() == [frame_of(60, fill=n) for n in range(count)]
    assert device.send_frame([frame_of(60)], 0, 0, 0, 0) is True, "there is room again after service"
    device.flush()
    device.service(0.0)
    far_end.take()


def _check_waiting(device, far_end) -> None:
    _turn(device)
    assert device.arm() is False, "nothing is there: the owner may wait"
    far_end.give(frame_of(60))
    device.service(0.0)
    assert device.arm() is True, "a frame is there: do not wait"
    assert _turn(device) == [frame_of(60)]


def _check_close(device) -> None:
    device.close()
    device.close()
    device.service(1.0)
    device.flush()
    assert device.send_frame([frame_of(60)], 0, 0, 0, 0) is False
    assert list(device.receive_frames()) == []
    assert device.next_timeout() is None
    assert list(device.wait_fds()) == []
