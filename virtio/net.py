"""The virtio-net driver (virtio 1.2 §5.1): frames to and from one pair of rings.

`VirtioNet` fits `tcpip.device.FrameDevice` by its shape.  Nothing in it
waits.  `service` is where the driver looks after its device: it gives an
in-process device its turn, takes interrupts, reclaims what was sent, and
brings back a device that asks for a reset or was caught lying; connections
above live on, since to them a reset is a few lost frames.

Interrupts only end a wait.  The used rings are looked at whenever the owner
asks, so a merged, spurious or late interrupt makes no difference, and a lost
one costs at most `RECHECK` seconds; what was found without one is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from virtio import spec
from virtio.counters import Counters
from virtio.driver import Driver
from virtio.errors import DeviceError, FeatureError, UsageError, VirtioError
from virtio.layout import RingLayout, ring_room
from virtio.memory import BufferPool, Buffers, Region
from virtio.queue import Virtqueue, queue_room
from virtio.receive import FRAME_AT, ReceivedFrame, ReceiveSide
from virtio.transmit import LARGE_SIZE, SMALL_SIZE, Buffer, TransmitSide
from virtio.transport import Transport

if TYPE_CHECKING:
    from virtio.info import Info, QueueInfo

RECHECK = 0.05
"""Seconds after which the rings are looked at again, interrupt or not."""
RESETS_IN_VAIN = 8
"""Resets without a frame between them, after which the device is given up."""

# `offloads`, in the bits of tcpip.device
_OFFLOADS = (
    (spec.VIRTIO_NET_F_CSUM, 0x01),
    (spec.VIRTIO_NET_F_GUEST_CSUM, 0x02),
    (spec.VIRTIO_NET_F_HOST_TSO4, 0x04),
    (spec.VIRTIO_NET_F_HOST_TSO6, 0x08),
    (spec.VIRTIO_NET_F_GUEST_TSO4, 0x10),
    (spec.VIRTIO_NET_F_GUEST_TSO6, 0x20),
)


class VirtioNetConfig(NamedTuple):
    """What the driver asks for, and what it may use."""

    features: int = spec.ALL_FEATURES
    """Negotiated as far as the device offers them."""
    required: int = 0
    """Without these, `FeatureError`."""
    ring_size: int = 256
    """Entries of each ring, if the device allows so many; a power of two."""
    receive_buffer_size: int = 0
    """0: a merged 64 KiB frame in one buffer where merging is negotiated, else one frame of the MTU."""
    receive_memory: int = 2 << 20
    """Octets of receive buffers at most: a window of TCP should fit, the processor's cache too."""
    large_transmit_buffers: int = 32
    """Frames over 2 KiB on their way, of 64 KiB each."""
    mac: bytes = b"\x52\x54\x00\x12\x34\x56"
    """Used when the device has none of its own."""


