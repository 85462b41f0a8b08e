"""A frame on its way to the device, with what the device is asked to do to it."""

from __future__ import annotations

from typing import NamedTuple

from tcpip.device import Buffer


class Frame(NamedTuple):
    """The arguments of `FrameDevice.send_frame`."""

    pieces: tuple[Buffer, ...]
    csum_start: int = 0
    csum_offset: int = 0
    gso_type: int = 0
    gso_size: int = 0
