"""TCP segments (RFC 9293 §3.1) and their options (RFC 7323 §2.2, §3.2; RFC 2018 §2, §3).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------------------------------+-------------------------------+
    |          Source Port          |       Destination Port        |
    +-------------------------------+-------------------------------+
    |                        Sequence Number                        |
    +---------------------------------------------------------------+
    |                     Acknowledgment Number                     |
    +-------+-------+---------------+-------------------------------+
    |  DOff | Rsrvd |     Flags     |            Window             |
    +-------+-------+---------------+-------------------------------+
    |           Checksum            |         Urgent Pointer        |
    +-------------------------------+-------------------------------+
    |             options, padded to a multiple of 32 bits          |
    +---------------------------------------------------------------+

The checksum covers a pseudo-header that belongs to IP, so IP verifies and
fills it in; here the field is zero on the way out and ignored on the way in.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, Self

from tcpip.errors import MalformedPacketError

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20
ECE = 0x40
CWR = 0x80

HEADER_SIZE = 20
CHECKSUM_OFFSET = 16
MAX_OPTIONS = 40
TIMESTAMPS_SIZE = 12
"""Of a timestamps option with the two NOPs that RFC 7323 §A recommends before it."""

END_OF_OPTIONS = 0
NO_OPERATION = 1
MAXIMUM_SEGMENT_SIZE = 2
WINDOW_SCALE = 3
SACK_PERMITTED = 4
SACK = 5
TIMESTAMPS = 8

_HEADER = struct.Struct("!HHIIBBHHH")
_WITH_TIMESTAMPS = struct.Struct("!HHIIBBHHHIII")
_NOP_NOP_TIMESTAMPS = 0x0101_080A
_32_OCTETS = 0x80  # the data offset of a header with nothing but timestamps
_TWO = struct.Struct("!II")
_new_tuple = tuple.__new__


class Segment(NamedTuple):
    """A segment as it came in; options are None (or no blocks) where absent.

    `payload` is a view into the buffer that was parsed, good as long as that
    one.  `sequence` and the other numbers are as on the wire, modulo 2³².
    """

    source_port: int
    destination_port: int
    sequence: int
    acknowledgment: int
    flags: int
    window: int
    urgent: int
    mss: int | None
    window_scale: int | None
    sack_permitted: bool
    sack_blocks: tuple[tuple[int, int], ...]
    ts_value: int | None
    ts_echo: int | None
    payload: memoryview

    @classmethod
    def parse(cls, view: memoryview) -> Self:
        """Read the payload of an IP packet; MalformedPacketError for what is none."""
        size = len(view)
        if size >= 32 and view[12] & 0xF0 == _32_OCTETS:
            (
                source,
                destination,
                sequence,
                acknowledgment,
                _,
                flags,
                window,
                _,
                urgent,
                kinds,
                value,
                echo,
            ) = _WITH_TIMESTAMPS.unpack_from(view)
            if kinds == _NOP_NOP_TIMESTAMPS:  # nearly every segment of a connection that has timestamps
                return _new_tuple(
                    cls,
                    (
                        source,
                        destination,
                        sequence,
                        acknowledgment,
                        flags,
                        window,
                        urgent,
                        None,
                        None,
                        False,
                        (),
                        value,
                        echo,
                        view[32:],
                    ),
                )
        elif size < HEADER_SIZE:
            raise MalformedPacketError(f"TCP: {size} octets, need {HEADER_SIZE}")
        source, destination, sequence, acknowledgment, offset, flags, window, _, urgent = _HEADER.unpack_from(
            view
        )
        header_size = offset >> 4 << 2
        if header_size < HEADER_SIZE:
            raise MalformedPacketError(f"TCP: data offset says {header_size} octets, at least {HEADER_SIZE}")
        if header_size > size:
            raise MalformedPacketError(f"TCP: data offset says {header_size} octets of {size}")
        options = _parse_options(view[HEADER_SIZE:header_size])
        return cls(
            source,
            destination,
            sequence,
            acknowledgment,
            flags,
            window,
            urgent,
            *options,
            payload=view[header_size:],
        )

    @property
    def length(self) -> int:
        """Octets of sequence space: payload, SYN and FIN (RFC 9293 §3.4)."""
        return len(self.payload) + (self.flags & FIN) + (self.flags >> 1 & 1)


_Options = tuple[int | None, int | None, bool, tuple[tuple[int, int], ...], int | None, int | None]


def _parse_options(options: memoryview) -> _Options:
    """Read what is known, skip what is not, and what has not its kind's length (RFC 9293 §3.2)."""
    mss = window_scale = ts_value = ts_echo = None
    sack_permitted = False
    blocks: tuple[tuple[int, int], ...] = ()
    at, end = 0, len(options)
    while at < end:
        kind = options[at]
        if kind == END_OF_OPTIONS:
            break
        if kind == NO_OPERATION:
            at += 1
            continue
        if at + 2 > end:
            raise MalformedPacketError(f"TCP: option {kind} is cut off before its length")
        length = options[at + 1]
        if length < 2 or at + length > end:
            raise MalformedPacketError(f"TCP: option {kind} says {length} octets, {end - at} are left")
        if kind == MAXIMUM_SEGMENT_SIZE and length == 4:
            mss = options[at + 2] << 8 | options[at + 3]
        elif kind == WINDOW_SCALE and length == 3:
            window_scale = options[at + 2]
        elif kind == SACK_PERMITTED and length == 2:
            sack_permitted = True
        elif kind == SACK and length & 7 == 2:
            blocks = tuple(_TWO.iter_unpack(options[at + 2 : at + length]))
        elif kind == TIMESTAMPS and length == 10:
            ts_value, ts_echo = _TWO.unpack_from(options, at + 2)
        at += length
    return mss, window_scale, sack_permitted, blocks, ts_value, ts_echo


