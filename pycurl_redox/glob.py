"""Patterns of URLs: `{a,b}`, `[1-10:2]`, `[a-z]`, and `#1` in the names of outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pycurl_redox.errors import UrlError

MAX_PARTS = 100
"""Patterns and the pieces of text between them in one URL, as in curl."""
_LARGEST = 2**64 - 1
_LONGEST_IPV6 = 127
_LONGEST_ERROR = 511
"""curl cuts its message there, caret and all."""

_BLANKS = " \t"
_DIGITS = "0123456789"


class Expansion(NamedTuple):
    """One URL of a pattern, and what its braces and brackets stood for."""

    url: str
    values: tuple[str, ...]


class Numbers:
    """A range of numbers, with the zeros that its first number began with."""

    def __init__(self, numbers: range, width: int) -> None:
        self._numbers = numbers
        self._width = width
        # len() of a range ends at the size of a pointer.
        self.count = (numbers.stop - 1 - numbers.start) // numbers.step + 1

    def __getitem__(self, index: int) -> str:
        return f"{self._numbers.start + index * self._numbers.step:0{self._width}}"


class Choices:
    """Texts to choose from."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self.count = len(texts)

    def __getitem__(self, index: int) -> str:
        return self._texts[index]


class Glob:
    """A pattern taken apart; URLs are made one by one, so that a huge range costs nothing.

    Raises `UrlError` with curl's text, which ends in a line with a caret.
    """

    def __init__(self, pattern: str) -> None:
        self.count = 1
        self._parts: list[str | Numbers | Choices] = []
        _Reader(pattern).read_into(self)

    def __iter__(self) -> Iterator[Expansion]:
        for number in range(self.count):
            yield self._expansion(number)

    def add(self, part: str | Numbers | Choices) -> bool:
        """Take one more part; False when there would be too many URLs."""
        self._parts.append(part)
        if not isinstance(part, str):
            self.count *= part.count
        return self.count <= _LARGEST

    @property
    def part_count(self) -> int:
        return len(self._parts)

    def _expansion(self, number: int) -> Expansion:
        pieces, values = [], []
        # The last pattern changes fastest.
        for part in reversed(self._parts):
            if isinstance(part, str):
                pieces.append(part)
                continue
            number, index = divmod(number, part.count)
            pieces.append(part[index])
            values.append(part[index])
        return Expansion("".join(reversed(pieces)), tuple(reversed(values)))


def output_name(template: str, values: Sequence[str]) -> str:
    """Put the values of a pattern in place of `#1`, `#2` in the name of `-o`."""
    pieces = template.split("#")
    out = [pieces[0]]
    for piece in pieces[1:]:
        end = len(piece) - len(piece.lstrip(_DIGITS))
        number = int(piece[:end][:5] or "0")
        if end <= 5 and 0 < number <= len(values):
            out += [values[number - 1], piece[end:]]
        else:
            out += ["#", piece]
    return "".join(out)


