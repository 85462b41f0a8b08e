"""Content-Disposition, as far as it names a file (RFC 6266), for -J."""

from __future__ import annotations

import re


def file_name_of(disposition: bytes) -> str | None:
    """RFC 6266: the file name of a Content-Disposition, without any folder; "" for one that is none.

    As in curl a backslash separates folders, and quotes nothing; a name that ends with one is passed over,
    unless it ends the header.
    """
    text = disposition.decode("utf-8", "surrogateescape")
    found = re.search(r"(?:^|;)[^A-Za-z;]*filename[ \t]*=[ \t]*(.*)", text, re.IGNORECASE)
    if found is None:
        return None
    value = found[1]
    quote = value[:1] if value[:1] in ('"', "'") else ""
    path, ended, _ = value[len(quote) :].partition(quote or ";")
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    if path and ended and not name:
        return None
    return "" if name in (".", "..") or "\0" in name else name
