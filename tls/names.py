"""Names in certificates: whom one is for (RFC 9525), and who is who (RFC 5280 §4.1.2.4, §7.1)."""

from __future__ import annotations

from typing import NamedTuple

from .der import OID as OID_TAG
from .der import SEQUENCE, SET, UTF8_STRING, DerError, DerReader, oid, oid_text

_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.41": "name",
    "2.5.4.42": "GN",
    "2.5.4.43": "initials",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
    "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
    "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}
MAX_NAME = 4096  # octets of a Name that are shown and compared without case; real ones have 200
EMAIL_ADDRESS = oid("1.2.840.113549.1.9.1")

# String types whose characters are not one octet each.
_ENCODINGS = {0x1C: "utf-32-be", 0x1E: "utf-16-be", UTF8_STRING: "utf-8"}
_CANONICAL_TYPES = {0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1C, 0x1E}


class Attribute(NamedTuple):
    """One AttributeTypeAndValue; `begins_rdn` is False for the second and later of a multi-valued RDN."""

    type: bytes
    tag: int
    value: bytes
    begins_rdn: bool

    @property
    def short_name(self) -> str:
        """OpenSSL's short name of the type, or its number."""
        kind = oid_text(self.type)
        return _SHORT_NAMES.get(kind, kind)

    @property
    def text(self) -> str:
        return self.value.decode(_ENCODINGS.get(self.tag, "latin-1"), "replace")


def read_name(der: bytes) -> list[Attribute]:
    """Read a Name; DerError unless it is one."""
    outer = DerReader(der)
    rdns = outer.enter(SEQUENCE)
    outer.finish()
    attributes = []
    while rdns.tag:
        rdn, begins = rdns.enter(SET), True
        while rdn.tag or begins:
            pair = rdn.enter(SEQUENCE)
            kind, tag = pair.read(OID_TAG), pair.tag
            attributes.append(Attribute(kind, tag, pair.read(tag), begins))
            pair.finish()
            begins = False
    return attributes


def name_text(der: bytes) -> str:
    """Write a Name on one line as curl does, `C=SE; O=Haxx; CN=localhost`; control characters escaped."""
    if len(der) > MAX_NAME:
        return f"(a name of {len(der)} octets)"
    try:
        attributes = read_name(der)
    except DerError:
        return f"(not a name: {der[:32].hex()})"
    out = ""
    for attribute in attributes:
        if out:
            out += "; " if attribute.begins_rdn else " + "
        out += f"{attribute.short_name}={''.join(map(_shown, attribute.text))}"
    return out


def _shown(character: str) -> str:
    code = ord(character)
    if code > 0xFFFF:
        return f"\\W{code:08X}"
    if code > 0xFF:
        return f"\\U{code:04X}"
    return character if character.isprintable() or code == 0xA0 else f"\\{code:02X}"


def canonical_name(der: bytes) -> bytes:
    """Bring a Name into the form in which equal names are equal octets (RFC 5280 §7.1).

    It is OpenSSL's form, letters of ASCII small and inner spaces single, so
    that its SHA-1 names the file in a hashed directory.
    """
    rdns: list[list[bytes]] = []
    for attribute in read_name(der):
        pair = _element(SEQUENCE, _element(OID_TAG, attribute.type) + _canonical_value(attribute))
        if attribute.begins_rdn:
            rdns.append([])
        rdns[-1].append(pair)
    return b"".join(_element(SET, b"".join(sorted(rdn))) for rdn in rdns)


def comparable_name(der: bytes) -> bytes:
    """Give the canonical form of a Name, or the name itself if it is broken or larger than `MAX_NAME`."""
    try:
        return canonical_name(der) if len(der) <= MAX_NAME else der
    except DerError:
        return der


def _canonical_value(attribute: Attribute) -> bytes:
    if attribute.tag not in _CANONICAL_TYPES:
        return _element(attribute.tag, attribute.value)
    octets = attribute.text.encode("utf-8", "replace")
    return _element(UTF8_STRING, b" ".join(octets.split()).lower())


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def rdn_sequence(der: bytes) -> list[bytes]:
    """Split a Name into its RDNs, each in canonical form."""
    reader = DerReader(canonical_name(der))
    out = []
    while reader.tag:
        out.append(reader.read_whole(SET))
    return out


