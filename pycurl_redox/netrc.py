"""`.netrc`: logins by host, as curl 7.88 reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pycurl_redox.errors import ReadFailedError

MAX_LINE_LENGTH = 4096
"""Longer lines are left out, as in curl; so are those with a NUL."""
MAX_FILE = 16 << 20
"""Octets of a file that are looked at: it may be a device, or have no end."""

_SPACE = " \t\n\v\f\r"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Login(NamedTuple):
    """What the file has for a host; either may be missing."""

    user: str | None
    password: str | None


def find_login(text: str, host: str, user: str | None = None) -> Login | None:
    """Return the first login for the host, or that of `default`; None when the file does not know the host.

    `user`: only a password of this user will do.  Raises `ReadFailedError` for a quote that is never closed.
    """
    search = _Search(host, user)
    for line in text.split("\n"):
        if len(line) < MAX_LINE_LENGTH - 1 and "\0" not in line and search.read_line(line + "\n"):
            break
    return Login(search.login, search.password) if search.found else None


class _Search:
    """Goes from word to word: nothing, after `machine`, inside the entry of our host, inside a macro."""

    def __init__(self, host: str, user: str | None) -> None:
        self.found = False
        self.login = user or None
        self.password: str | None = None
        self._host = host.lower()
        self._wants_user = bool(user)
        self._is_our_user = True
        self._state = "nothing"
        self._awaited = ""

    def read_line(self, line: str) -> bool:
        """Read a line; say whether all is found."""
        if self._state == "macro":
            # A macro ends with an empty line.
            if line[0] not in "\r\n":
                return False
            self._state = "nothing"
        for word in _words(line):
            if self.login and self.password:
                return True
            self._read_word(word)
        return False

    def _read_word(self, word: str) -> None:
        keyword = word.lower()
        if self._state == "nothing":
            states = {"macdef": "macro", "machine": "machine", "default": "entry"}
            self._state = states.get(keyword, "nothing")
            self.found |= keyword == "default"
        elif self._state == "machine":
            is_ours = keyword == self._host
            self._state = "entry" if is_ours else "nothing"
            self.found |= is_ours
        elif self._state == "entry":
            self._read_entry(word, keyword)

    def _read_entry(self, word: str, keyword: str) -> None:
        awaited, self._awaited = self._awaited, ""
        if awaited == "login":
            if self._wants_user:
                self._is_our_user = word == self.login
            else:
                self.login = word
        elif awaited == "password":
            if self._is_our_user or not self._wants_user:
                self.password = word
        elif keyword in ("login", "password"):
            self._awaited = keyword
        elif keyword == "machine":
            self._state = "machine"
            self._is_our_user = False


def _words(line: str) -> Iterator[str]:
    position = 0
    while True:
        while line[position : position + 1] in (" ", "\t"):
            position += 1
        letter = line[position : position + 1]
        if letter in ("", "#"):
            return
        if letter == '"':
            word, position = _quoted(line, position + 1)
            yield word
        else:
            end = position
            while end < len(line) and line[end] not in _SPACE:
                end += 1
            yield line[position:end]
            position = end
        # The one letter behind a word is passed, be it what it may.
        position += 1


def _quoted(line: str, position: int) -> tuple[str, int]:
    out: list[str] = []
    while position < len(line):
        letter = line[position]
        position += 1
        if letter == '"':
            return "".join(out), position
        if letter == "\\":
            letter = line[position : position + 1]
            letter = _ESCAPES.get(letter, letter)
            position += 1
        out.append(letter)
    raise ReadFailedError(".netrc parser error")
