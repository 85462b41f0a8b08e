"""Captures in the pcapng format (draft-ietf-opsawg-pcapng), for tshark and Wireshark.

A capture is `file_header()` and then blocks in any number:

    file.write(file_header())
    file.write(packet(frame, seconds))
    file.write(tls_secrets(b"CLIENT_HANDSHAKE_TRAFFIC_SECRET ..."))     # the octets of an SSLKEYLOGFILE

Nothing here opens a file or reads a clock.
"""

from __future__ import annotations

import struct

from tcpip.wire.checksum import Buffer

LINKTYPE_ETHERNET = 1

_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE_DESCRIPTION = 1
_ENHANCED_PACKET = 6
_DECRYPTION_SECRETS = 10
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_TLS_KEY_LOG = 0x544C534B
_IF_NAME, _IF_TSRESOL = 2, 9
_EPB_FLAGS = 2
INBOUND, OUTBOUND = 1, 2


def file_header(interface_name: str = "virtio0") -> bytes:
    """Begin a section with one Ethernet interface, times in nanoseconds."""
    section = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1)
    options = _option(_IF_NAME, interface_name.encode()) + _option(_IF_TSRESOL, b"\x09") + _option(0, b"")
    interface = struct.pack("<HHI", LINKTYPE_ETHERNET, 0, 0) + options
    return _block(_SECTION_HEADER, section) + _block(_INTERFACE_DESCRIPTION, interface)


def packet(frame: Buffer, seconds: float, direction: int = 0) -> bytes:
    """Record a frame, seen `seconds` after the epoch; `direction` is INBOUND, OUTBOUND, or 0 for unknown."""
    nanoseconds = round(seconds * 1e6) * 1000  # a float of today's date tells no less
    size = len(frame)
    fixed = struct.pack("<IIIII", 0, nanoseconds >> 32, nanoseconds & 0xFFFFFFFF, size, size)
    options = _option(_EPB_FLAGS, struct.pack("<I", direction)) + _option(0, b"") if direction else b""
    return _block(_ENHANCED_PACKET, fixed + _padded(frame) + options)


def tls_secrets(key_log: bytes) -> bytes:
    """Record lines of an SSLKEYLOGFILE, best before the packets that they open."""
    return _block(_DECRYPTION_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(key_log)) + _padded(key_log))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: Buffer) -> bytes:
    return bytes(data) + bytes(-len(data) % 4)