class GeneralNames(NamedTuple):
    """What a subjectAltName holds (RFC 5280 §4.2.1.6); `others` has the tags of the remaining kinds."""

    dns: tuple[str, ...]
    ip: tuple[bytes, ...]
    directory: tuple[bytes, ...]
    others: frozenset[int]

    def __str__(self) -> str:
        shown = ["".join(map(_shown, name)) for name in self.dns] + [ip_text(address) for address in self.ip]
        return ", ".join(shown) or "(none)"


NO_NAMES = GeneralNames((), (), (), frozenset())

DNS_NAME, IP_ADDRESS, DIRECTORY_NAME, RFC822_NAME = 0x82, 0x87, 0xA4, 0x81


def read_general_names(reader: DerReader) -> GeneralNames:
    """Take the GeneralNames that `reader` holds to its end."""
    dns, ip, directory, others = [], [], [], set()
    while tag := reader.tag:
        if tag == DNS_NAME:
            dns.append(reader.read(tag).decode("latin-1"))
        elif tag == IP_ADDRESS:
            address = reader.read(tag)
            if len(address) not in (4, 16):
                raise DerError(f"IP address of {len(address)} octets")
            ip.append(address)
        elif tag == DIRECTORY_NAME:
            directory.append(reader.read(tag))
        elif tag in (0xA0, RFC822_NAME, 0xA3, 0xA5, 0x86, 0x88):
            reader.skip(tag)
            others.add(tag)
        else:
            raise DerError(f"general name with tag 0x{tag:02x}")
    return GeneralNames(tuple(dns), tuple(ip), tuple(directory), frozenset(others))


def parse_ip(text: str) -> bytes | None:
    """Read an address literal, brackets of an IPv6 one allowed; None when `text` is a name.

    `010.0.0.1` is no literal: some read 8 there, and some 10.
    """
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if ":" in text:
        import ipaddress  # 3 ms, and IPv6 literals are rare in URLs

        try:
            return ipaddress.IPv6Address(text.partition("%")[0]).packed
        except ValueError:
            return None
    parts = text.split(".")
    if len(parts) != 4 or not all(
        p.isascii() and p.isdigit() and len(p) <= 3 and str(int(p)) == p and int(p) < 256 for p in parts
    ):
        return None
    return bytes(map(int, parts))


def ip_text(address: bytes) -> str:
    """Write 4 or 16 octets as an address literal."""
    if len(address) == 4:
        return ".".join(map(str, address))
    import ipaddress

    return str(ipaddress.IPv6Address(address))


def reference_dns_name(server_name: str) -> str | None:
    """Bring the name the user wants to the form names are compared in; None when it can be in no certificate.

    Small letters, A-labels, without the dot that only says "absolute". An
    underscore is let pass as DNS and OpenSSL do.
    """
    name = server_name
    if not name.isascii():
        import idna

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    name = name.lower().removesuffix(".")
    return name if _is_dns_name(name) else None


def _is_dns_name(name: str) -> bool:
    return 0 < len(name) <= 253 and all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "a").replace("_", "a").isalnum()
        for label in name.split(".")
    )


def matching_name(names: GeneralNames, server_name: str) -> str | None:
    """Find the name in the certificate that covers `server_name`, as it is written there.

    RFC 9525 §6: host names by dNSName only, addresses by iPAddress only, and
    never by the subject's common name.
    """
    if (address := parse_ip(server_name)) is not None:
        return ip_text(address) if address in names.ip else None
    reference = reference_dns_name(server_name)
    if reference is None:
        return None
    for presented in names.dns:
        if covers(presented.lower().removesuffix("."), reference):
            return presented
    return None


def covers(presented: str, reference: str) -> bool:
    """Whether a presented name, small and without final dot, matches (RFC 9525 §6.3).

    A wildcard is a whole left-most label and stands for one label. As with
    OpenSSL and curl at least two labels follow it: `*.example` covers nothing.
    """
    if presented == reference:
        return True
    if not presented.startswith("*."):
        return False
    parent = presented[2:]
    return reference.partition(".")[2] == parent and "." in parent and _is_dns_name(parent)
