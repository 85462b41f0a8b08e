"""`--xattr`: where a file came from, in its extended attributes (freedesktop.org's common names)."""

from __future__ import annotations

import os
from collections.abc import Callable


def tell_origin(
    path: str, url: str, referer: str | None, content_type: bytes | None, warn: Callable[[str], None]
) -> None:
    """Note referrer, type and URL; `url` is without its login already.  The first refusal is warned of."""
    told = (
        ("user.xdg.referrer.url", referer.encode("utf-8", "surrogateescape") if referer else b""),
        ("user.mime_type", content_type or b""),
        ("user.xdg.origin.url", url.encode("utf-8", "surrogateescape")),
    )
    try:
        for name, value in told:
            if value:
                os.setxattr(path, name, value)
    except OSError as error:
        warn(f"Error setting extended attributes on '{path}': {error.strerror}")
