"""The receive side of the net driver: buffers posted, lent, posted again (virtio 1.2 §5.1.6.4).

Every buffer is at all times either with the device or lent to the stack
under its number, the token.  A frame begins 12 octets into its first buffer,
whatever the size of the header, so the octets of the header's fields lie
where one load reads them.

The device vouches for checksums and merges segments; what it claims is
checked against what was negotiated and against the frame before the stack
sees it.  A frame whose header lies is dropped under a name in `dropped`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from virtio import spec
from virtio.errors import UsageError
from virtio.memory import Buffers, Region
from virtio.queue import Virtqueue

FRAME_AT = 12
"""Where the frame lies in its first buffer."""

_LENT, _LENT_AS_PART = 1, 2
_TRUSTED = spec.VIRTIO_NET_HDR_F_NEEDS_CSUM | spec.VIRTIO_NET_HDR_F_DATA_VALID
_CHECKSUM_AT = {6: 16, 17: 6}  # where TCP and UDP keep theirs
_ETHERTYPE_IPV4 = 0x0800
_ETHERTYPE_IPV6 = 0x86DD

ReceivedFrame = tuple[memoryview, int, int, int]
"""Frame, flags (1: checksum partial, 2: checksum good), gso_size or 0, token."""


class ReceiveSide:
    """The receive buffers, circling between the device and the stack."""

    def __init__(self, region: Region, buffers: Buffers) -> None:
        self.frames_received = 0
        self.octets_received = 0
        self.dropped: dict[str, int] = {}
        self._region = region
        self._buffers = buffers
        self._addresses = [region.base + offset for offset in buffers.offsets]
        self._lent = bytearray(buffers.count)
        self._spread: dict[int, list[int]] = {}
        self._arrived: deque[tuple[int, int]] = deque()

    def start(self, queue: Virtqueue, features: int) -> None:
        """Post every buffer that holds no frame: after a reset the device owns none."""
        self._queue = queue
        self._features = features
        self._is_modern = bool(features & spec.VIRTIO_F_VERSION_1)
        self._header_size = spec.net_header_size(features)
        arrived = {number for number, _ in self._arrived}
        for number in range(self._buffers.count):
            if not self._lent[number] and number not in arrived:
                self._post(number)

    def collect(self) -> None:
        """Take what has arrived out of the ring before it is reset; `frames` yields it."""
        self._arrived.extend(self._queue.reap())

    def frames(self) -> Iterator[ReceivedFrame]:
        """Yield what has arrived; whoever stops early finds the rest at the next call."""
        arrived, region, lent = self._arrived, self._region, self._lent
        octets, u64, offsets = region.octets, region.u64, self._buffers.offsets
        shortest = self._header_size + spec.ETHERNET_HEADER_SIZE
        to_frame = FRAME_AT - self._header_size
        merging = self._features & spec.VIRTIO_NET_F_MRG_RXBUF
        arrived.extend(self._queue.reap())
        while arrived:
            token, length = arrived.popleft()
            lent[token] = _LENT
            offset = offsets[token]
            if length < shortest:
                self._drop("frame too short", token)
                continue
            if merging and (count := region.u16[offset + 10 >> 1]) != 1:
                frame = self._merge(token, length, count)
                if frame is None:
                    continue
            else:
                frame = octets[offset + FRAME_AT : offset + to_frame + length]
            flags = gso_size = 0
            if u64[offset >> 3]:  # flags, gso_type, hdr_len, gso_size, csum_start: not a plain header
                flags, gso_type, _, gso_size, start, at = spec.NET_HEADER.unpack_from(octets, offset)
                lie = self._lie_of(frame, flags, gso_type, gso_size, start, at)
                if lie:
                    self._drop(lie, token)
                    continue
                flags = flags & _TRUSTED if self._features & spec.VIRTIO_NET_F_GUEST_CSUM else 0
                if not gso_type:
                    gso_size = 0
            self.frames_received += 1
            self.octets_received += len(frame)
            yield frame, flags, gso_size, token

    def release(self, token: int) -> None:
        """Post the buffers of a frame again; the device learns of it with the next `publish`."""
        if not 0 <= token < len(self._lent) or self._lent[token] != _LENT:
            raise UsageError(f"virtio: receive buffer {token} is not lent to anyone")
        self._lent[token] = 0
        if self._is_modern:
            self._queue.post(self._addresses[token], self._buffers.size, True, token)
        else:
            self._post_in_two(token)
        if self._spread and token in self._spread:
            for other in self._spread.pop(token):
                self._lent[other] = 0
                self._post(other)

    # private

    def _post(self, number: int) -> None:
        if self._is_modern:
            self._queue.post(self._addresses[number], self._buffers.size, True, number)
        else:
            self._post_in_two(number)

    def _post_in_two(self, number: int) -> None:
        """A legacy device wants the header in a descriptor of its own (§5.1.6.6)."""
        address, size = self._addresses[number], self._buffers.size
        header = (address, self._header_size)
        self._queue.post_chain((), (header, (address + FRAME_AT, size - FRAME_AT)), number)

    def _drop(self, lie: str, token: int) -> None:
        self.dropped[lie] = self.dropped.get(lie, 0) + 1
        self.release(token)

    def _merge(self, first: int, length: int, count: int) -> memoryview | None:
        """Bring the `count` buffers of one frame into one view; None when the count is a lie (§5.1.6.4)."""
        arrived = self._arrived
        if len(arrived) < count - 1:
            arrived.extend(self._queue.reap())  # the rest may have come since
        if not 1 <= count <= len(arrived) + 1:
            self._drop("num_buffers", first)
            return None
        rest = [arrived.popleft() for _ in range(count - 1)]
        self._spread[first] = [token for token, _ in rest]
        for token, _ in rest:
            self._lent[token] = _LENT_AS_PART
        if length + sum(octets for _, octets in rest) > FRAME_AT + spec.FRAME_MAX:
            self._drop("frame too long", first)
            return None
        return self._joined(first, length, rest)

    def _joined(self, first: int, length: int, rest: list[tuple[int, int]]) -> memoryview:
        """Where full buffers follow each other in memory, they are one piece already; else a copy."""
        octets, offsets = self._region.octets, self._buffers.offsets
        start = offsets[first]
        end = start + length
        for token, more in rest:
            if offsets[token] != end:
                break
            end += more
        else:
            return octets[start + FRAME_AT : end]
        pieces = [octets[start + FRAME_AT : start + length]]
        pieces += [octets[offsets[token] : offsets[token] + more] for token, more in rest]
        return memoryview(b"".join(pieces))

    def _lie_of(
        self, frame: memoryview, flags: int, gso_type: int, gso_size: int, csum_start: int, csum_offset: int
    ) -> str:
        """Name what is wrong with a header, or nothing: "" (virtio 1.2 §5.1.6.4.1).

        A gso_size of 1 is odd but may be true: a peer may send segments of
        one octet, and a kernel merges them.
        """
        if gso_type:
            kind = gso_type & ~spec.VIRTIO_NET_HDR_GSO_ECN
            needed = _MERGED.get(kind, 0)
            if not self._features & needed:
                return "merge not negotiated"
            if not gso_size:
                return "gso_size 0"
        if flags & spec.VIRTIO_NET_HDR_F_NEEDS_CSUM:
            if not self._features & spec.VIRTIO_NET_F_GUEST_CSUM:
                return "checksum not negotiated"
            if not _is_checksum_place(frame, csum_start, csum_offset):
                return "checksum place"
        return ""


_MERGED = {
    spec.VIRTIO_NET_HDR_GSO_TCPV4: spec.VIRTIO_NET_F_GUEST_TSO4,
    spec.VIRTIO_NET_HDR_GSO_TCPV6: spec.VIRTIO_NET_F_GUEST_TSO6,
}


def _is_checksum_place(frame: memoryview, csum_start: int, csum_offset: int) -> bool:
    """Tell whether a partial checksum is where TCP or UDP keeps it; no other packet is trusted unchecked."""
    if csum_start < 34 or csum_start + csum_offset + 2 > len(frame):
        return False
    ethertype = frame[12] << 8 | frame[13]
    if ethertype == _ETHERTYPE_IPV4:
        return csum_start == 14 + (frame[14] & 0x0F) * 4 and csum_offset == _CHECKSUM_AT.get(frame[23])
    return ethertype == _ETHERTYPE_IPV6 and csum_start >= 54 and csum_offset in _CHECKSUM_AT.values()
