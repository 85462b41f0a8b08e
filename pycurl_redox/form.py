"""What `-F` and `--form-string` say, as parts; `multipart.py` makes a body of them."""

from __future__ import annotations

from collections.abc import Callable

ReadFile = Callable[[str], bytes]
Warn = Callable[[str], None]

MAX_HEADER_LENGTH = 998
"""Of a header that comes out of a file, as in curl."""

_SPACE = " \t\n\v\f\r"


class FormError(Exception):
    """The field cannot be understood; the text is curl's warning."""


class Part:
    """One part of a form: its content is `data`, the file `path`, or `parts`."""

    __slots__ = (
        "content_type",
        "data",
        "encoder",
        "file_name",
        "headers",
        "is_open",
        "name",
        "parts",
        "path",
    )

    def __init__(self) -> None:
        self.name: str | None = None
        self.file_name: str | None = None
        self.content_type: str | None = None
        self.encoder: str | None = None
        self.headers: list[str] = []
        self.data = b""
        self.path: str | None = None
        self.parts: list[Part] | None = None
        self.is_open = False
        """A multipart of `=(` whose `=)` has not come yet."""


def add_field(parts: list[Part], text: str, *, literal: bool, read: ReadFile, warn: Warn) -> None:
    """Add what one `-F` says to the form; `literal` for `--form-string`.  Raises `FormError`."""
    name, equals, content = text.partition("=")
    if not equals:
        raise FormError("Illegally formatted input field!")
    siblings = _innermost(parts)
    if literal:
        part = Part()
        part.data = content.encode("utf-8", "surrogateescape")
        siblings.append(part)
    elif content == ")" and not name:
        _close(parts)
        return
    else:
        part = _parse_content(siblings, _Scanner(content, read, warn))
    part.name = name or None


def _innermost(parts: list[Part]) -> list[Part]:
    """Return where a new part goes: into the deepest multipart that is open."""
    while parts and parts[-1].is_open and parts[-1].parts is not None:
        parts = parts[-1].parts
    return parts


def _close(parts: list[Part]) -> None:
    last = None
    while parts and parts[-1].is_open and parts[-1].parts is not None:
        last, parts = parts[-1], parts[-1].parts
    if last is None:
        raise FormError("no multipart to terminate!")
    last.is_open = False


def _parse_content(siblings: list[Part], scanner: _Scanner) -> Part:
    first = scanner.peek()
    if first == "(":
        part = Part()
        scanner.read_part(part, "", ("type", "headers"))
        part.parts, part.is_open = [], True
        siblings.append(part)
        return part
    if first == "@":
        return _parse_files(siblings, scanner)
    part = Part()
    if first == "<":
        scanner.skip()
        _set_file(part, scanner.read_part(part, "", ("type", "encoder", "headers")), scanner.read, False)
    else:
        content = scanner.read_part(part, "", ("type", "filename", "encoder", "headers"))
        part.data = content.encode("utf-8", "surrogateescape")
    siblings.append(part)
    return part


def _parse_files(siblings: list[Part], scanner: _Scanner) -> Part:
    files: list[Part] = []
    while not files or scanner.peek() == ",":
        scanner.skip()
        part = Part()
        path = scanner.read_part(part, ",", ("type", "filename", "encoder", "headers"))
        _set_file(part, path, scanner.read, True)
        files.append(part)
    if len(files) > 1:
        # Several files in one field travel in a multipart of their own.
        group = Part()
        group.parts = files
        files = [group]
    siblings.append(files[0])
    return files[0]


def _set_file(part: Part, path: str, read: ReadFile, shows_name: bool) -> None:
    if shows_name and part.file_name is None:
        part.file_name = path.rsplit("/", 1)[-1]
    if path != "-":
        part.path = path
        return
    try:
        part.data = read("-")
    except OSError as error:
        raise FormError("error while reading standard input") from error


