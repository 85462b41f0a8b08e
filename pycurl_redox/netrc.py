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
    """Return the login for the host, or that of `default`; None when the file does not know the host.

    The first entry that has all counts, else the first that has anything.  `user`: only a password of this
    user will do, or one that is nobody's.  Raises `ReadFailedError` for a quote that is never closed.
    """
    search = _Search(host, user or None)
    for line in text.split("\n"):
        if len(line) < MAX_LINE_LENGTH - 1 and "\0" not in line and search.read_line(line + "\n"):
            break
    return search.result()


class _Search:
    """Goes from word to word: nothing, after `machine`, inside an entry of our host, inside a macro.

    Deviates from curl 7.88, which gives a user a password of another one where it finds no better.
    """

    def __init__(self, host: str, user: str | None) -> None:
        self._host = host.lower()
        self._user = user
        self._best: Login | None = None
        self._login: str | None = None
        self._password: str | None = None
        self._state = "nothing"
        self._awaited = ""

    @property
    def _is_complete(self) -> bool:
        return bool(self._password and (self._login if self._user is None else self._login == self._user))

    def read_line(self, line: str) -> bool:
        """Read a line; say whether all is found."""
        if self._state == "macro":
            # A macro ends with an empty line.
            if line[0] not in "\r\n":
                return False
            self._state = "nothing"
        words = _words(line)
        # Asked first: behind what was sought a quote may be left open.
        while not self._is_complete:
            word = next(words, None)
            if word is None:
                return False
            self._read_word(word)
        return True

    def result(self) -> Login | None:
        self._end_entry()
        return self._best

    def _read_word(self, word: str) -> None:
        keyword = word.lower()
        if self._state == "nothing":
            states = {"macdef": "macro", "machine": "machine", "default": "entry"}
            self._state = states.get(keyword, "nothing")
        elif self._state == "machine":
            self._state = "entry" if keyword == self._host else "nothing"
        elif self._awaited == "login":
            self._login, self._awaited = word, ""
        elif self._awaited == "password":
            self._password, self._awaited = word, ""
        elif keyword in ("login", "password"):
            self._awaited = keyword
        elif keyword in ("machine", "default"):
            self._end_entry()
            self._state = "machine" if keyword == "machine" else "entry"

    def _end_entry(self) -> None:
        """Keep what the entry has, unless an earlier one had as much."""
        if self._state != "entry":
            return
        login, password, is_complete = self._login, self._password, self._is_complete
        self._login = self._password = None
        self._awaited = ""
        if self._user is not None:
            password = password if login in (None, self._user) else None
            login = self._user
        if is_complete or self._best is None or (login and password and not self._best.password):
            self._best = Login(login, password)


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
