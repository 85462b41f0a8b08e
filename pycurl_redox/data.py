"""Request data: `-d` in its forms, `--json`, `-G`."""

from __future__ import annotations

from collections.abc import Callable

from pycurl_redox.url import encode_text, quote

ReadFile = Callable[[str], bytes]

MAX_FILE_IN_MEMORY = 1024**3
"""Octets that are read of one file of -d: the data is kept in memory, and sent from there."""


class FileTooLargeError(OSError):
    """A file of -d is larger than what is kept in memory."""


def read_file(path: str) -> bytes:
    """Return a file's octets; "-" is stdin.  Raises OSError."""
    import sys

    if path == "-":
        content = sys.stdin.buffer.read(MAX_FILE_IN_MEMORY + 1)
    else:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_IN_MEMORY + 1)
    if len(content) > MAX_FILE_IN_MEMORY:
        raise FileTooLargeError(f"{path}: more than {MAX_FILE_IN_MEMORY} octets")
    return content


def from_option(value: str, read: ReadFile, *, binary: bool) -> bytes:
    """Return the data of `-d`; without `binary` a file loses its line ends and NULs."""
    if not value.startswith("@"):
        return encode_text(value)
    content = read(value[1:])
    return content if binary else content.translate(None, b"\r\n\0")


def urlencoded(value: str, read: ReadFile) -> bytes:
    """Return the data of `--data-urlencode`: content, =content, name=content, @file or name@file."""
    name, separator, content = value.partition("=")
    if not separator:
        name, separator, content = value.partition("@")
    if not separator:
        name, content = "", value
    octets = read(content) if separator == "@" else encode_text(content)
    if separator == "@" and not octets:
        return b""  # without its name, as in curl
    encoded = quote(octets).replace("%20", "+").encode("ascii")
    return encode_text(name) + b"=" + encoded if name else encoded


def add_data(old: bytearray | None, new: bytes, *, json: bool = False) -> bytearray:
    """Put one more piece to the data: after an `&`, but for --json."""
    if old is None:
        return bytearray(new)
    return old + new if json else old + b"&" + new


def add_query(old: str | None, new: str) -> str:
    """Put one more `--url-query` to the query."""
    return new if old is None else f"{old}&{new}"
