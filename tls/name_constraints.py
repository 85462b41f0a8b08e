"""Name constraints: what a CA may not vouch for (RFC 5280 §4.2.1.10)."""

from __future__ import annotations

from typing import NamedTuple

from .der import SEQUENCE, DerError, DerReader
from .names import (
    DIRECTORY_NAME,
    DNS_NAME,
    EMAIL_ADDRESS,
    IP_ADDRESS,
    RFC822_NAME,
    GeneralNames,
    rdn_sequence,
    read_name,
)

PERMITTED_VIOLATION = "permitted subtree violation"
EXCLUDED_VIOLATION = "excluded subtree violation"
UNSUPPORTED_TYPE = "unsupported name constraint type"
UNSUPPORTED_SYNTAX = "unsupported or invalid name constraint syntax"
TOO_MUCH_WORK = "unspecified certificate verification error"  # what OpenSSL says at its own limit

# Names times constraints on them, over a whole verification: both lengths may be the server's choice.
MAX_COMPARISONS = 1 << 16


class Form(NamedTuple):
    """A name, or the base of a subtree, ready to be compared; which field counts depends on the tag."""

    tag: int
    dns: str = ""
    address: bytes = b""  # of a subtree: address and mask
    rdns: tuple[bytes, ...] = ()


class NameConstraints(NamedTuple):
    """The subtrees of one CA certificate."""

    permitted: tuple[Form, ...]
    excluded: tuple[Form, ...]

    @classmethod
    def parse(cls, der: bytes) -> NameConstraints:
        """Read the extension's value; DerError unless it is one."""
        reader = DerReader(der).enter(SEQUENCE)
        permitted, excluded = _subtrees(reader.optional(0xA0)), _subtrees(reader.optional(0xA1))
        reader.finish()
        return cls(permitted, excluded)

    def violation(self, forms: list[Form]) -> str | None:
        """Say in OpenSSL's words how names break the constraints, None when they keep to them."""
        for form in forms:
            permitted = [tree for tree in self.permitted if tree.tag == form.tag]
            excluded = [tree for tree in self.excluded if tree.tag == form.tag]
            if form.tag not in (DNS_NAME, IP_ADDRESS, DIRECTORY_NAME):
                if permitted or excluded:
                    return UNSUPPORTED_TYPE
            elif permitted and not any(_is_inside(form, tree) for tree in permitted):
                return PERMITTED_VIOLATION
            elif any(_is_inside(form, tree) or _may_reach(form, tree) for tree in excluded):
                return EXCLUDED_VIOLATION
        return None


def forms_of(subject_der: bytes, names: GeneralNames) -> list[Form]:
    """List the names of a certificate that constraints speak of (RFC 5280 §6.1.3 b, c)."""
    subject = read_name(subject_der)
    forms = [Form(DNS_NAME, dns=_comparable(dns)) for dns in names.dns]
    forms += [Form(IP_ADDRESS, address=address) for address in names.ip]
    forms += [Form(DIRECTORY_NAME, rdns=tuple(rdn_sequence(der))) for der in names.directory]
    if subject:
        forms.append(Form(DIRECTORY_NAME, rdns=tuple(rdn_sequence(subject_der))))
    others = set(names.others)
    if any(attribute.type == EMAIL_ADDRESS for attribute in subject):
        others.add(RFC822_NAME)
    return forms + [Form(tag) for tag in sorted(others)]


def _comparable(dns: str) -> str:
    """Small, and without the dot at the end that `matching_name` does not see either."""
    return dns.lower().removesuffix(".")


def _is_inside(form: Form, tree: Form) -> bool:
    if form.tag == IP_ADDRESS:
        return _is_address_inside(form.address, tree.address)
    if form.tag == DIRECTORY_NAME:
        return form.rdns[: len(tree.rdns)] == tree.rdns
    if not tree.dns or form.dns == tree.dns:
        return True
    # A leading dot asks for a label more; RFC 5280 leaves it open, OpenSSL has it so.
    return form.dns.endswith(tree.dns if tree.dns.startswith(".") else "." + tree.dns)


def _may_reach(form: Form, tree: Form) -> bool:
    """Whether a wildcard stands for a name inside an excluded subtree, which its own text is not."""
    return form.dns.startswith("*.") and tree.dns.lstrip(".").partition(".")[2] == form.dns[2:]


def _is_address_inside(address: bytes, tree: bytes) -> bool:
    if len(tree) != 2 * len(address):
        return False
    base, mask = tree[: len(address)], tree[len(address) :]
    return all(a & m == b & m for a, b, m in zip(address, base, mask, strict=True))


def _subtrees(reader: DerReader | None) -> tuple[Form, ...]:
    trees = []
    while reader and reader.tag:
        subtree = reader.enter(SEQUENCE)
        trees.append(_subtree(subtree))
        subtree.finish()  # minimum and maximum must not be used, RFC 5280 §4.2.1.10
    return tuple(trees)


def _subtree(reader: DerReader) -> Form:
    tag = reader.tag
    content = reader.read(tag)
    if tag == DNS_NAME:
        return Form(tag, dns=_comparable(content.decode("latin-1")))
    if tag == IP_ADDRESS:
        if len(content) not in (8, 32):
            raise DerError(f"IP address and mask of {len(content)} octets")
        return Form(tag, address=content)
    if tag == DIRECTORY_NAME:
        return Form(tag, rdns=tuple(rdn_sequence(content)))
    return Form(tag)
