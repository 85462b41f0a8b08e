"""Names of the octet that IPv4 calls type of service and IPv6 traffic class: `--ip-tos`."""

from __future__ import annotations

# RFC 2474 §4.2.2.2 and RFC 2597 §6: the six bits of the code point stand above the two of ECN.
NAMES: dict[str, int] = {f"CS{n}": n << 5 for n in range(8)}
NAMES |= {f"AF{n}{drop}": n << 5 | drop << 3 for n in range(1, 5) for drop in range(1, 4)}
NAMES |= {
    "EF": 0xB8,  # RFC 3246
    "VOICE-ADMIT": 0xB0,  # RFC 5865
    "LE": 0x04,  # RFC 8622
    "ECT1": 0x01,  # RFC 3168 §5
    "ECT0": 0x02,
    "CE": 0x03,
    # RFC 1349, of old
    "LOWCOST": 0x02,
    "MINCOST": 0x02,
    "RELIABILITY": 0x04,
    "THROUGHPUT": 0x08,
    "LOWDELAY": 0x10,
}
