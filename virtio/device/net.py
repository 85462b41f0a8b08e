"""A virtio-net device in software (virtio 1.2 §5.1), between a driver's rings and a `Backend`.

Registers come through the methods a transport calls.  A notification is
answered during the call: what the driver has published goes to the backend
as views of the rings' memory.  What the backend receives it writes straight
into posted buffers (`rx_room`, `rx_done`), so the device copies nothing.

A driver that breaks a rule gets DEVICE_NEEDS_RESET and no more service until
it resets; a frame whose header makes no sense is dropped and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from virtio import spec
from virtio.device.backend import PLAIN_HEADER, Backend, NetHeader
from virtio.device.queue import Chain, DeviceQueue
from virtio.errors import DriverError
from virtio.memory import Region

ROUNDS = 4
"""How often one notification looks for more to send, so that a busy driver cannot hold it for ever."""

OWN_FEATURES = (
    spec.RING_FEATURES
    | spec.VIRTIO_NET_F_MAC
    | spec.VIRTIO_NET_F_MTU
    | spec.VIRTIO_NET_F_STATUS
    | spec.VIRTIO_NET_F_MRG_RXBUF
)


class NetDevice:
    """One device with one pair of queues."""

    def __init__(self, backend: Backend, *, offered: int = spec.ALL_FEATURES, queue_size: int = 256) -> None:
        self.device_id = spec.DEVICE_ID_NET
        self.features = offered & (OWN_FEATURES | backend.features & spec.OFFLOADS)
        self.queue_size = queue_size
        self.status = 0
        self.generation = 0
        self.interrupt: Callable[[int], None] = _nobody
        """Called with the causes when the driver is to be interrupted; the transport sets it."""
        self.frames_sent = self.octets_sent = 0
        self.frames_received = self.octets_received = 0
        self.dropped: dict[str, int] = {}
        """Frames of the driver that were dropped, by the reason."""
        self.faults: dict[str, int] = {}
        """What the driver did to be asked for a reset."""
        self._backend = backend
        self._link_up = True
        self._last_header: NetHeader = PLAIN_HEADER
        self._last_octets = b""
        """Of the last frame handed over in a single buffer, and mostly of the next one."""
        self._reset()

    # registers

    def write_features(self, features: int) -> None:
        """Take the driver's choice; settled when it sets FEATURES_OK (virtio 1.2 §2.2)."""
        if not self.status & spec.FEATURES_OK:
            self._wanted = features

    def write_status(self, status: int) -> None:
        if status == 0:
            self._reset()
            return
        if status & ~self.status & spec.FEATURES_OK and not self._accepts(self._wanted):
            status &= ~spec.FEATURES_OK
        starts = bool(status & ~self.status & spec.DRIVER_OK)
        self.status = status | self.status & spec.DEVICE_NEEDS_RESET
        if starts and not self.status & spec.DEVICE_NEEDS_RESET:
            self._start()

    def read_config(self, offset: int, length: int) -> bytes:
        status = spec.VIRTIO_NET_S_LINK_UP if self._link_up else 0
        fields = (status, 1, self._backend.mtu)
        config = self._backend.mac + b"".join(field.to_bytes(2, "little") for field in fields)
        return config[offset : offset + length]

    def set_link(self, up: bool) -> None:
        """Plug or unplug the cable; the driver gets a configuration change (virtio 1.2 §5.1.4.2)."""
        self._link_up = up
        self._change_configuration()

    def enable_queue(
        self, queue: int, size: int, descriptors: int, available: int, used: int, region: Region
    ) -> None:
        try:
            if queue not in (spec.RECEIVE_QUEUE, spec.TRANSMIT_QUEUE) or size > self.queue_size:
                raise DriverError("queue size", f"{size} entries for queue {queue}")
            self._queues[queue] = DeviceQueue(region, size, descriptors, available, used, self._wanted)
        except DriverError as error:
            self.need_reset(error.fault)

    def notify(self, queue: int) -> None:
        """The driver has published something."""
        if not self._running:
            return
        if queue == spec.TRANSMIT_QUEUE:
            self._transmit()
        elif self._starved:
            self._starved_served = True
        self._publish()

    def need_reset(self, fault: str) -> None:
        """Stop, and ask the driver for a reset (virtio 1.2 §2.1.2)."""
        self.faults[fault] = self.faults.get(fault, 0) + 1
        self.status |= spec.DEVICE_NEEDS_RESET
        self._stop()
        self._change_configuration()

    # time

    def service(self, now: float) -> None:
        """Send what a busy driver left behind, and let the backend move what it can."""
        self._starved = False
        self._starved_served = False
        if self._running and self._more_to_send:
            self._transmit()
        self._backend.service(now)
        self._publish()

    def next_timeout(self) -> float | None:
        return self._backend.next_timeout()

    def has_work(self) -> bool:
        """There is room again for a backend that found none, or frames to send are left."""
        return self._running and (self._starved_served or self._more_to_send)

    def wait_fds(self) -> Sequence[int]:
        return self._backend.wait_fds()

    def close(self) -> None:
        self._reset()
        self._backend.close()

    # to the driver: RxPort

    def rx_room(self, size: int) -> Sequence[memoryview] | None:
        """Views of posted buffers for a frame of `size` octets; see `RxPort`."""
        if not self._posted and not self._fetch_posted():
            return None
        _, views, room = self._posted[0]
        if room - self._header_size >= size:
            if len(views) == 1:
                return (views[0][self._header_size :],)
            return _skip(views, self._header_size)
        if not self._features & spec.VIRTIO_NET_F_MRG_RXBUF:
            self._starved = True
            return None
        return self._merged_room(size + self._header_size)

    def rx_done(self, length: int, header: NetHeader) -> None:
        """Hand over the frame written to the last room; see `RxPort`."""
        self.frames_received += 1
        self.octets_received += length
        size = self._header_size
        left = length + size
        head, views, room = self._posted[0]
        if left <= room and len(views[0]) >= size:
            if header != self._last_header:
                self._last_header = header
                self._last_octets = spec.NET_HEADER_WITH_BUFFERS.pack(*header, 1)[:size]
            views[0][:size] = self._last_octets
            self._posted.popleft()
            self._receive_queue.push(head, left)
            return
        count = self._count_for(left)
        _scatter(views, spec.NET_HEADER_WITH_BUFFERS.pack(*header, count)[:size])
        for _ in range(count):
            head, _, room = self._posted.popleft()
            self._receive_queue.push(head, min(left, room))
            left -= room

    # private: states

    def _reset(self) -> None:
        self._stop()
        self.status = 0
        self._wanted = self._features = 0
        self._queues: dict[int, DeviceQueue] = {}
        self._posted: deque[tuple[int, tuple[memoryview, ...], int]] = deque()
        self._starved = False
        """The backend found no room since its last turn."""
        self._starved_served = False
        """And the driver has posted some since."""
        self._more_to_send = False
        self._good_header: NetHeader = PLAIN_HEADER
        self._good_length = spec.ETHERNET_HEADER_SIZE
        """The last header without a complaint, and the shortest frame that it fits."""

    def _stop(self) -> None:
        if getattr(self, "_running", False):
            self._backend.detach()
        self._running = False

    def _accepts(self, features: int) -> bool:
        """A subset of what was offered, nothing without what it needs (virtio 1.2 §5.1.3.1)."""
        return not features & ~self.features and features == spec.without_orphans(features)

    def _start(self) -> None:
        if len(self._queues) < 2 or not self._accepts(self._wanted):
            self.need_reset("started without queues")
            return
        self._features = self._wanted
        self._header_size = spec.net_header_size(self._features)
        self._last_header = PLAIN_HEADER
        plain = spec.NET_HEADER_WITH_BUFFERS.pack(*PLAIN_HEADER, 1)
        self._last_octets = plain[: self._header_size]
        self._receive_queue = self._queues[spec.RECEIVE_QUEUE]
        self._transmit_queue = self._queues[spec.TRANSMIT_QUEUE]
        self._receive_queue.want_no_notification()
        self._running = True
        self._backend.attach(self, self._features)

    def _change_configuration(self) -> None:
        self.generation = self.generation + 1 & 0xFF
        if self.status & spec.DRIVER_OK:
            self.interrupt(spec.INTERRUPT_CONFIG)

    def _publish(self) -> None:
        if not self._running:
            return
        # both queues: no short cut past the second
        if self._receive_queue.publish() | self._transmit_queue.publish():
            self.interrupt(spec.INTERRUPT_QUEUE)

    # private: from the driver

    def _transmit(self) -> None:
        queue = self._transmit_queue
        queue.want_no_notification()
        try:
            self._more_to_send = True
            for _ in range(ROUNDS):
                for chain in queue.fetch():
                    self._transmit_chain(chain)
                    if not self._running:
                        return  # the backend, or what it called, has reset the device
                    queue.push(chain[0], 0)
                if not queue.want_notification():
                    self._more_to_send = False
                    return
        except DriverError as error:
            self._publish()
            self.need_reset(error.fault)

    def _transmit_chain(self, chain: Chain) -> None:
        """Pass one frame on; all of it is for the device to read (virtio 1.2 §5.1.6.2)."""
        _, views, writable = chain
        if writable:
            raise DriverError("writable in the transmit queue")
        size = self._header_size
        first = views[0]
        if len(first) > size:
            header = spec.NET_HEADER.unpack_from(first)
            pieces: Sequence[memoryview] = (first[size:], *views[1:]) if len(views) > 1 else (first[size:],)
        else:
            octets = b"".join(views) if len(first) < size else first
            if len(octets) < size:
                raise DriverError("frame shorter than its header", f"{len(octets)} octets")
            header = spec.NET_HEADER.unpack_from(octets)
            pieces = _skip(views, size)
        length = 0
        for piece in pieces:
            length += len(piece)
        if header != self._good_header or not self._good_length <= length <= spec.FRAME_MAX:
            reason = self._complaint(length, header)
            if reason:
                self.dropped[reason] = self.dropped.get(reason, 0) + 1
                return
        self.frames_sent += 1
        self.octets_sent += length
        self._backend.transmit(pieces, header)

    def _complaint(self, length: int, header: NetHeader) -> str:
        """Say why a frame cannot be sent, or "" (virtio 1.2 §5.1.6.2.1)."""
        if length < spec.ETHERNET_HEADER_SIZE:
            return "frame too short" if length else "no frame"
        if length > spec.FRAME_MAX:
            return "frame too long"
        flags, gso_type, _, gso_size, csum_start, csum_offset = header
        if gso_type:
            feature = _GSO.get(gso_type & ~spec.VIRTIO_NET_HDR_GSO_ECN, 0)
            if not self._features & feature:
                return "segmentation not negotiated"
            if not gso_size or not flags & spec.VIRTIO_NET_HDR_F_NEEDS_CSUM:
                return "segmentation without size or checksum"
        if flags & spec.VIRTIO_NET_HDR_F_NEEDS_CSUM:
            if not self._features & spec.VIRTIO_NET_F_CSUM:
                return "checksum not negotiated"
            if csum_start + csum_offset + 2 > length:
                return "checksum place"
        self._good_header = header
        self._good_length = max(csum_start + csum_offset + 2, spec.ETHERNET_HEADER_SIZE)
        return ""

    # private: posted receive buffers

    def _fetch_posted(self) -> bool:
        """Take what the driver has posted; False, and note it, when there is nothing."""
        if not self._running:
            return False
        queue = self._receive_queue
        try:
            chains = queue.fetch()
            if not chains and queue.want_notification():
                chains = queue.fetch()
            for head, readable, writable in chains:
                room = len(writable[0]) if len(writable) == 1 else sum(map(len, writable))
                if readable or room < self._header_size:
                    raise DriverError("receive buffer", f"{room} writable octets, or readable ones")
                self._posted.append((head, writable, room))
        except DriverError as error:
            self.need_reset(error.fault)
            return False
        if chains:
            queue.want_no_notification()
        else:
            self._starved = True
        return bool(chains)

    def _merged_room(self, size: int) -> Sequence[memoryview] | None:
        """Several buffers for one frame (virtio 1.2 §5.1.6.4)."""
        while sum(entry[2] for entry in self._posted) < size:
            if not self._fetch_posted():
                return None
        views: list[memoryview] = []
        for _, buffers, room in self._posted:
            views += buffers
            size -= room
            if size <= 0:
                break
        return _skip(views, self._header_size)

    def _count_for(self, size: int) -> int:
        count = 0
        for _, _, room in self._posted:
            count += 1
            size -= room
            if size <= 0:
                break
        return count


_GSO = {
    spec.VIRTIO_NET_HDR_GSO_TCPV4: spec.VIRTIO_NET_F_HOST_TSO4,
    spec.VIRTIO_NET_HDR_GSO_TCPV6: spec.VIRTIO_NET_F_HOST_TSO6,
}


def _nobody(causes: int) -> None:
    pass


def _skip(views: Sequence[memoryview], octets: int) -> list[memoryview]:
    """Leave out the first `octets` of a row of views."""
    left = list(views)
    while left and octets >= len(left[0]):
        octets -= len(left.pop(0))
    if octets and left:
        left[0] = left[0][octets:]
    return left


def _scatter(views: Sequence[memoryview], data: bytes) -> None:
    """Write `data` across a row of views."""
    for view in views:
        part, data = data[: len(view)], data[len(view) :]
        view[: len(part)] = part
        if not data:
            return
