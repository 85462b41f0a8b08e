"""Bodies of forms: multipart/form-data (RFC 7578), streamed, their length known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pycurl_redox.errors import FetchError, ReadFailedError
from pycurl_redox.form import Part
from pycurl_redox.url import encode_text

BOUNDARY_DASHES = "-" * 24
READ_SIZE = 65_536
_BASE64_LINE = 57
"""Octets in a line of base64: 76 letters."""

_TYPES = {
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain",
    "htm": "text/html",
    "html": "text/html",
    "pdf": "application/pdf",
    "xml": "application/xml",
}


class FormEncoderError(FetchError):
    """`encoder=` names none that there is."""

    exit_code = 43
    default_text = "A libcurl function was given a bad argument"


class _File(NamedTuple):
    path: str
    encoder: str
    size: int | None


class FormBody:
    """A form that can be sent, again if need be.

    `length` is None when a part is a pipe, whose end is not known, or quoted-printable, whose length curl
    does not look for; then it is sent in chunks.
    """

    def __init__(self, content_type: str, pieces: list[bytes | _File], *, in_chunks: bool) -> None:
        self.content_type = content_type
        self._pieces = pieces
        sizes = [len(piece) if isinstance(piece, bytes) else piece.size for piece in pieces]
        self.can_rewind = None not in sizes
        self.length = None if in_chunks or None in sizes else sum(size or 0 for size in sizes)

    def __iter__(self) -> Iterator[bytes]:
        """Read through the body once; raises `ReadFailedError` when a file is gone or is shorter now.

        What is short goes out with what follows it; what comes out of a pipe waits for nothing.
        """
        held = b""
        for piece in self._pieces:
            is_pipe = not isinstance(piece, bytes) and piece.size is None
            for octets in [piece] if isinstance(piece, bytes) else _read_file(piece):
                held = held + octets if held else octets
                if len(held) >= READ_SIZE or is_pipe:
                    yield held
                    held = b""
        if held:
            yield held


def build_form(
    parts: Sequence[Part],
    random_hex: Callable[[int], str],
    *,
    escape: bool = False,
    content_type: str | None = None,
) -> FormBody:
    """Make the body of a form; `random_hex(16)` gives the 16 digits of a boundary.

    `content_type`: of a -H; only parts of multipart/form-data are "form-data" (RFC 7578 §4.2).
    `escape`: quotes in names get a backslash (`--form-escape`) instead of being percent-encoded.
    Raises `ReadFailedError` for files that cannot be read.
    """
    builder = _Builder(random_hex, escape)
    boundary = builder.boundary()
    is_form = content_type is None or content_type.partition(";")[0].strip().lower() == "multipart/form-data"
    builder.write_parts(parts, boundary, "form-data" if is_form else "attachment")
    return FormBody(
        f"multipart/form-data; boundary={boundary}", builder.pieces(), in_chunks=builder.in_chunks
    )


class _Builder:
    def __init__(self, random_hex: Callable[[int], str], escape: bool) -> None:
        self._random_hex = random_hex
        self._escape = escape
        self._pieces: list[bytes | _File] = []
        self._text: list[bytes] = []
        self.in_chunks = False

    def boundary(self) -> str:
        return BOUNDARY_DASHES + self._random_hex(16)

    def pieces(self) -> list[bytes | _File]:
        self._flush()
        return self._pieces

    def write_parts(self, parts: Sequence[Part], boundary: str, disposition: str) -> None:
        for part in parts:
            self._write(f"--{boundary}\r\n")
            self._write_part(part, disposition)
            self._write("\r\n")
        self._write(f"--{boundary}--\r\n")

    def _write_part(self, part: Part, disposition: str) -> None:
        own = {header.partition(":")[0].lower() for header in part.headers}
        boundary = self.boundary() if part.parts is not None else ""
        content_type = _content_type(part)
        if "content-disposition" not in own and (disposition != "attachment" or part.name or part.file_name):
            self._write(f"Content-Disposition: {disposition}")
            if part.name is not None:
                self._write(f'; name="{self._quoted(part.name)}"')
            if part.file_name is not None:
                self._write(f'; filename="{self._quoted(part.file_name)}"')
            self._write("\r\n")
        if content_type and "content-type" not in own:
            suffix = f"; boundary={boundary}" if boundary else ""
            self._write(f"Content-Type: {content_type}{suffix}\r\n")
        if part.encoder is not None and "content-transfer-encoding" not in own:
            self._write(f"Content-Transfer-Encoding: {part.encoder.lower()}\r\n")
        self._write("".join([f"{header}\r\n" for header in part.headers]) + "\r\n")
        if part.parts is not None:
            inner = "form-data" if content_type == "multipart/form-data" else "attachment"
            self.write_parts(part.parts, boundary, inner)
        else:
            self._write_content(part)

    def _write_content(self, part: Part) -> None:
        encoder = (part.encoder or "binary").lower()
        if encoder not in ("binary", "8bit", "7bit", "base64", "quoted-printable"):
            if part.path is not None:
                _file_size(part.path, encoder)  # a file that cannot be read is named before its encoder
            raise FormEncoderError()
        if part.path is None or encoder == "quoted-printable":
            data = part.data if part.path is None else _whole_file(part.path)
            self.in_chunks |= encoder == "quoted-printable" and bool(data)
            self._text.append(_encoded(data, encoder))
        else:
            self._flush()
            self._pieces.append(_File(part.path, encoder, _file_size(part.path, encoder)))

    def _quoted(self, name: str) -> str:
        # RFC 7578 §2: percent-encoding, of these three only, is what browsers do.
        if self._escape:
            return name.replace("\\", "\\\\").replace('"', '\\"')
        return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

    def _write(self, text: str) -> None:
        self._text.append(encode_text(text))

    def _flush(self) -> None:
        if self._text:
            self._pieces.append(b"".join(self._text))
            self._text = []


def _content_type(part: Part) -> str | None:
    if part.content_type is not None:
        return part.content_type
    if part.parts is not None:
        return "multipart/mixed"
    guessed = _type_by_name(part.file_name) or _type_by_name(part.path)
    if guessed is None and part.path is not None and part.file_name is not None:
        return "application/octet-stream"
    # Text is what a part without a type is anyhow.
    return None if guessed == "text/plain" and part.file_name is None else guessed


def _type_by_name(name: str | None) -> str | None:
    return _TYPES.get(name.rsplit(".", 1)[-1].lower()) if name and "." in name else None


def _encoded(data: bytes, encoder: str) -> bytes:
    if encoder == "base64":
        from binascii import b2a_base64

        lines = [data[at : at + _BASE64_LINE] for at in range(0, len(data), _BASE64_LINE)]
        return b"\r\n".join([b2a_base64(line, newline=False) for line in lines])
    if encoder == "quoted-printable":
        return _quoted_printable(data)
    if encoder == "7bit" and not data.isascii():
        raise ReadFailedError("read function returned funny value")
    return data


def _quoted_printable(data: bytes) -> bytes:
    """Encode as RFC 2045 §6.7 says, in lines of 76."""
    out: list[bytes] = []
    length = 0
    position = 0
    while position < len(data):
        octet = data[position]
        if data[position : position + 2] == b"\r\n":
            out.append(b"\r\n")
            length, position = 0, position + 2
            continue
        at_line_end = position + 1 == len(data) or data[position + 1 : position + 3] == b"\r\n"
        is_plain = (33 <= octet <= 126 and octet != 0x3D) or (octet in b" \t" and not at_line_end)
        word = bytes([octet]) if is_plain else b"=%02X" % octet
        # A line that goes on needs room for its soft break.
        if length + len(word) > (76 if at_line_end else 75):
            out.append(b"=\r\n")
            length = 0
        out.append(word)
        length += len(word)
        position += 1
    return b"".join(out)


def _file_size(path: str, encoder: str) -> int | None:
    import os
    import stat

    try:
        # Not opened: who writes to a FIFO would take that for the reading, and its end for the end.
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode) or not os.access(path, os.R_OK):
            raise ReadFailedError()
    except (OSError, ValueError) as error:
        raise ReadFailedError() from error
    if not stat.S_ISREG(status.st_mode):
        return None
    size = status.st_size
    if encoder != "base64":
        return size
    lines = -(-size // _BASE64_LINE)
    return (size + 2) // 3 * 4 + 2 * max(lines - 1, 0)


def _whole_file(path: str) -> bytes:
    from pycurl_redox.data import read_file

    try:
        return read_file(path)
    except (OSError, ValueError) as error:
        raise ReadFailedError() from error


def _read_file(piece: _File) -> Iterator[bytes]:
    """Read a file piece by piece, and make sure that it is as long as was promised."""
    size = READ_SIZE // _BASE64_LINE * _BASE64_LINE if piece.encoder == "base64" else READ_SIZE
    sent = 0
    try:
        with open(piece.path, "rb") as file:
            while octets := file.read(size):
                chunk = _encoded(octets, piece.encoder)
                if piece.encoder == "base64" and sent:
                    chunk = b"\r\n" + chunk
                sent += len(chunk)
                if piece.size is not None and sent > piece.size:
                    chunk = chunk[: len(chunk) - (sent - piece.size)]
                    sent = piece.size
                    yield chunk
                    return
                yield chunk
    except (OSError, ValueError) as error:
        raise ReadFailedError() from error
    if piece.size is not None and sent != piece.size:
        raise ReadFailedError("read function returned funny value")
