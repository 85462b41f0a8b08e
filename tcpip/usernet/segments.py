"""TCP segments as the splice writes and reads them: in place, without an object per layer (RFC 9293 §3.1).

The formats of `tcpip.wire` make each header once; a frame then is that
template with seven fields changed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from tcpip.usernet.port import skip
from tcpip.wire.address import IpAddress
from tcpip.wire.checksum import checksum, is_valid, ones_sum, ones_sum_pieces, pseudo_header_sum
from tcpip.wire.ipv4 import Ipv4Packet
from tcpip.wire.ipv6 import Ipv6Packet
from tcpip.wire.protocols import TCP

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

CHECKSUM_OFFSET = 16
MASK = 0xFFFFFFFF
HALF = 1 << 31

_PORTS = struct.Struct("!HH")
_REST = struct.Struct("!IIBBHHH")
_HEADER = struct.Struct("!HHIIBBHHH")
_U16 = struct.Struct("!H")


class SegmentIn(NamedTuple):
    """A segment from the guest; `payload` are views into its frame."""

    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: Sequence[memoryview]
    length: int


def parse_segment(
    key: bytes, head: memoryview, offset: int, end: int, pieces: Sequence[memoryview], is_trusted: bool
) -> SegmentIn | None:
    """Read the segment at `offset` of a frame that ends at `end`; None: malformed.

    `key` is source, destination, source port, destination port; `head` is
    the first piece, or all of them joined when the header is in parts.
    """
    if offset + 20 > end:
        return None
    _, _, seq, ack, size, flags, window, _, _ = _HEADER.unpack_from(head, offset)
    start = offset + (size >> 4) * 4
    if start < offset + 20 or start > end or start > len(head):
        return None
    payload = _between(head, pieces, start, end)
    if payload is None:
        return None
    if not is_trusted:
        half = len(key) - 4 >> 1
        pseudo = pseudo_header_sum(key[:half], key[half:-4], TCP, end - offset)
        if not is_valid(pseudo + ones_sum(head[offset:start]) + ones_sum_pieces(payload)):
            return None
    options = bytes(head[offset + 20 : start]) if flags & SYN else b""
    return SegmentIn(seq, ack, flags, window, options, payload, end - start)


def _between(
    head: memoryview, pieces: Sequence[memoryview], start: int, end: int
) -> Sequence[memoryview] | None:
    """The octets from `start` to `end` of a frame; None if it is shorter."""
    payload = [head[start:end]] if len(head) > start else []
    missing = end - max(start, len(head))
    for piece in pieces[1:]:
        if missing <= 0:
            break
        payload.append(piece if len(piece) <= missing else piece[:missing])
        missing -= len(piece)
    return payload if missing <= 0 else None


class SynOptions(NamedTuple):
    """What the splice wants to know from a SYN."""

    mss: int | None = None
    window_shift: int | None = None


def parse_options(options: bytes) -> SynOptions:
    """Read the options of a SYN (RFC 9293 §3.2, RFC 7323 §2); what is malformed ends the list."""
    mss = shift = None
    i = 0
    while i < len(options) and options[i] != 0:
        if options[i] == 1:
            i += 1
            continue
        if i + 1 >= len(options) or options[i + 1] < 2 or i + options[i + 1] > len(options):
            break
        kind, size = options[i], options[i + 1]
        if kind == 2 and size == 4:
            mss = int.from_bytes(options[i + 2 : i + 4], "big")
        elif kind == 3 and size == 3:
            shift = min(options[i + 2], 14)
        i += size
    return SynOptions(mss, shift)


class FlowHeader:
    """Headers of one flow's frames, from its far end to the guest."""

    __slots__ = ("_ip_sum", "_pseudo", "_template", "size", "version")

    def __init__(self, link_header: bytes, key: bytes) -> None:
        half = len(key) - 4 >> 1
        guest, remote = IpAddress(key[:half]), IpAddress(key[half:-4])
        guest_port, remote_port = _PORTS.unpack_from(key, len(key) - 4)
        if len(guest) == 4:
            self.version = 4
            ip = Ipv4Packet(remote, guest, TCP, b"", dont_fragment=True).build_header(0)
            ip = ip[:2] + b"\0\0" + ip[4:10] + b"\0\0" + ip[12:]
        else:
            self.version = 6
            ip = Ipv6Packet(remote, guest, TCP, b"").build_header(0)
        self._ip_sum = ones_sum(ip)
        self._pseudo = pseudo_header_sum(remote, guest, TCP, 20)
        self._template = bytearray(link_header + ip + _PORTS.pack(remote_port, guest_port) + bytes(16))
        self.size = len(self._template)

    def partial(self, seq: int, ack: int, flags: int, window: int, length: int) -> bytearray:
        """The header of a segment whose checksum the device or nobody completes; good until the next call."""
        return self._fill(seq, ack, flags, window, length, 0x50, (self._pseudo + length) % 0xFFFF)

    def complete(
        self, seq: int, ack: int, flags: int, window: int, payload: Sequence[memoryview], length: int
    ) -> bytearray:
        """The same with the checksum made."""
        header = self._fill(seq, ack, flags, window, length, 0x50, 0)
        tcp_sum = ones_sum(header[self.size - 20 :])
        total = self._pseudo + length + tcp_sum + (ones_sum_pieces(payload) if length else 0)
        _U16.pack_into(header, self.size - 4, checksum(total))
        return header

    def bare(self, seq: int, ack: int, flags: int, window: int, options: bytes = b"") -> bytes:
        """A whole frame without payload."""
        length = len(options)
        header = self._fill(seq, ack, flags, window, length, 0x50 + (length << 2), 0)
        total = self._pseudo + length + ones_sum(header[self.size - 20 :]) + ones_sum(options)
        _U16.pack_into(header, self.size - 4, checksum(total))
        return bytes(header) + options

    def _fill(
        self, seq: int, ack: int, flags: int, window: int, length: int, offset: int, check: int
    ) -> bytearray:
        template = self._template
        if self.version == 4:
            total = 40 + length
            _U16.pack_into(template, 16, total)
            _U16.pack_into(template, 24, checksum(self._ip_sum + total))
        else:
            _U16.pack_into(template, 18, 20 + length)
        _REST.pack_into(template, self.size - 16, seq, ack, offset, flags, window, check, 0)
        return template


def trim(payload: Sequence[memoryview], count: int) -> Sequence[memoryview]:
    """Payload without its first `count` octets."""
    return skip(payload, count) if count else payload
