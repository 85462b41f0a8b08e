"""Numbers of virtio 1.2: status, features, ring flags, the net device's header and configuration.

Feature names are those of the specification; each constant is the mask, not
the number of the bit.
"""

from __future__ import annotations

from struct import Struct

# §2.1 device status
ACKNOWLEDGE = 0x01
DRIVER = 0x02
DRIVER_OK = 0x04
FEATURES_OK = 0x08
DEVICE_NEEDS_RESET = 0x40
FAILED = 0x80

# §4.1.4.5 what an interrupt says
INTERRUPT_QUEUE = 0x01
INTERRUPT_CONFIG = 0x02

# §5 device types
DEVICE_ID_NET = 1

# §5.1.3 feature bits of the net device
VIRTIO_NET_F_CSUM = 1 << 0
VIRTIO_NET_F_GUEST_CSUM = 1 << 1
VIRTIO_NET_F_MTU = 1 << 3
VIRTIO_NET_F_MAC = 1 << 5
VIRTIO_NET_F_GUEST_TSO4 = 1 << 7
VIRTIO_NET_F_GUEST_TSO6 = 1 << 8
VIRTIO_NET_F_HOST_TSO4 = 1 << 11
VIRTIO_NET_F_HOST_TSO6 = 1 << 12
VIRTIO_NET_F_MRG_RXBUF = 1 << 15
VIRTIO_NET_F_STATUS = 1 << 16

# §6 feature bits of every device
VIRTIO_F_INDIRECT_DESC = 1 << 28
VIRTIO_F_EVENT_IDX = 1 << 29
VIRTIO_F_VERSION_1 = 1 << 32

GUEST_TSO = VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6
HOST_TSO = VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6
RING_FEATURES = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1
OFFLOADS = VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | HOST_TSO | GUEST_TSO

FEATURE_NAMES = {
    VIRTIO_NET_F_CSUM: "CSUM",
    VIRTIO_NET_F_GUEST_CSUM: "GUEST_CSUM",
    VIRTIO_NET_F_MTU: "MTU",
    VIRTIO_NET_F_MAC: "MAC",
    VIRTIO_NET_F_GUEST_TSO4: "GUEST_TSO4",
    VIRTIO_NET_F_GUEST_TSO6: "GUEST_TSO6",
    VIRTIO_NET_F_HOST_TSO4: "HOST_TSO4",
    VIRTIO_NET_F_HOST_TSO6: "HOST_TSO6",
    VIRTIO_NET_F_MRG_RXBUF: "MRG_RXBUF",
    VIRTIO_NET_F_STATUS: "STATUS",
    VIRTIO_F_INDIRECT_DESC: "INDIRECT_DESC",
    VIRTIO_F_EVENT_IDX: "EVENT_IDX",
    VIRTIO_F_VERSION_1: "VERSION_1",
}
ALL_FEATURES = sum(FEATURE_NAMES)

# §5.1.3.1 a bit on the left is good for nothing without the one on the right
_REQUIRES = (
    (GUEST_TSO, VIRTIO_NET_F_GUEST_CSUM),
    (HOST_TSO, VIRTIO_NET_F_CSUM),
)


def without_orphans(features: int) -> int:
    """Leave out the bits whose requirement (virtio 1.2 §5.1.3.1) is not among them."""
    for bits, required in _REQUIRES:
        if not features & required:
            features &= ~bits
    return features


def feature_names(features: int) -> list[str]:
    """Name each bit; one without a name is shown by its number."""
    bits = [1 << n for n in range(features.bit_length()) if features >> n & 1]
    return [FEATURE_NAMES.get(bit, f"bit {bit.bit_length() - 1}") for bit in bits]


# §2.7 split virtqueues
VIRTQ_DESC_F_NEXT = 0x1
VIRTQ_DESC_F_WRITE = 0x2
VIRTQ_DESC_F_INDIRECT = 0x4
VIRTQ_USED_F_NO_NOTIFY = 0x1
VIRTQ_AVAIL_F_NO_INTERRUPT = 0x1
DESCRIPTOR_SIZE = 16
QUEUE_SIZE_MAX = 32768

# §5.1.2 virtqueues of the net device
RECEIVE_QUEUE = 0
TRANSMIT_QUEUE = 1

# §5.1.4 configuration of the net device: mac[6], status, max_virtqueue_pairs, mtu
CONFIG_MAC = 0
CONFIG_STATUS = 6
CONFIG_MTU = 10
CONFIG_SIZE = 12
VIRTIO_NET_S_LINK_UP = 0x1
MTU_MIN = 68

# §5.1.6 struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset; then num_buffers
NET_HEADER = Struct("<BBHHHH")
NET_HEADER_WITH_BUFFERS = Struct("<BBHHHHH")
VIRTIO_NET_HDR_F_NEEDS_CSUM = 0x1
VIRTIO_NET_HDR_F_DATA_VALID = 0x2
VIRTIO_NET_HDR_GSO_NONE = 0
VIRTIO_NET_HDR_GSO_TCPV4 = 1
VIRTIO_NET_HDR_GSO_TCPV6 = 4
VIRTIO_NET_HDR_GSO_ECN = 0x80

ETHERNET_HEADER_SIZE = 14
FRAME_MAX = ETHERNET_HEADER_SIZE + 65535
"""The longest frame there is: an IP packet of 65 535 octets, to be cut or merged, and its Ethernet header."""


def net_header_size(features: int) -> int:
    """12 octets, or a legacy device's 10 when nothing is merged (§5.1.6.1)."""
    return 12 if features & (VIRTIO_F_VERSION_1 | VIRTIO_NET_F_MRG_RXBUF) else 10