class VirtioNet:
    """A network interface on a virtio device; owns the transport, and closes it when bringing it up fails.

    Making one raises `VirtioError` when the device is of no use.
    """

    def __init__(self, transport: Transport, config: VirtioNetConfig | None = None) -> None:
        config = config or VirtioNetConfig()
        self._transport = transport
        self._config = config
        self._counters = Counters()
        self._now = 0.0
        self._recheck_at = 0.0
        self._armed = False
        self._resets_in_vain = 0
        self._progress = 0
        self._closed = False
        self._error: DeviceError | None = None

        try:
            self._driver = Driver(transport, spec.DEVICE_ID_NET)
            self._bring_up()
        except BaseException:
            transport.close()
            raise

    # questions

    @property
    def mac(self) -> bytes:
        return self._mac

    @property
    def mtu(self) -> int:
        return self._mtu

    @property
    def offloads(self) -> int:
        return sum(bit for feature, bit in _OFFLOADS if self._features & feature)

    @property
    def features(self) -> int:
        """The VIRTIO_F_* and VIRTIO_NET_F_* bits negotiated."""
        return self._features

    def info(self) -> Info:
        """Describe features, rings and counters, as plain values."""
        from virtio.info import Info

        return Info(
            features=spec.feature_names(self._features),
            status=0 if self._closed else self._transport.read_status(),
            mac=self._mac.hex(":"),
            mtu=self._mtu,
            link_up=self.link_up,
            receive=self._queue_info(spec.RECEIVE_QUEUE),
            transmit=self._queue_info(spec.TRANSMIT_QUEUE),
            interrupts=self._counters.interrupts,
            found_without_interrupt=self._counters.found_without_interrupt,
            rechecks=self._counters.rechecks,
            resets=self._counters.resets,
            frames_lost_in_reset=self._transmit.lost_in_reset,
            lies=dict(self._counters.lies),
            dropped=dict(self._receive.dropped),
        )

    # frames

    def send_frame(
        self, pieces: Sequence[Buffer], csum_start: int, csum_offset: int, gso_type: int, gso_size: int
    ) -> bool:
        """Copy a frame into the ring's memory and post it; False when ring or memory is full."""
        if self._closed or self._error is not None:
            return False
        return self._transmit.send(pieces, csum_start, csum_offset, gso_type, gso_size)

    def flush(self) -> None:
        """Publish what was posted on both rings, and ring the bell where the device wants to hear it."""
        if self._closed or self._error is not None:
            return
        for index, queue in enumerate(self._queues):
            if queue.publish():
                self._notify(index)

    def receive_frames(self) -> Iterable[ReceivedFrame]:
        """Yield `(frame, flags, gso_size, token)` for what has arrived; each token goes back by `release`."""
        if self._closed or self._error is not None:
            return ()
        return self._receive.frames()

    def release(self, token: int) -> None:
        if not self._closed:
            self._receive.release(token)

    # time

    def service(self, now: float) -> None:
        """Give the device its turn, reclaim, recheck, recover.

        Raises `DeviceError`, now and ever after, when the device cannot be
        brought back.
        """
        if self._closed:
            return
        if self._error is not None:
            raise self._error
        self._now = now
        self._recover_from_lies()  # before the device puts more into a ring that is lost
        self._transport.service(now)
        causes = self._transport.take_interrupts()
        if causes:
            self._counters.interrupts += 1
        if self._armed:
            self._end_wait(causes)
        self._transmit.reclaim()
        if causes & spec.INTERRUPT_CONFIG:
            self._configuration_changed()
        elif now >= self._recheck_at:
            self._recheck(now)
        self._recover_from_lies()

    def next_timeout(self) -> float | None:
        """The device's own timer, or the next look at rings that hold something: they always do."""
        if self._closed or self._error is not None:
            return None
        device = self._transport.next_timeout()
        recheck = self._now + RECHECK
        return recheck if device is None or device > recheck else device

    def arm(self) -> bool:
        """Ask to be interrupted; True when there is something to do already."""
        if self._closed or self._error is not None:
            return False
        receive, transmit = self._queues
        busy = receive.arm()
        if self._transmit.refused:
            busy |= transmit.arm()
        if busy or receive.fault or transmit.fault or self._transport.has_work():
            self._disarm()
            return True
        self._armed = True
        return False

    def wait_fds(self) -> Sequence[int]:
        return () if self._closed else self._transport.wait_fds()

    def close(self) -> None:
        """Reset the device, so that it lets go of the memory, and give that back."""
        if self._closed:
            return
        self._closed = True
        try:
            self._driver.reset()
        finally:
            self._transport.close()

    # bringing up

    def _bring_up(self) -> None:
        self._features = self._driver.begin(self._config.features, self._config.required)
        self._mac, self._mtu = self._read_identity()
        self.link_up = self._read_link()
        self._allocate()
        self._start()

    def _read_identity(self) -> tuple[bytes, int]:
        mac, mtu = self._config.mac, 1500
        if self._features & spec.VIRTIO_NET_F_MAC:
            mac = self._driver.read_config(spec.CONFIG_MAC, 6)
        if mac[0] & 1 or not any(mac):
            raise DeviceError("address of no station", mac.hex(":"))
        if self._features & spec.VIRTIO_NET_F_MTU:
            mtu = int.from_bytes(self._driver.read_config(spec.CONFIG_MTU, 2), "little")
            if mtu < spec.MTU_MIN:
                raise DeviceError("mtu too small", f"{mtu}, at least {spec.MTU_MIN} (virtio 1.2 §5.1.4.1)")
        return mac, mtu

    def _read_link(self) -> bool:
        if not self._features & spec.VIRTIO_NET_F_STATUS:
            return True  # §5.1.4.2: without the bit, assume the link is up
        status = int.from_bytes(self._driver.read_config(spec.CONFIG_STATUS, 2), "little")
        return bool(status & spec.VIRTIO_NET_S_LINK_UP)

    def _allocate(self) -> None:
        """Lay out one region: two rings with their tables, receive buffers, two pools to send from."""
        sizes = [self._ring_size(index) for index in (spec.RECEIVE_QUEUE, spec.TRANSMIT_QUEUE)]
        if sizes[1] < 4:
            raise FeatureError(f"virtio: a transmit ring of {sizes[1]} entries holds no chain")
        buffer_size = self._receive_buffer_size()
        entries = sizes[0] if self._features & _ONE_EACH else sizes[0] // 2
        received = max(1, min(entries, self._config.receive_memory // buffer_size))
        large = self._config.large_transmit_buffers
        buffers = received * buffer_size + sizes[1] * SMALL_SIZE + large * LARGE_SIZE
        rings = sum(ring_room(size) + queue_room(size) for size in sizes)
        self._region: Region = self._transport.share_memory(buffers + rings + 256)
        self._layouts = [RingLayout.allocate(self._region, size) for size in sizes]
        self._tables = [self._region.allocate(queue_room(size)) for size in sizes]
        self._receive = ReceiveSide(self._region, Buffers(self._region, received, buffer_size))
        self._transmit = TransmitSide(
            self._region,
            BufferPool(self._region, sizes[1], SMALL_SIZE),
            BufferPool(self._region, large, LARGE_SIZE),
        )

    def _ring_size(self, index: int) -> int:
        largest = self._transport.queue_size_max(index)
        if not largest:
            raise DeviceError("no such queue", str(index))
        size = min(largest, self._config.ring_size)
        return 1 << size.bit_length() - 1

    def _receive_buffer_size(self) -> int:
        """Large enough for any frame the device may write into one buffer (virtio 1.2 §5.1.6.3.1)."""
        if self._features & spec.GUEST_TSO:
            needed = FRAME_AT + spec.FRAME_MAX
        else:
            needed = FRAME_AT + spec.ETHERNET_HEADER_SIZE + 4 + max(self._mtu, 1500)  # 4: a VLAN tag
        merging = self._features & spec.VIRTIO_NET_F_MRG_RXBUF
        wanted = self._config.receive_buffer_size
        if wanted and wanted < (64 if merging else needed):
            raise UsageError(f"virtio: receive buffers of {wanted} octets, at least {needed} are needed")
        return -(-(wanted or needed) // 64) * 64 if wanted or needed > 2048 else 2048

    def _start(self) -> None:
        """Fresh rings, all receive buffers posted, DRIVER_OK (virtio 1.2 §3.1.1, steps 7 and 8)."""
        self._queues = [self._make_queue(index) for index in (spec.RECEIVE_QUEUE, spec.TRANSMIT_QUEUE)]
        self._receive.start(self._queues[spec.RECEIVE_QUEUE], self._features)
        self._transmit.start(self._queues[spec.TRANSMIT_QUEUE], self._features)
        self._disarm()
        self._driver.go()
        self.flush()

    def _make_queue(self, index: int) -> Virtqueue:
        layout, base = self._layouts[index], self._region.base
        queue = Virtqueue(
            self._region,
            layout,
            self._tables[index],
            event_idx=bool(self._features & spec.VIRTIO_F_EVENT_IDX),
            indirect=bool(self._features & spec.VIRTIO_F_INDIRECT_DESC),
        )
        self._transport.enable_queue(
            index, layout.size, base + layout.descriptors, base + layout.available, base + layout.used
        )
        return queue

    # looking after

    def _notify(self, index: int) -> None:
        self._counters.queues[index].kicks += 1
        self._queues[index].unannounced = False
        self._transport.notify(index)

    def _disarm(self) -> None:
        self._armed = False
        self._transmit.refused = False
        for queue in self._queues:
            queue.disarm()

    def _end_wait(self, causes: int) -> None:
        if not causes & spec.INTERRUPT_QUEUE:
            receive, transmit = self._queues
            found = receive.pending + (transmit.pending if self._transmit.refused else 0)
            self._counters.found_without_interrupt += found
        self._disarm()

    def _recheck(self, now: float) -> None:
        """Every 50 ms look at what nobody told us: a status, or work the device did not want to hear of."""
        self._recheck_at = now + RECHECK
        self._counters.rechecks += 1
        if self._driver.needs_reset:
            self._recover(DeviceError("needs reset"))
            return
        for index, queue in enumerate(self._queues):
            if queue.unannounced and queue.outstanding:
                self._notify(index)

    def _configuration_changed(self) -> None:
        if self._driver.needs_reset:
            self._recover(DeviceError("needs reset"))
            return
        try:
            self.link_up = self._read_link()
        except DeviceError as error:
            self._counters.lied(error)

    def _recover_from_lies(self) -> None:
        fault = self._queues[0].fault or self._queues[1].fault
        if fault is not None:
            self._recover(fault)

    def _recover(self, cause: DeviceError) -> None:
        """Reset the device and begin again with the same features (virtio 1.2 §2.1.2)."""
        self._counters.lied(cause)
        progress = self._receive.frames_received + self._used(spec.TRANSMIT_QUEUE)
        self._resets_in_vain = 0 if progress != self._progress else self._resets_in_vain + 1
        self._progress = progress
        try:
            if self._resets_in_vain > RESETS_IN_VAIN:
                raise DeviceError(
                    "does not recover", f"{RESETS_IN_VAIN} resets in vain, the last: {cause.lie}"
                )
            self._counters.resets += 1
            self._receive.collect()
            self._transmit.reclaim()
            self._counters.keep(self._queues)
            self._restart()
        except VirtioError as error:
            self._driver.fail()
            self._error = error if isinstance(error, DeviceError) else DeviceError("lost", str(error))
            raise self._error from error

    def _restart(self) -> None:
        self._driver.begin(self._features, required=self._features)
        for index, layout in enumerate(self._layouts):
            if self._transport.queue_size_max(index) < layout.size:
                raise DeviceError("changed", f"queue {index} is smaller than before the reset")
        self._start()

    # counters

    def _used(self, index: int) -> int:
        return self._counters.queues[index].used_before + self._queues[index].used

    def _queue_info(self, index: int) -> QueueInfo:
        from virtio.info import QueueInfo

        queue, counts = self._queues[index], self._counters.queues[index]
        receiving = index == spec.RECEIVE_QUEUE
        return QueueInfo(
            size=queue.layout.size,
            posted=counts.posted_before + queue.posted,
            used=counts.used_before + queue.used,
            outstanding=queue.outstanding,
            available_index=queue.posted & 0xFFFF,
            used_index=queue.used & 0xFFFF,
            kicks=counts.kicks,
            frames=self._receive.frames_received if receiving else self._transmit.frames_sent,
            octets=self._receive.octets_received if receiving else self._transmit.octets_sent,
        )


_ONE_EACH = spec.VIRTIO_F_VERSION_1 | spec.VIRTIO_F_INDIRECT_DESC
"""With either, a receive buffer takes one descriptor; a legacy device's header needs a second."""
