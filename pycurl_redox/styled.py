"""Header lines as a terminal shows them: names in bold, redirects as links."""

from __future__ import annotations

from pycurl_redox import errors
from pycurl_redox.terminal import harmless
from pycurl_redox.url import Url, resolve_reference

BOLD, PLAIN = b"\x1b[1m", b"\x1b[0m"  # all attributes off: "bold off" alone is not known everywhere
LINK, LINK_END = b"\x1b]8;;", b"\x1b\\"
LINKED_SCHEMES = ("http", "https")


def styled(line: bytes, base: Url) -> bytes:
    """Return a line with its name in bold, and no controls; `base` is the URL that is answered."""
    name, colon, value = line.partition(b":")
    if not colon:
        return harmless(line)
    shown = _linked(value, base) if name.lower() == b"location" else harmless(value)
    return BOLD + harmless(name) + PLAIN + colon + shown


def _linked(value: bytes, base: Url) -> bytes:
    try:
        url = resolve_reference(base, value.decode("utf-8").strip())
    except (errors.FetchError, UnicodeDecodeError):
        return harmless(value)
    text = url.text()
    if url.scheme not in LINKED_SCHEMES or not (text.isascii() and text.isprintable()):
        return harmless(value)  # what is in a link must not be able to end it
    return LINK + text.encode() + LINK_END + harmless(value) + LINK + LINK_END
