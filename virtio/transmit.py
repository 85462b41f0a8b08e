"""The transmit side of the net driver: frames copied once and never waited for (virtio 1.2 §5.1.6.2).

A frame that fits goes into one small buffer behind its header, under one
descriptor.  A larger one leaves its headers (the first piece) there and puts
the rest into one large buffer: a chain of two, or one indirect descriptor.

    small   | virtio-net header | Ethernet, IP, TCP headers |
    large   | payload ...                                   |

Buffers come back when the device has used the chain, whenever that is; when
none is left, `send` says False and nobody blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from virtio import spec
from virtio.errors import UsageError
from virtio.memory import BufferPool, Region
from virtio.queue import Segment, Virtqueue

Buffer = bytes | bytearray | memoryview

SMALL_SIZE = 2048
LARGE_SIZE = 65536
FRAME_AT = 12
SMALL_ROOM = SMALL_SIZE - FRAME_AT

_GSO_FEATURES = {
    spec.VIRTIO_NET_HDR_GSO_TCPV4: spec.VIRTIO_NET_F_HOST_TSO4,
    spec.VIRTIO_NET_HDR_GSO_TCPV6: spec.VIRTIO_NET_F_HOST_TSO6,
}


class TransmitSide:
    """Two pools of buffers, and the ring they go to."""

    def __init__(self, region: Region, small: BufferPool, large: BufferPool) -> None:
        self.frames_sent = 0
        self.octets_sent = 0
        self.refused = False
        """A frame found no room; completions are of interest."""
        self.lost_in_reset = 0
        self._region = region
        self._base = region.base
        self._small = small
        self._large = large
        self._checksum_at = (0, 0)
        self._shortest = spec.ETHERNET_HEADER_SIZE
        self._header = bytes(FRAME_AT)
        """The virtio-net header of the last frame that was not to be cut, for those like it."""
        self._on_their_way: dict[int, Sequence[Segment]] = {}
        """What the device has, by token, oldest first."""
        self._repeated: set[int] = set()

    def start(self, queue: Virtqueue, features: int) -> None:
        """Go on with a fresh ring: what the old one had not sent is posted again, once.

        A frame that meets a second reset may be what the device dies of; it
        is lost, as on any wire, and counted.
        """
        self._queue = queue
        self._features = features
        self._shortest = spec.FRAME_MAX + 1  # with these features nothing has been checked
        self._is_modern = bool(features & spec.VIRTIO_F_VERSION_1)
        self._header_size = spec.net_header_size(features)
        on_their_way, self._on_their_way = self._on_their_way, {}
        for token, segments in on_their_way.items():
            if token in self._repeated:
                self._repeated.remove(token)
                self._give(token)
                self.lost_in_reset += 1
            else:
                self._repeated.add(token)
                self._post(token, segments)

    def send(
        self, pieces: Sequence[Buffer], csum_start: int, csum_offset: int, gso_type: int, gso_size: int
    ) -> bool:
        """Copy a frame in and post it; see `FrameDevice.send_frame`."""
        length = 0
        for piece in pieces:
            length += len(piece)
        if gso_type or length < self._shortest or (csum_start, csum_offset) != self._checksum_at:
            self._check(length, csum_start, csum_offset, gso_type, gso_size)
        if length > SMALL_ROOM or not self._is_modern:
            return self._send_chain(pieces, length, csum_start, csum_offset, gso_type, gso_size)
        queue = self._queue
        number = self._small.take() if queue.room else -1
        if number < 0:
            self.reclaim()
            number = self._small.take() if queue.room else -1
            if number < 0:
                self.refused = True
                return False
        offset = self._small.offsets[number]
        octets = self._region.octets
        end = offset + FRAME_AT
        for piece in pieces:
            start, end = end, end + len(piece)
            octets[start:end] = piece
        if gso_type:
            self._write_gso_header(offset, csum_start, csum_offset, gso_type, gso_size)
        else:
            octets[offset : offset + FRAME_AT] = self._header
        address, size = self._base + offset, end - offset
        queue.post(address, size, False, number)
        self._on_their_way[number] = ((address, size),)
        self.frames_sent += 1
        self.octets_sent += length
        return True

    def reclaim(self) -> None:
        """Take back the buffers of all frames the device has used."""
        small, on_their_way = self._small, self._on_their_way
        for token, _ in self._queue.reap():
            del on_their_way[token]
            if token > 0xFFFF:
                self._give(token)
            else:
                small.give(token)
            if self._repeated:
                self._repeated.discard(token)

    # private

    def _post(self, token: int, segments: Sequence[Segment]) -> None:
        posted = self._queue.post_chain(segments, (), token)
        assert posted, "there is room for the longest chain"
        self._on_their_way[token] = segments

    def _check(self, length: int, csum_start: int, csum_offset: int, gso_type: int, gso_size: int) -> None:
        """Hold the caller to what was negotiated, before any buffer is taken."""
        needed = spec.VIRTIO_NET_F_CSUM if csum_offset or gso_type else 0
        if gso_type:
            needed |= _GSO_FEATURES.get(gso_type, -1)
        if needed & ~self._features:
            raise UsageError(
                f"virtio: checksum or segmentation (gso_type {gso_type}) that was not negotiated"
            )
        end = csum_start + (20 if gso_type else csum_offset + 2)
        if end > min(length, SMALL_ROOM) or length < spec.ETHERNET_HEADER_SIZE or (gso_type and not gso_size):
            raise UsageError(f"virtio: a frame of {length} octets, checksum at {csum_start}+{csum_offset}")
        if not gso_type:
            self._checksum_at = (csum_start, csum_offset)
            self._shortest = max(end, spec.ETHERNET_HEADER_SIZE)
            flags = spec.VIRTIO_NET_HDR_F_NEEDS_CSUM if csum_offset else 0
            self._header = spec.NET_HEADER_WITH_BUFFERS.pack(flags, 0, 0, 0, csum_start, csum_offset, 0)

    def _give(self, token: int) -> None:
        self._small.give(token & 0xFFFF)
        if token >> 16:
            self._large.give((token >> 16) - 1)

    def _send_chain(
        self,
        pieces: Sequence[Buffer],
        length: int,
        csum_start: int,
        csum_offset: int,
        gso_type: int,
        gso_size: int,
    ) -> bool:
        if length > spec.FRAME_MAX:
            raise UsageError(f"virtio: a frame of {length} octets, {spec.FRAME_MAX} are the most")
        head, rest = _split(pieces) if length > SMALL_ROOM else (pieces, ())
        if not self._has_room(bool(rest)):
            self.reclaim()
            if not self._has_room(bool(rest)):
                self.refused = True
                return False
        token = self._small.take()
        start = self._small.offsets[token]
        end = self._copy(head, start + FRAME_AT)
        if gso_type:
            self._write_gso_header(start, csum_start, csum_offset, gso_type, gso_size)
        else:
            self._region.octets[start : start + FRAME_AT] = self._header
        segments = [(self._base + start, end - start)]
        if not self._is_modern:  # the header alone, for a legacy device (§5.1.6.6)
            segments = [(self._base + start, self._header_size)]
            segments.append((self._base + start + FRAME_AT, end - start - FRAME_AT))
        if rest:
            number = self._large.take()
            start = self._large.offsets[number]
            segments.append((self._base + start, self._copy(rest, start) - start))
            token |= number + 1 << 16
        self._post(token, segments)
        self.frames_sent += 1
        self.octets_sent += length
        return True

    def _has_room(self, large: bool) -> bool:
        """Three descriptors are the longest chain: header, headers, payload."""
        return self._queue.room >= 3 and len(self._small) > 0 and (not large or len(self._large) > 0)

    def _copy(self, pieces: Sequence[Buffer], start: int) -> int:
        octets = self._region.octets
        for piece in pieces:
            end = start + len(piece)
            octets[start:end] = piece
            start = end
        return start

    def _write_gso_header(
        self, offset: int, csum_start: int, csum_offset: int, gso_type: int, gso_size: int
    ) -> None:
        """Fill in `struct virtio_net_hdr` (virtio 1.2 §5.1.6.2), num_buffers 0."""
        data_offset = self._region.octets[offset + FRAME_AT + csum_start + 12] >> 4
        spec.NET_HEADER_WITH_BUFFERS.pack_into(
            self._region.octets,
            offset,
            spec.VIRTIO_NET_HDR_F_NEEDS_CSUM,
            gso_type,
            csum_start + 4 * data_offset,
            gso_size,
            csum_start,
            csum_offset,
            0,
        )


def _split(pieces: Sequence[Buffer]) -> tuple[Sequence[Buffer], Sequence[Buffer]]:
    """Cut a frame into what goes to the small buffer and what goes to the large one, each within its size."""
    if 0 < len(pieces[0]) <= SMALL_ROOM:
        rest = pieces[1:]
        if (len(rest) == 1 and len(rest[0]) <= LARGE_SIZE) or sum(map(len, rest)) <= LARGE_SIZE:
            return pieces[:1], rest
    joined = memoryview(b"".join(pieces))  # not as the stack cuts it: rare, and worth a copy
    return (joined[:SMALL_ROOM],), (joined[SMALL_ROOM:],)
