"""DNS messages (RFC 1035 §4): a question is built here, an answer is read by dnslib.

dnslib takes 12 ms to import. A question is a dozen octets around a name, so
it is on its way before dnslib is needed, and a name that needs no DNS never
needs it. The header and the question of an answer are compared as octets:
what is not ours is dropped unread.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from tcpip.errors import MalformedPacketError
from tcpip.wire.address import IpAddress

if TYPE_CHECKING:
    import dnslib

PORT = 53
A, CNAME, SOA, AAAA, HTTPS = 1, 5, 6, 28, 65
CLASS_IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")

QR, OPCODE, TC, RD = 0x8000, 0x7800, 0x0200, 0x0100

MAX_NAME = 253  # characters, the final dot not counted (RFC 1035 §2.3.4)
MAX_LABEL = 63
MAX_RECORDS = 128  # in one answer; dnslib's time grows with records times the length of names
MAX_CNAMES = 16  # one after the other

_HEADER = struct.Struct("!6H")
_TYPE_AND_CLASS = struct.Struct("!HH")


def is_name(name: str) -> bool:
    """Whether `name`, in ASCII and without final dot, fits a question."""
    return 0 < len(name) <= MAX_NAME and all(0 < len(label) <= MAX_LABEL for label in name.split("."))


def build_question(name: str, record_type: int) -> bytes:
    """Build the question section for a name that `is_name` (RFC 1035 §4.1.2)."""
    labels = b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.split("."))
    return labels + b"\0" + _TYPE_AND_CLASS.pack(record_type, CLASS_IN)


def build_query(identifier: int, question: bytes) -> bytes:
    """Put a header in front of a question; recursion is desired."""
    return _HEADER.pack(identifier, RD, 1, 0, 0, 0) + question


class Header(NamedTuple):
    """The first twelve octets of a message."""

    identifier: int
    flags: int
    questions: int
    answers: int
    authorities: int
    additionals: int

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Read a header; MalformedPacketError if there are not twelve octets."""
        if len(data) < _HEADER.size:
            raise MalformedPacketError("DNS: shorter than a header")
        return cls(*_HEADER.unpack_from(data))

    @property
    def rcode(self) -> int:
        return self.flags & 0xF

    @property
    def is_truncated(self) -> bool:
        return bool(self.flags & TC)


def is_answer_to(data: bytes, header: Header, identifier: int, question: bytes) -> bool:
    """Whether a message answers this question (RFC 5452 §9.1), names compared without case.

    A server that understood nothing may leave the question out.
    """
    if header.identifier != identifier or header.flags & (QR | OPCODE) != QR:
        return False
    if header.questions == 0 and header.rcode in (FORMERR, SERVFAIL, NOTIMP, REFUSED):
        return True
    begin, end = _HEADER.size, _HEADER.size + len(question)
    asked, ours = data[begin:end], question
    # Type and class are compared to the octet; the length octets of labels are no letters.
    return header.questions == 1 and asked[:-4].lower() == ours[:-4].lower() and asked[-4:] == ours[-4:]


class ServiceBinding(NamedTuple):
    """One HTTPS record (RFC 9460 §2): 0 is an alias's priority; parameters by number, as they stand."""

    priority: int
    target: str
    parameters: dict[int, bytes]


class Answer(NamedTuple):
    """What an answer says about the name asked for.

    `services` are there for a question of type HTTPS, those of the best
    priority first, `addresses` for others.  They may be empty: the name has none of this type, or does not
    exist, or, with `alias`, the server leaves it to us to ask for the alias.
    `ttl` is how many seconds all of it holds, 0 when nothing says so.
    """

    addresses: tuple[IpAddress, ...]
    ttl: int
    alias: str | None = None
    services: tuple[ServiceBinding, ...] = ()


_Name = tuple[bytes, ...]


def parse_answer(data: bytes, name: str, record_type: int) -> Answer:
    """Read an answer to the question for `name`; MalformedPacketError unless it is a whole message.

    Only records of the chain of aliases that begins at the name count.
    """
    header = Header.parse(data)
    if header.questions + header.answers + header.authorities + header.additionals > MAX_RECORDS:
        raise MalformedPacketError("DNS: more records than an answer needs")
    import dnslib

    try:
        record = dnslib.DNSRecord.parse(data)
        aliases: dict[_Name, tuple[_Name, int]] = {}
        addresses: dict[_Name, list[tuple[IpAddress, int]]] = {}
        services: dict[_Name, list[ServiceBinding]] = {}
        for rr in record.rr:
            if rr.rclass != CLASS_IN:
                continue
            owner = _lower(rr.rname.label)
            if rr.rtype == CNAME:
                aliases.setdefault(owner, (_lower(rr.rdata.label.label), _ttl(rr)))
            elif rr.rtype == record_type == HTTPS:
                services.setdefault(owner, []).append(_service(rr.rdata))
            elif rr.rtype == record_type:
                addresses.setdefault(owner, []).append((IpAddress(bytes(rr.rdata.data)), _ttl(rr)))
        negative_ttl = min((_negative_ttl(rr) for rr in record.auth if rr.rtype == SOA), default=0)
    except Exception as error:  # whatever dnslib makes of hostile octets, RecursionError included
        raise MalformedPacketError(f"DNS: {type(error).__name__} in an answer") from None
    return _follow(
        tuple(name.lower().encode("ascii").split(b".")), aliases, addresses, services, negative_ttl
    )


def _follow(
    name: _Name,
    aliases: dict[_Name, tuple[_Name, int]],
    addresses: dict[_Name, list[tuple[IpAddress, int]]],
    services: dict[_Name, list[ServiceBinding]],
    negative_ttl: int,
) -> Answer:
    """Go along the aliases to the addresses; the shortest life of a link is that of the whole."""
    at, ttls = name, []
    while at in aliases:
        at, ttl = aliases[at]
        ttls.append(ttl)
        if len(ttls) > MAX_CNAMES:
            raise MalformedPacketError(f"DNS: more than {MAX_CNAMES} aliases, or a loop of them")
    if found := addresses.get(at):
        unique = tuple(dict.fromkeys(address for address, _ in found))
        return Answer(unique, min([*ttls, *(ttl for _, ttl in found)]))
    if bindings := services.get(at):
        return Answer((), 0, services=tuple(sorted(bindings, key=lambda each: each.priority)))
    if ttls and not negative_ttl and is_name(alias := _text(at)):
        return Answer((), 0, alias)
    return Answer((), min([*ttls, negative_ttl]))


def _service(rdata: dnslib.HTTPS) -> ServiceBinding:
    parameters = {int(key): bytes(value) for key, value in rdata.params}
    return ServiceBinding(int(rdata.priority), _text(_lower(tuple(rdata.target))), parameters)


def _negative_ttl(rr: dnslib.RR) -> int:
    """How long "there is none" holds (RFC 2308 §5)."""
    return min(_ttl(rr), int(rr.rdata.times[4]))


def _ttl(rr: dnslib.RR) -> int:
    """RFC 2181 §8: with the highest bit set it is none."""
    return int(rr.ttl) if rr.ttl < 1 << 31 else 0


def _lower(labels: tuple[bytes, ...]) -> _Name:
    return tuple(bytes(label).lower() for label in labels)


def _text(name: _Name) -> str:
    return ".".join(label.decode("ascii", "replace") for label in name)