class _Reader:
    """Walks over a pattern; positions in errors are counted as curl counts them."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._uncounted = 0
        """Letters passed that curl does not count: IPv6 addresses and closing braces."""

    def read_into(self, glob: Glob) -> None:
        while self._at < len(self._pattern):
            if literal := self._literal():
                glob.add(literal)
            elif self._next() == "{":
                self._at += 1
                if not glob.add(self._set()):
                    raise UrlError("range overflow")
            else:
                self._at += 1
                fits = glob.add(self._range())
                if not fits:
                    raise self._error("range overflow")
            if glob.part_count >= MAX_PARTS:
                raise self._error("too many globs")

    def _next(self, offset: int = 0) -> str:
        return self._pattern[self._at + offset : self._at + offset + 1]

    def _literal(self) -> str:
        out = []
        while (letter := self._next()) and letter != "{":
            if letter == "[":
                skip = self._ipv6_length() or (2 if self._next(1) == "]" else 0)
                if not skip:
                    break
                out.append(self._pattern[self._at : self._at + skip])
                self._at += skip
                self._uncounted += skip
                continue
            if letter in "}]":
                raise self._error("unmatched close brace/bracket")
            if letter == "\\" and self._next(1) and self._next(1) in "{}[]":
                self._at += 1
            out.append(self._next())
            self._at += 1
        return "".join(out)

    def _ipv6_length(self) -> int:
        """Return how long the address in brackets is that begins here, or 0."""
        from pycurl_redox.url import parse_url

        end = self._pattern.find("]", self._at)
        length = end + 1 - self._at
        if end < 0 or length > _LONGEST_IPV6:
            return 0
        try:
            parse_url(self._pattern[self._at : end + 1])
        except UrlError:
            return 0
        return length

    def _set(self) -> Choices:
        start = self._at
        texts, text = [], ""
        while True:
            letter = self._next()
            if letter == "":
                raise self._error("unmatched brace", start - 1)
            if letter in "{[":
                raise self._error("nested brace")
            if letter == "]":
                raise self._error("unexpected close bracket")
            if letter == "}" and self._at == start:
                raise self._error("empty string within braces")
            if letter in ",}":
                texts.append(text)
                text = ""
            else:
                if letter == "\\" and self._next(1):
                    self._at += 1
                text += self._next()
            self._at += 1
            if letter == "}":
                self._uncounted += 1
                return Choices(texts)

    def _range(self) -> Numbers | Choices:
        letter = self._next()
        if letter.isascii() and letter.isalpha():
            return self._letters()
        if letter and letter in _DIGITS:
            return self._numbers()
        raise self._error("bad range specification")

    def _letters(self) -> Choices:
        first, dash, last, then = [self._next(offset) for offset in range(4)]
        step = 0
        if dash == "-" and then == "]":
            step = 1
            self._at += 4
        elif dash == "-" and then == ":":
            digits = self._digits_at(self._at + 4)
            end = self._at + 4 + len(digits)
            if digits and self._pattern[end : end + 1] == "]":
                step = int(digits[:20])
                self._at = end + 1
        if not step or not _is_range(ord(first), ord(last), step) or ord(last) - ord(first) > 25:
            raise self._error("bad range")
        return Choices([chr(code) for code in range(ord(first), ord(last) + 1, step)])

    def _numbers(self) -> Numbers:
        first = self._digits_at(self._at)
        last, step, good = "", "1", False
        if self._pattern[self._at + len(first) :][:1] == "-" and int(first) <= _LARGEST:
            self._at += len(first) + 1
            while self._next() and self._next() in _BLANKS:
                self._at += 1
            last = self._digits_at(self._at)
            end = self._at + len(last)
            if last and int(last) <= _LARGEST:
                if self._pattern[end : end + 1] == ":":
                    self._at = end + 1
                    step = self._digits_at(self._at)
                    end = self._at + len(step)
                if self._pattern[end : end + 1] == "]":
                    self._at = end + 1
                    good = bool(step)
        if not good or not _is_range(int(first), int(last), int(step)):
            raise self._error("bad range")
        return Numbers(range(int(first), int(last) + 1, int(step)), len(first) if first[0] == "0" else 0)

    def _digits_at(self, start: int) -> str:
        end = start
        while end < len(self._pattern) and self._pattern[end] in _DIGITS:
            end += 1
        # Longer than any number that is taken, and short enough for int().
        return self._pattern[start:end] if end - start < 1000 else "9" * 1000

    def _error(self, reason: str, at: int | None = None) -> UrlError:
        position = (self._at if at is None else at) + 1 - self._uncounted
        caret = " " * max(position - 1, 1) + "^"
        return UrlError(f"{reason} in URL position {position}:\n{self._pattern}\n{caret}"[:_LONGEST_ERROR])


def _is_range(first: int, last: int, step: int) -> bool:
    if first == last:
        return step == 1
    return first < last and 0 < step <= last - first
