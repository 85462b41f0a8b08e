"""Public suffixes (publicsuffix.org): below them anyone may register a name, so no cookie is for all of one.

The list is searched as it is, without being parsed: a few searches of a quarter of a megabyte take less time
than any structure takes to be made.
"""

from __future__ import annotations

SYSTEM_LIST = "/usr/share/publicsuffix/public_suffix_list.dat"


class PublicSuffixes:
    """The rules of a list: lines of UTF-8, `//` before comments."""

    def __init__(self, content: bytes | None) -> None:
        self._rules = None if content is None else b"\n" + content + b"\n"

    def suffix_of(self, host: str) -> str:
        """Return the public suffix of a host in its ASCII form: the longest rule, else the last label."""
        host = host.lower()
        labels = host.split(".")
        names = [_unicode(label) for label in labels]
        for index in range(len(labels)):
            name, parent = ".".join(names[index:]), ".".join(names[index + 1 :])
            if parent and self._has("!" + name):
                return ".".join(labels[index + 1 :])
            if self._has(name) or (parent and self._has("*." + parent)):
                return ".".join(labels[index:])
        return labels[-1]

    def accepts(self, host: str, domain: str) -> bool:
        """Say whether a host may set cookies for a domain that it lies in."""
        if host.lower() == domain.lower():
            return True
        if self._rules is None:
            return "." in domain.strip(".") or domain.lower() == "localhost"
        return len(domain) > len(self.suffix_of(host))

    def _has(self, rule: str) -> bool:
        return (
            self._rules is not None and b"\n" + rule.encode("utf-8", "surrogateescape") + b"\n" in self._rules
        )


def load_public_suffixes() -> PublicSuffixes:
    """Read the system's list, else that of the package `publicsuffixlist`; without both a dot is enough."""
    try:
        with open(SYSTEM_LIST, "rb") as file:
            return PublicSuffixes(file.read())
    except OSError:
        pass
    from importlib.util import find_spec

    spec = find_spec("publicsuffixlist")
    if spec is None or spec.origin is None:
        return PublicSuffixes(None)
    import os

    with open(os.path.join(os.path.dirname(spec.origin), "public_suffix_list.dat"), "rb") as file:
        return PublicSuffixes(file.read())


def _unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
