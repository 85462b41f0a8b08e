"""What callers of the library want sent: bodies, forms, queries and headers, as the fetcher takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from pycurl_redox import arguments
from pycurl_redox.errors import ArgumentError
from pycurl_redox.stream import Buffer
from pycurl_redox.upload import BytesBody, FileBody, IterableBody
from pycurl_redox.url import Url, quote

if TYPE_CHECKING:
    from pycurl_redox.message import Body

Fields = Mapping[str, Any]
"""Names and values of a form or a query; a list is a field for each, None is none."""
Data = Buffer | str | BinaryIO | Iterable[Buffer] | Fields | None


def body_of(data: Data, json: Any, length: str | None) -> tuple[Body | None, str | None]:
    """Return what goes out, and its Content-Type if it brings one; `length` is a header of the caller's."""
    if json is not None:
        if data is not None:
            raise ArgumentError("data and json: a request has one body")
        import json as json_module

        return BytesBody(json_module.dumps(json).encode()), "application/json"
    if data is None:
        return None, None
    if isinstance(data, str):
        return BytesBody(data.encode()), None
    if isinstance(data, bytes | bytearray | memoryview):
        return BytesBody(data), None
    if isinstance(data, Mapping):
        return BytesBody(_encoded(data).encode()), "application/x-www-form-urlencoded"
    if hasattr(data, "fileno") and hasattr(data, "read"):
        return _file_body(data), None
    if not hasattr(data, "__iter__"):
        raise TypeError(
            f"data is octets, text, a mapping, a file or an iterable, not {arguments.shown(data)}"
        )
    return IterableBody(data, arguments.content_length(length) if length is not None else None), None


def _file_body(file: Any) -> FileBody:
    """A file from where it stands; a pipe has no length."""
    try:
        start = file.tell()
        return FileBody(file, os.fstat(file.fileno()).st_size - start, start)
    except OSError:
        return FileBody(file, None)


def _encoded(fields: Fields) -> str:
    pairs = []
    for name, value in fields.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [f"{_quoted(name)}={_quoted(each)}" for each in values if each is not None]
    return "&".join(pairs)


def _quoted(value: Any) -> str:
    return quote(value if isinstance(value, bytes) else str(value).encode())


def with_query(url: Url, params: Fields) -> Url:
    """Add fields to a query."""
    added = _encoded(params)
    if not added:
        return url
    return url._replace(query=f"{url.query}&{added}" if url.query else added)


def header_lines(headers: Mapping[str, str]) -> list[str]:
    """Write headers as `-H` takes them; an empty value is sent, not taken away."""
    lines = []
    for name, value in headers.items():
        lines.append(f"{name}: {value}" if value else f"{name};")
    return lines