def build_header(
    source_port: int,
    destination_port: int,
    sequence: int,
    acknowledgment: int,
    flags: int,
    window: int,
    options: bytes = b"",
    urgent: int = 0,
) -> bytes:
    """A header with its checksum zero; `options` as `build_options` makes them, a multiple of four octets."""
    return (
        _HEADER.pack(
            source_port,
            destination_port,
            sequence,
            acknowledgment,
            (HEADER_SIZE + len(options)) << 2,
            flags,
            window,
            0,
            urgent,
        )
        + options
    )


def build_timestamps_header(
    source_port: int,
    destination_port: int,
    sequence: int,
    acknowledgment: int,
    flags: int,
    window: int,
    ts_value: int,
    ts_echo: int,
) -> bytes:
    """`build_header` with timestamps as the one option: every segment of bulk data."""
    return _WITH_TIMESTAMPS.pack(
        source_port,
        destination_port,
        sequence,
        acknowledgment,
        _32_OCTETS,
        flags,
        window,
        0,
        0,
        _NOP_NOP_TIMESTAMPS,
        ts_value,
        ts_echo,
    )


def build_options(
    mss: int | None = None,
    window_scale: int | None = None,
    sack_permitted: bool = False,
    ts_value: int | None = None,
    ts_echo: int = 0,
    sack_blocks: Sequence[tuple[int, int]] = (),
) -> bytes:
    """Lay out options on 32-bit boundaries; SACK blocks that do not fit are left out, the last first."""
    out = b""
    if mss is not None:
        out += struct.pack("!BBH", MAXIMUM_SEGMENT_SIZE, 4, mss)
    if sack_permitted:
        out += bytes((NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2))
    if ts_value is not None:
        out += struct.pack("!III", _NOP_NOP_TIMESTAMPS, ts_value, ts_echo)
    if window_scale is not None:
        out += bytes((NO_OPERATION, WINDOW_SCALE, 3, window_scale))
    if blocks := sack_blocks[: (MAX_OPTIONS - len(out) - 4) // 8]:
        out += bytes((NO_OPERATION, NO_OPERATION, SACK, 2 + 8 * len(blocks)))
        out += b"".join(_TWO.pack(start, end) for start, end in blocks)
    return out
