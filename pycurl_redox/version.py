"""What `-V` prints, and who we say we are."""

from __future__ import annotations

VERSION = "0.1.0"
CURL_VERSION = f"{VERSION}-redox"
USER_AGENT = f"curl/{CURL_VERSION}"
RELEASE_DATE = "2026-11-23"
PROTOCOLS = ("file", "http", "https")
FEATURES = (
    "alt-svc", "AsynchDNS", "HSTS", "HTTPS-proxy", "IDN", "IPv6", "Largefile", "libz", "PSL", "SSL",
    "UnixSockets",
)  # fmt: skip


def version_text() -> str:
    """Return the four lines of `-V`."""
    from pycurl_redox.decode import codings

    features = [*FEATURES, *({"br": "brotli"}.get(name, name) for name in codings()[2:])]
    features.sort(key=str.lower)
    return (
        f"curl {CURL_VERSION} ({platform()}) {components()}\n"
        f"Release-Date: {RELEASE_DATE}\n"
        f"Protocols: {' '.join(PROTOCOLS)}\n"
        f"Features: {' '.join(features)}\n"
    )


def curl_version() -> str:
    """Return what `%{json}` calls curl_version."""
    return f"libcurl/{CURL_VERSION} {components()}"


def components() -> str:
    """Return our parts with their versions; nothing of theirs is imported for it."""
    from importlib.metadata import PackageNotFoundError, version

    parts = [f"redox/{VERSION}"]
    for name in ("cryptography", "h11"):
        try:
            parts.append(f"{name}/{version(name)}")
        except PackageNotFoundError:
            continue
    return " ".join(parts)


def platform() -> str:
    """Return the machine's name as compilers have it: x86_64-pc-linux-gnu."""
    import os
    import sys

    machine = os.uname().machine
    vendor = "pc" if machine in ("x86_64", "i686", "i386") else "unknown"
    system = "linux-gnu" if sys.platform == "linux" else sys.platform
    return f"{machine}-{vendor}-{system}"
