"""Files of options: `-K` and `.curlrc`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

_SPACE = " \t\n\v\f\r"
_COMMENTS = ("", "#", "/", "*")


class ConfigLine(NamedTuple):
    """An option of a file; `value` is None when nothing follows it."""

    number: int
    option: str
    value: str | None
    has_leftover: bool
    """More follows after a value that is not quoted."""


def config_lines(text: str) -> Iterator[ConfigLine]:
    """Split a file into its options, leaving out empty lines and comments."""
    lines = [line + "\n" for line in text.split("\n")]  # a quote that nothing closes takes the line's end in
    lines[-1] = lines[-1][:-1]
    for number, line in enumerate(lines, 1):
        line = line.partition("\0")[0].lstrip(_SPACE)
        if line[:1] not in _COMMENTS:
            yield _parse_line(number, line)


def _parse_line(number: int, line: str) -> ConfigLine:
    # An option that is written with its dashes may hold = and : itself.
    separators = _SPACE if line.startswith("-") else _SPACE + "=:"
    end = 0
    while end < len(line) and line[end] not in separators:
        end += 1
    option, rest = line[:end], line[end:].lstrip(separators)
    if rest.startswith('"'):
        return ConfigLine(number, option, _unquoted(rest[1:]), False)
    end = 0
    while end < len(rest) and rest[end] not in _SPACE:  # of C; Python's own takes U+001C for one as well
        end += 1
    leftover = rest[end:].lstrip(_SPACE)
    return ConfigLine(number, option, rest[:end] or None, bool(leftover) and leftover[0] != "#")


def _unquoted(text: str) -> str:
    """Return the text up to the closing quote, or to the end, with its escapes resolved."""
    out = []
    letters = iter(text)
    for letter in letters:
        if letter == '"':
            break
        if letter == "\\":
            escaped = next(letters, "")
            letter = {"t": "\t", "n": "\n", "r": "\r", "v": "\v"}.get(escaped, escaped)
        out.append(letter)
    return "".join(out)


def find_config_file(environment: Mapping[str, str]) -> str | None:
    """Return the first `.curlrc` that can be read, in curl's order of places."""
    import os

    homes = [environment[name] for name in ("CURL_HOME", "HOME") if environment.get(name)]
    xdg_home = environment.get("XDG_CONFIG_HOME")
    places = [
        (folder, ".curlrc") for folder in (environment.get("CURL_HOME"), xdg_home, environment.get("HOME"))
    ]
    if homes and not xdg_home:
        # In a .config folder the file has no dot; only the first of such folders is looked at.
        places.append((homes[0], ".config/curlrc"))
    places.append((account_home(), ".curlrc"))
    for folder, name in places:
        if folder and os.access(path := f"{folder}/{name}", os.R_OK):
            return path
    return None


def account_home() -> str | None:
    """Return the home of who runs this by the list of accounts, whatever HOME says; None without one."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir or None
    except KeyError:
        return None
