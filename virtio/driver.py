"""What the driver of any virtio device does: bring it up, look after it, bring it back (virtio 1.2 §3.1).

reset → ACKNOWLEDGE → DRIVER → features → FEATURES_OK → queues → DRIVER_OK
  ↑                                                                  │
  └───────────── DEVICE_NEEDS_RESET, or a lie in a ring ─────────────┘
"""

from __future__ import annotations

from virtio import spec
from virtio.errors import DeviceError, FeatureError, TransportError
from virtio.transport import Transport

RESET_READS = 1000
"""How often status is read until a reset must be done; a device that takes longer is given up."""
GENERATION_READS = 16
"""How often a changing configuration is read again before it is called a lie."""


class Driver:
    """Status and features of one device."""

    def __init__(self, transport: Transport, device_id: int) -> None:
        if transport.device_id != device_id:
            raise FeatureError(f"virtio: device is of type {transport.device_id}, not {device_id}")
        self.transport = transport
        self.features = 0
        self._status = 0

    def begin(self, wanted: int, required: int = 0) -> int:
        """Reset the device and settle the features (virtio 1.2 §3.1.1, steps 1 to 6); returns them.

        Queues are set up next, and then `go`.
        """
        self.reset()
        self._add_status(spec.ACKNOWLEDGE)
        self._add_status(spec.DRIVER)
        offered = self.transport.read_features()
        features = spec.without_orphans(offered & wanted)
        if required & ~features:
            names = ", ".join(spec.feature_names(required & ~features))
            self.fail()
            raise FeatureError(f"virtio: the device does not offer {names}", required & ~features)
        self.transport.write_features(features)
        if features & spec.VIRTIO_F_VERSION_1:  # a legacy device knows no FEATURES_OK (§3.1.2)
            self._add_status(spec.FEATURES_OK)
            if not self.transport.read_status() & spec.FEATURES_OK:
                self.fail()
                raise FeatureError(f"virtio: the device refuses {', '.join(spec.feature_names(features))}")
        self.features = features
        return features

    def go(self) -> None:
        """Set DRIVER_OK: from now on the device may use what is posted."""
        self._add_status(spec.DRIVER_OK)

    def reset(self) -> None:
        """Take the device down; it owns no buffer any more (virtio 1.2 §2.4)."""
        self._status = 0
        self.transport.write_status(0)
        for _ in range(RESET_READS):
            if self.transport.read_status() == 0:
                return
        raise TransportError("virtio: the device does not come out of its reset")

    def fail(self) -> None:
        """Give the device up and say so to it (virtio 1.2 §2.1.1)."""
        self._add_status(spec.FAILED)

    @property
    def needs_reset(self) -> bool:
        """Ask the device; a register read, which a real device makes expensive."""
        status = self.transport.read_status()
        return bool(status & spec.DEVICE_NEEDS_RESET) or not status & spec.DRIVER_OK

    def read_config(self, offset: int, length: int) -> bytes:
        """Read a field of more than one octet whole, though the device may change it (virtio 1.2 §2.5.3)."""
        for _ in range(GENERATION_READS):
            before = self.transport.read_generation()
            data = self.transport.read_config(offset, length)
            if self.transport.read_generation() == before:
                if len(data) != length:
                    raise DeviceError(
                        "configuration too short", f"{len(data)} of {length} octets at {offset}"
                    )
                return data
        raise DeviceError("configuration never rests")

    def _add_status(self, bit: int) -> None:
        self._status |= bit
        self.transport.write_status(self._status)
