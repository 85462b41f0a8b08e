"""Internet addresses of both families in one type (RFC 791, RFC 4291, text as in RFC 5952)."""

from __future__ import annotations

from typing import NamedTuple, Self


class IpAddress(bytes):
    """Four or sixteen octets in network order.

    It *is* octets, so it compares and hashes as a slice of a header does: a
    dictionary keyed by addresses can be asked with octets straight from a
    frame.
    """

    __slots__ = ()

    def __new__(cls, packed: bytes | bytearray | memoryview) -> Self:
        """Take the octets of an address; ValueError unless there are 4 or 16."""
        self = super().__new__(cls, packed)
        if len(self) not in (4, 16):
            raise ValueError(f"IP address: {len(self)} octets, need 4 or 16")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `192.0.2.1` or `2001:db8::1`; ValueError for anything else, zones included."""
        return cls(_parse_ipv6(text) if ":" in text else _parse_ipv4(text))

    @property
    def version(self) -> int:
        return 4 if len(self) == 4 else 6

    @property
    def bits(self) -> int:
        return len(self) * 8

    @property
    def is_unspecified(self) -> bool:
        return not any(self)

    @property
    def is_loopback(self) -> bool:
        return self[0] == 127 if len(self) == 4 else self == IPV6_LOOPBACK

    @property
    def is_multicast(self) -> bool:
        return self[0] >> 4 == 0xE if len(self) == 4 else self[0] == 0xFF

    @property
    def is_broadcast(self) -> bool:
        """The limited broadcast; a network's own is `IpNetwork.broadcast`."""
        return self == IPV4_BROADCAST

    @property
    def is_link_local(self) -> bool:
        if len(self) == 4:
            return self[0] == 169 and self[1] == 254
        return self[0] == 0xFE and self[1] & 0xC0 == 0x80

    def __str__(self) -> str:
        if len(self) == 4:
            return f"{self[0]}.{self[1]}.{self[2]}.{self[3]}"
        return _ipv6_text(self)

    def __repr__(self) -> str:
        return f"IpAddress({str(self)!r})"


def _parse_ipv4(text: str) -> bytes:
    parts = text.split(".")
    if len(parts) != 4 or not all(
        p.isascii() and p.isdigit() and len(p) <= 3 and int(p) < 256 for p in parts
    ):
        raise ValueError(f"IPv4 address: {text!r} is not four numbers below 256")
    return bytes(map(int, parts))


def _parse_ipv6(text: str) -> bytes:
    head, gap, tail = text.partition("::")
    if "::" in tail or ":::" in text:
        raise ValueError(f"IPv6 address: {text!r} has more than one '::'")
    left, right = _groups(head, text, last=not gap), _groups(tail, text, last=True)
    missing = 16 - len(left) - len(right)
    if missing < 2 if gap else missing != 0:
        raise ValueError(f"IPv6 address: {text!r} has not eight groups")
    return left + bytes(missing) + right


def _groups(text: str, whole: str, last: bool) -> bytes:
    out = b""
    words = text.split(":") if text else []
    for i, word in enumerate(words):
        if last and "." in word and i == len(words) - 1:
            out += _parse_ipv4(word)
        elif 1 <= len(word) <= 4 and all(c in "0123456789abcdefABCDEF" for c in word):
            out += int(word, 16).to_bytes(2, "big")
        else:
            raise ValueError(f"IPv6 address: {whole!r} has a group {word!r}")
    return out


def _ipv6_text(packed: bytes) -> str:
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        return f"::ffff:{IpAddress(packed[12:])}"
    groups = [packed[i] << 8 | packed[i + 1] for i in range(0, 16, 2)]
    start, length = _longest_zeros(groups)
    words = [f"{g:x}" for g in groups]
    if length < 2:
        return ":".join(words)
    return ":".join(words[:start]) + "::" + ":".join(words[start + length :])


def _longest_zeros(groups: list[int]) -> tuple[int, int]:
    """Where the first longest run of zeros is, which RFC 5952 §4.2.3 shortens."""
    best, start = (0, 0), 0
    for i, group in enumerate([*groups, 1]):
        if group:
            if i - start > best[1]:
                best = (start, i - start)
            start = i + 1
    return best


IPV4_ANY = IpAddress(bytes(4))
IPV4_BROADCAST = IpAddress(b"\xff" * 4)
IPV4_LOOPBACK = IpAddress(b"\x7f\0\0\1")
IPV6_ANY = IpAddress(bytes(16))
IPV6_LOOPBACK = IpAddress(bytes(15) + b"\1")


class IpNetwork(NamedTuple):
    """A prefix: an address with its host bits zero, and how many bits count."""

    address: IpAddress
    prefix_length: int

    @classmethod
    def of(cls, address: IpAddress, prefix_length: int) -> Self:
        """Name the network that holds `address`; ValueError when there are not so many bits."""
        if not 0 <= prefix_length <= address.bits:
            raise ValueError(f"IP network: prefix length {prefix_length} of {address.bits} bits")
        host_bits = address.bits - prefix_length
        value = int.from_bytes(address, "big") >> host_bits << host_bits
        return cls(IpAddress(value.to_bytes(len(address), "big")), prefix_length)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10.0.2.0/24`; without a slash it is the one address."""
        address, slash, length = text.partition("/")
        parsed = IpAddress.parse(address)
        return cls.of(parsed, int(length) if slash else parsed.bits)

    @property
    def broadcast(self) -> IpAddress | None:
        """The directed broadcast of an IPv4 network of at least four addresses, else None."""
        if self.address.version == 6 or self.prefix_length > 30:
            return None
        value = int.from_bytes(self.address, "big") | (1 << (32 - self.prefix_length)) - 1
        return IpAddress(value.to_bytes(4, "big"))

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, bytes) or len(address) != len(self.address):
            return False
        host_bits = self.address.bits - self.prefix_length
        return int.from_bytes(address, "big") >> host_bits == int.from_bytes(self.address, "big") >> host_bits

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix_length}"
