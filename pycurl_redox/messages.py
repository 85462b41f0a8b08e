"""Warnings and errors as curl prints them: wrapped at 79 columns, each line with its prefix."""

from __future__ import annotations

_COLUMNS = 79


def warning(text: str) -> str:
    """Return the lines of a warning, newline included."""
    return wrapped("Warning: ", text)


def note(text: str) -> str:
    """Return the lines of a note, which `-v` shows."""
    return wrapped("Note: ", text)


def wrapped(prefix: str, text: str) -> str:
    """Cut the text at blanks, which stay at the ends of their lines, and put the prefix on each line."""
    width = _COLUMNS - len(prefix)
    # curl counts the newline of the text as a column of its last line.
    rest = text + "\n"
    lines = []
    while len(rest) > width:
        cut = _last_blank(rest, width - 1)
        lines.append(prefix + rest[: cut + 1] + "\n")
        rest = rest[cut + 1 :]
    return "".join(lines) + (prefix + rest if rest else "")


def _last_blank(text: str, limit: int) -> int:
    cut = limit
    while cut and text[cut] not in " \t":
        cut -= 1
    return cut or limit
