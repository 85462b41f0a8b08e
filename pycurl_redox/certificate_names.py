"""Names of certificates in OpenSSL's forms: on one line, with slashes, and the kinds of a GeneralName."""

from __future__ import annotations

from tls.der import OID, SEQUENCE, UTF8_STRING, DerReader, oid_text
from tls.names import Attribute, read_name

CHARACTER_STRINGS = {0x0C, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1A, 0x1C, 0x1E}
MAX_SLASHED = 255
IA5_STRING = 0x16
OTHERS = {
    "1.3.6.1.4.1.311.20.2.3": "UPN",
    "1.3.6.1.5.5.7.8.5": "XmppAddr",
    "1.3.6.1.5.5.7.8.7": "SRVName",
    "1.3.6.1.5.5.7.8.8": "NAIRealm",
    "1.3.6.1.5.5.7.8.9": "SmtpUTF8Mailbox",
}
TEXTS = {0x81: "email", 0x82: "DNS", 0x86: "URI"}
"""Tags of the kinds of GeneralName that are text (RFC 5280 §4.2.1.6)."""


def one_line(der: bytes) -> str:
    """Write a Name as XN_FLAG_ONELINE does: `C = DE, CN = "a, b"`."""
    out = ""
    for attribute in read_name(der):
        if out:
            out += ", " if attribute.begins_rdn else " + "
        out += f"{attribute.short_name} = {_value(attribute)}"
    return out


def _value(attribute: Attribute) -> str:
    if attribute.tag not in CHARACTER_STRINGS:
        length = len(attribute.value)
        head = (
            bytes((attribute.tag, length))
            if length < 0x80
            else bytes((attribute.tag, 0x82, *length.to_bytes(2, "big")))
        )
        return "#" + (head + attribute.value).hex().upper()
    octets = attribute.text.encode("utf-8", "replace") if attribute.tag != UTF8_STRING else attribute.value
    out, has_quotes = "", False
    for place, octet in enumerate(octets):
        letter = chr(octet)
        is_at_edge = place in (0, len(octets) - 1)
        if octet < 0x20 or octet >= 0x7F:
            out += f"\\{octet:02X}"
        elif letter in '"\\':
            out += "\\" + letter
        else:
            has_quotes |= letter in ",+;<>" or (letter == " " and is_at_edge) or (letter == "#" and not place)
            out += letter
    return f'"{out}"' if has_quotes else out


def slashed(der: bytes) -> str:
    """Write a Name as X509_NAME_oneline does: `/C=DE/CN=a, b`."""
    out = ""
    for attribute in read_name(der):
        value = "".join(chr(each) if 0x20 <= each <= 0x7E else f"\\x{each:02X}" for each in attribute.value)
        part = f"/{attribute.short_name}={value}"
        if len(out) + len(part) > MAX_SLASHED:
            break
        out += part
    return out


def raw_text(octets: bytes) -> str:
    """Let octets pass as they are, whatever they are: -w writes them out again."""
    return octets.decode("utf-8", "surrogateescape")


def general_name(reader: DerReader, *, in_list: bool) -> str:
    """Take one GeneralName; `in_list` is the form of those in a line, else that of each on its own."""
    tag = reader.tag
    if tag in TEXTS:
        return f"{TEXTS[tag]}:{raw_text(reader.read(tag))}"
    if tag == 0xA4:
        name = reader.enter(tag).read_whole(SEQUENCE)
        return f"DirName:{slashed(name) if in_list else one_line(name)}"
    if tag == 0x87:
        return "IP Address:" + address(reader.read(tag))
    if tag == 0x88:
        return f"Registered ID:{oid_text(reader.read(tag))}"
    if tag == 0xA0:
        return "othername: " + _other_name(reader.enter(tag)) if in_list else _unknown(reader, "othername")
    return _unknown(reader, "X400Name" if tag == 0xA3 else "EdiPartyName")


def _other_name(fields: DerReader) -> str:
    kind = oid_text(fields.read(OID))
    value = fields.enter(0xA0)
    shown = value.read(value.tag) if value.tag in (UTF8_STRING, IA5_STRING) else b"<unsupported>"
    return f"{OTHERS.get(kind, kind)}::{raw_text(shown)}"


def _unknown(reader: DerReader, name: str) -> str:
    reader.skip(reader.tag)
    return f"{name}:<unsupported>"


def address(octets: bytes) -> str:
    """Write an address, that of IPv6 without the short form for zeros."""
    if len(octets) == 4:
        return ".".join(map(str, octets))
    if len(octets) == 16:
        return ":".join(f"{octets[at] << 8 | octets[at + 1]:X}" for at in range(0, 16, 2))
    return "<invalid>"
