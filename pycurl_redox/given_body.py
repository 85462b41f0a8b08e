"""What a transfer of the command sends: the file of -T, the form of -F, the data of -d and --json."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO, cast

from pycurl_redox import errors
from pycurl_redox.compose import FORM_URLENCODED, CustomHeaders
from pycurl_redox.upload import BytesBody, FileBody, IterableBody

if TYPE_CHECKING:
    from io import BufferedIOBase

    from pycurl_redox.config import OperationConfig
    from pycurl_redox.form import Part
    from pycurl_redox.message import Body


class GivenBody:
    """A body, what it says it is, and the file that its giver closes when all is done."""

    __slots__ = ("body", "content_type", "file", "is_there_already")

    def __init__(self, body: Body | None = None, content_type: str | None = None) -> None:
        self.body = body
        self.content_type = content_type
        self.file: BinaryIO | None = None
        self.is_there_already = False
        """-C begins at the end of the file, or behind it: nothing is left to be sent."""


def given_body(config: OperationConfig, method: str, upload: str | None, scheme: str) -> GivenBody:
    """Open what goes out with a transfer; `upload` is the file of its -T.

    UsageError for a file that cannot be read, FetchError for one of a form.
    """
    if upload is not None:
        return _uploaded(config, upload, scheme)
    if config.form is not None:
        return _form(config, config.form)
    if method == "POST" and config.data is not None:
        return GivenBody(BytesBody(config.data), "application/json" if config.json else FORM_URLENCODED)
    return GivenBody()


def _form(config: OperationConfig, parts: list[Part]) -> GivenBody:
    from pycurl_redox.multipart import build_form
    from pycurl_redox.routing import random_hex

    typed = CustomHeaders(config.headers).value("content-type") or None
    form = build_form(parts, random_hex, escape=config.form_escape, content_type=typed)
    make = form.__iter__ if form.can_rewind else iter(form)
    return GivenBody(IterableBody(make, form.length), form.content_type)


def _uploaded(config: OperationConfig, path: str, scheme: str) -> GivenBody:
    start = max(0, config.continue_at or 0)
    if path in ("-", "."):
        body = FileBody(cast("BufferedIOBase", sys.stdin.buffer), None, start)
        given = GivenBody(body)
    else:
        try:
            file = open(path, "rb")  # noqa: SIM115 - its giver closes it
            size = os.fstat(file.fileno()).st_size if os.path.isfile(path) else None
        except OSError:
            raise errors.UsageError(f"Can't open '{path}'!", 26) from None
        body = FileBody(file, None if size is None else max(0, size - start), start)
        given = GivenBody(body)
        given.file = file
        given.is_there_already = bool(size) and start >= (size or 0) and scheme != "file"
    if (config.crlf or config.use_ascii) and scheme != "file":
        from pycurl_redox.upload import CrlfBody, count_line_ends

        line_ends = None if body.length is None else count_line_ends(path, start)
        given.body = CrlfBody(body, line_ends)
    return given