class _Scanner:
    """Reads `content;type=...;filename=...` word by word."""

    def __init__(self, text: str, read: ReadFile, warn: Warn) -> None:
        self._text = text
        self._at = 0
        self.read = read
        self._warn = warn

    def peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def skip(self) -> None:
        self._at += 1

    def read_part(self, part: Part, end: str, allowed: tuple[str, ...]) -> str:
        """Return the content, or the name of its file, and set what follows it on the part."""
        found: dict[str, str] = {}
        content = self._value(end)
        while self.peek() == ";":
            self.skip()
            self._skip_space()
            keyword = self._text[self._at :].partition("=")[0].lower()
            if keyword in ("type", "filename", "headers", "encoder") and "=" in self._text[self._at :]:
                self._at += len(keyword) + 1
                if keyword == "headers":
                    self._headers(part, end)
                else:
                    found[keyword] = self._type(end) if keyword == "type" else self._value(end)
            elif unknown := self._word(end)[0]:
                self._warn(f"skip unknown form field: {unknown}")
        for keyword, what in (("type", "content type"), ("filename", "file name"), ("encoder", "encoder")):
            if keyword in found and keyword not in allowed:
                self._warn(f"Field {what} not allowed here: {found[keyword]}")
                del found[keyword]
        part.content_type = found.get("type")
        part.file_name = found.get("filename")
        part.encoder = found.get("encoder")
        return content

    def _skip_space(self) -> None:
        while (letter := self.peek()) and letter in _SPACE:
            self._at += 1

    def _value(self, end: str) -> str:
        self._skip_space()
        word, is_quoted = self._word(end)
        return word if is_quoted else word.rstrip(_SPACE)

    def _word(self, end: str) -> tuple[str, bool]:
        """Read up to `;` or `end`, or a text in quotes, where a backslash goes before `"` and itself."""
        if self.peek() == '"' and (quoted := self._quoted()) is not None:
            rest = self._until(end)
            if rest.strip(_SPACE):
                self._warn("Trailing data after quoted form parameter")
            return quoted, True
        return self._until(end), False

    def _quoted(self) -> str | None:
        out: list[str] = []
        at = self._at + 1
        while at < len(self._text):
            letter = self._text[at]
            if letter == '"':
                self._at = at + 1
                return "".join(out)
            if letter == "\\" and self._text[at + 1 : at + 2] in ('"', "\\"):
                at += 1
                letter = self._text[at]
            out.append(letter)
            at += 1
        return None

    def _until(self, end: str) -> str:
        start = self._at
        while (letter := self.peek()) and letter != ";" and letter != end:
            self._at += 1
        return self._text[start : self._at]

    def _type(self, end: str) -> str:
        """Read a media type with its parameters: all up to the next keyword belongs to it."""
        self._skip_space()
        start = self._at
        major, slash, minor = self._text[start:].partition("/")
        if not slash or not 0 < len(major) <= 127 or " " in major or minor[:1] in ("", ";", ",", " ", "\n"):
            raise FormError("Illegally formatted content-type field!")
        self._at += len(major) + 1
        self._until(end)
        stop = self._at
        while self.peek() == ";":
            rest = self._text[self._at + 1 :].lstrip(_SPACE).lower()
            if rest.startswith(("filename=", "headers=", "encoder=")):
                break
            self.skip()
            self._until(end)
            stop = self._at
        return self._text[start:stop].rstrip(_SPACE)

    def _headers(self, part: Part, end: str) -> None:
        if self.peek() not in ("@", "<"):
            part.headers.append(self._value(end))
            return
        self.skip()
        path = self._value(end)
        try:
            text = self.read(path).decode("utf-8", "surrogateescape")
        except OSError as error:
            self._warn(f"Cannot read from {path}: {error.strerror or error}")
            return
        part.headers += _header_lines(text)


def _header_lines(text: str) -> list[str]:
    """Return the headers of a file: lines that begin with a blank go on, those with # are comments."""
    headers: list[str] = []
    for line in text.replace("\r", "").split("\n"):
        if line.startswith("#") or not line:
            continue
        if line[0] in _SPACE and headers:
            headers[-1] += line
        else:
            headers.append(line)
    trimmed = [header[:MAX_HEADER_LENGTH].rstrip(_SPACE) for header in headers]
    return [header for header in trimmed if header]
