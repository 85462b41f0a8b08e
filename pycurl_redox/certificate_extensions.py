"""Extensions of certificates (RFC 5280 §4.2) as OpenSSL 3.0 prints them; unknown ones as they are."""

from __future__ import annotations

from collections.abc import Callable

from pycurl_redox.certificate_names import address, general_name, one_line, raw_text
from tls.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    DerError,
    DerReader,
    oid_text,
    read_time,
    time_text,
)

PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "TLS Web Server Authentication",
    "1.3.6.1.5.5.7.3.2": "TLS Web Client Authentication",
    "1.3.6.1.5.5.7.3.3": "Code Signing",
    "1.3.6.1.5.5.7.3.4": "E-mail Protection",
    "1.3.6.1.5.5.7.3.5": "IPSec End System",
    "1.3.6.1.5.5.7.3.6": "IPSec Tunnel",
    "1.3.6.1.5.5.7.3.7": "IPSec User",
    "1.3.6.1.5.5.7.3.8": "Time Stamping",
    "1.3.6.1.5.5.7.3.9": "OCSP Signing",
    "1.3.6.1.5.5.7.3.17": "ipsec Internet Key Exchange",
    "1.3.6.1.4.1.311.10.3.3": "Microsoft Server Gated Crypto",
    "2.16.840.1.113730.4.1": "Netscape Server Gated Crypto",
    "2.5.29.37.0": "Any Extended Key Usage",
}
USAGES = (
    "Digital Signature",
    "Non Repudiation",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Certificate Sign",
    "CRL Sign",
    "Encipher Only",
    "Decipher Only",
)
NETSCAPE_TYPES = (
    "SSL Client",
    "SSL Server",
    "S/MIME",
    "Object Signing",
    "Unused",
    "SSL CA",
    "S/MIME CA",
    "Object Signing CA",
)
REASONS = (
    "Unused",
    "Key Compromise",
    "CA Compromise",
    "Affiliation Changed",
    "Superseded",
    "Cessation Of Operation",
    "Certificate Hold",
    "Privilege Withdrawn",
    "AA Compromise",
)
ACCESS = {"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "CA Issuers"}
ACCESS |= {"1.3.6.1.5.5.7.48.3": "AD Time Stamping", "1.3.6.1.5.5.7.48.5": "CA Repository"}
FEATURES = {5: "status_request", 17: "status_request_v2"}
ANY_POLICY = {"2.5.29.32.0": "X509v3 Any Policy"}
CPS, USER_NOTICE = "1.3.6.1.5.5.7.2.1", "1.3.6.1.5.5.7.2.2"
SCT_SIGNATURES = {b"\4\1": "sha256WithRSAEncryption", b"\4\3": "ecdsa-with-SHA256"}


def extension_text(kind: str, value: bytes) -> tuple[str, str]:
    """Return an extension's name and its value."""
    name, show = EXTENSIONS.get(kind, (kind, None))
    if show is not None:
        try:
            return name, show(DerReader(value))
        except ValueError:  # DerError, or a number of more digits than Python writes
            pass
    return name, printable(value)


def printable(value: bytes) -> str:
    """Write octets as ASN1_STRING_print does."""
    return "".join(chr(each) if 0x20 <= each <= 0x7E or each in b"\r\n" else "." for each in value)


def _colons(octets: bytes) -> str:
    return ":".join(f"{each:02X}" for each in octets)


def _names(reader: DerReader, *, in_list: bool = True) -> list[str]:
    out = []
    while reader.tag:
        out.append(general_name(reader, in_list=in_list))
    return out


def _bits(reader: DerReader, names: tuple[str, ...], tag: int = BIT_STRING) -> str:
    octets = reader.read(tag)[1:]
    bits = [octets[at >> 3] >> (7 - at & 7) & 1 for at in range(len(octets) * 8)]
    return ", ".join(name for name, bit in zip(names, bits, strict=False) if bit)


def _key_usage(reader: DerReader) -> str:
    return _bits(reader, USAGES)


def _alternative_names(reader: DerReader) -> str:
    return ", ".join(_names(reader.enter(SEQUENCE))) or "<EMPTY>"


def _basic_constraints(reader: DerReader) -> str:
    fields = reader.enter(SEQUENCE)
    is_ca = fields.read_boolean() if fields.tag == BOOLEAN else False
    length = f", pathlen:{fields.read_integer()}" if fields.tag == INTEGER else ""
    return f"CA:{'TRUE' if is_ca else 'FALSE'}{length}"


def _subject_key(reader: DerReader) -> str:
    return _colons(reader.read(OCTET_STRING))


def _authority_key(reader: DerReader) -> str:
    fields, parts = reader.enter(SEQUENCE), []
    key = fields.read(0x80) if fields.tag == 0x80 else None
    if key is not None:
        parts.append(("keyid:" if fields.tag else "") + _colons(key))
    if fields.tag == 0xA1:
        parts += _names(fields.enter(0xA1))
    if fields.tag == 0x82:
        parts.append("serial:" + _colons(fields.read(0x82).lstrip(b"\0") or b"\0"))
    return "\n".join(parts)


def _purposes(reader: DerReader) -> str:
    listed, out = reader.enter(SEQUENCE), []
    while listed.tag:
        kind = oid_text(listed.read(OID))
        out.append(PURPOSES.get(kind, kind))
    return ", ".join(out)


def _access(reader: DerReader) -> str:
    listed, out = reader.enter(SEQUENCE), []
    while listed.tag:
        one = listed.enter(SEQUENCE)
        kind = oid_text(one.read(OID))
        out.append(f"{ACCESS.get(kind, kind)} - {general_name(one, in_list=True)}")
    return "\n".join(out)


def _crl_points(reader: DerReader) -> str:
    """Print points without a line's end behind a full name, and with one behind reasons, as OpenSSL does."""
    listed, out = reader.enter(SEQUENCE), []
    while listed.tag:
        point, text = listed.enter(SEQUENCE), ""
        if (where := point.optional(0xA0)) is not None:
            if where.tag == 0xA0:
                text += "Full Name:\n" + _indented(_names(where.enter(0xA0), in_list=False))
            else:
                text += f"Relative Name:\n  {one_line(_element(SEQUENCE, _element(SET, where.read(0xA1))))}\n"
        if point.tag == 0x81:
            text += f"Reasons:\n  {_bits(point, REASONS, 0x81)}\n"
        if (issuer := point.optional(0xA2)) is not None:
            text += "CRL Issuer:\n" + _indented(_names(issuer, in_list=False))
        out.append(text)
    return "\n".join(out)


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    return bytes((tag, length) if length < 0x80 else (tag, 0x82, *length.to_bytes(2, "big"))) + content


def _indented(lines: list[str]) -> str:
    return "\n".join("  " + line for line in lines)


def _policies(reader: DerReader) -> str:
    listed, out = reader.enter(SEQUENCE), []
    while listed.tag:
        policy = listed.enter(SEQUENCE)
        kind = oid_text(policy.read(OID))
        out.append(f"Policy: {ANY_POLICY.get(kind, kind)}")
        qualifiers = policy.optional(SEQUENCE)
        while qualifiers is not None and qualifiers.tag:
            out.append(_indented(_qualifier(qualifiers.enter(SEQUENCE))))
    return "\n".join(out)


def _qualifier(qualifier: DerReader) -> list[str]:
    kind = oid_text(qualifier.read(OID))
    if kind == CPS:
        return ["CPS: " + raw_text(qualifier.read(qualifier.tag))]
    if kind != USER_NOTICE:
        return ["Unknown Qualifier: " + kind]
    notice, out = qualifier.enter(SEQUENCE), ["User Notice:"]
    if (reference := notice.optional(SEQUENCE)) is not None:
        out.append("  Organization: " + raw_text(reference.read(reference.tag)))
        listed, numbers = reference.enter(SEQUENCE), []
        while listed.tag:
            numbers.append(str(listed.read_integer()))
        out.append(f"  Number{'s' if len(numbers) > 1 else ''}: {', '.join(numbers)}")
    if notice.tag:
        out.append("  Explicit Text: " + raw_text(notice.read(notice.tag)))
    return out


def _name_constraints(reader: DerReader) -> str:
    fields, out = reader.enter(SEQUENCE), []
    for tag, title in ((0xA0, "Permitted:"), (0xA1, "Excluded:")):
        if (trees := fields.optional(tag)) is not None:
            out.append(title)
            while trees.tag:
                tree = trees.enter(SEQUENCE)
                out.append(
                    "  "
                    + (_range(tree.read(0x87)) if tree.tag == 0x87 else general_name(tree, in_list=False))
                )
    return "\n".join(out)


def _range(octets: bytes) -> str:
    half = len(octets) // 2
    if half not in (4, 16):
        return "IP:IP Address:<invalid>"
    return f"IP:{address(octets[:half])}/{address(octets[half:])}"


def _policy_constraints(reader: DerReader) -> str:
    fields, out = reader.enter(SEQUENCE), []
    for tag, title in ((0x80, "Require Explicit Policy"), (0x81, "Inhibit Policy Mapping")):
        if fields.tag == tag:
            out.append(f"{title}:{int.from_bytes(fields.read(tag), 'big', signed=True)}")
    return ", ".join(out)


def _policy_mappings(reader: DerReader) -> str:
    listed, out = reader.enter(SEQUENCE), []
    while listed.tag:
        pair = listed.enter(SEQUENCE)
        out.append(f"{oid_text(pair.read(OID))}:{oid_text(pair.read(OID))}")
    return ", ".join(out)


def _key_period(reader: DerReader) -> str:
    fields, out = reader.enter(SEQUENCE), []
    for tag, title in ((0x80, "Not Before"), (0x81, "Not After")):
        if fields.tag == tag:
            out.append(
                f"{title}: {time_text(read_time(DerReader(_element(GENERALIZED_TIME, fields.read(tag)))))}"
            )
    fields.finish()
    return ", ".join(out)


def _netscape_type(reader: DerReader) -> str:
    return _bits(reader, NETSCAPE_TYPES)


def _number(reader: DerReader) -> str:
    return str(reader.read_integer())


def _features(reader: DerReader) -> str:
    listed, out = reader.enter(SEQUENCE), []
    while listed.tag:
        number = listed.read_integer()
        out.append(FEATURES.get(number, str(number)))
    return ", ".join(out)


def _nothing(reader: DerReader) -> str:
    return ""


def _text(reader: DerReader) -> str:
    return raw_text(reader.read(reader.tag))


def _timestamps(reader: DerReader) -> str:
    """RFC 6962 §3.3: a list in a list of octets."""
    octets, out, at = reader.read(OCTET_STRING), [], 2
    while at + 2 <= len(octets):
        length = int.from_bytes(octets[at : at + 2], "big")
        out.append(_timestamp(octets[at + 2 : at + 2 + length]))
        at += 2 + length
    return "\n".join(out)


def _timestamp(sct: bytes) -> str:
    lines = ["Signed Certificate Timestamp:"]
    if len(sct) < 47 or sct[0]:
        return "\n".join([*lines, "    Version   : unknown", _block(sct)])
    milliseconds = int.from_bytes(sct[33:41], "big")
    if milliseconds >= 253_402_300_800_000:  # the year 10000
        raise DerError("SCT: a time of no calendar")
    clock, rest = time_text(milliseconds // 1000).rsplit(" ", 2), milliseconds % 1000
    length = int.from_bytes(sct[41:43], "big")
    extensions, signed = sct[43 : 43 + length], sct[43 + length :]
    if signed[:2] not in SCT_SIGNATURES:
        raise DerError("SCT: signed in a way that RFC 6962 §2.1.4 has not")
    return "\n".join(
        [
            *lines,
            "    Version   : v1 (0x0)",
            "    Log ID    : " + _block(sct[1:33]).lstrip(),
            f"    Timestamp : {clock[0]}.{rest:03} {clock[1]} {clock[2]}",
            "    Extensions: " + (_block(extensions).lstrip() if extensions else "none"),
            f"    Signature : {SCT_SIGNATURES[signed[:2]]}",
            _block(signed[4:]),
        ]
    )


def _block(octets: bytes) -> str:
    """Write 16 octets a line, behind 16 spaces."""
    lines = [_colons(octets[at : at + 16]) for at in range(0, len(octets), 16)]
    return ":\n".join(" " * 16 + line for line in lines)


EXTENSIONS: dict[str, tuple[str, Callable[[DerReader], str] | None]] = {
    "2.5.29.9": ("X509v3 Subject Directory Attributes", None),
    "2.5.29.14": ("X509v3 Subject Key Identifier", _subject_key),
    "2.5.29.15": ("X509v3 Key Usage", _key_usage),
    "2.5.29.16": ("X509v3 Private Key Usage Period", _key_period),
    "2.5.29.17": ("X509v3 Subject Alternative Name", _alternative_names),
    "2.5.29.18": ("X509v3 Issuer Alternative Name", _alternative_names),
    "2.5.29.19": ("X509v3 Basic Constraints", _basic_constraints),
    "2.5.29.30": ("X509v3 Name Constraints", _name_constraints),
    "2.5.29.31": ("X509v3 CRL Distribution Points", _crl_points),
    "2.5.29.32": ("X509v3 Certificate Policies", _policies),
    "2.5.29.33": ("X509v3 Policy Mappings", _policy_mappings),
    "2.5.29.35": ("X509v3 Authority Key Identifier", _authority_key),
    "2.5.29.36": ("X509v3 Policy Constraints", _policy_constraints),
    "2.5.29.37": ("X509v3 Extended Key Usage", _purposes),
    "2.5.29.46": ("X509v3 Freshest CRL", _crl_points),
    "2.5.29.54": ("X509v3 Inhibit Any Policy", _number),
    "1.3.6.1.5.5.7.1.1": ("Authority Information Access", _access),
    "1.3.6.1.5.5.7.1.11": ("Subject Information Access", _access),
    "1.3.6.1.5.5.7.1.24": ("TLS Feature", _features),
    "1.3.6.1.5.5.7.48.1.5": ("OCSP No Check", _nothing),
    "1.3.6.1.4.1.11129.2.4.2": ("CT Precertificate SCTs", _timestamps),
    "1.3.6.1.4.1.11129.2.4.3": ("CT Precertificate Poison", _nothing),
    "2.16.840.1.113730.1.1": ("Netscape Cert Type", _netscape_type),
    "2.16.840.1.113730.1.13": ("Netscape Comment", _text),
}
"""Names and what shows the value; None where it is shown as it is."""
