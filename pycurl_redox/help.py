"""What `--help` prints, made from the table."""

from __future__ import annotations

from collections.abc import Iterable

from pycurl_redox.option_table import CATEGORIES, Row, all_options, shown_name

_COLUMNS = 80
_USAGE = "Usage: curl [options...] <url>\n"
_NOTE = """
This is not the full help, this menu is stripped into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all".
"""


def help_text(category: str | None = None) -> str:
    """Return the help of a category, of "all", the list of "category", or for None the important options."""
    if category is None:
        return _USAGE + _options(row for row in shown_options() if "important" in row[6].split()) + _NOTE
    wanted = category.lower()
    if wanted == "all":
        return _USAGE + _options(shown_options())
    if wanted == "category":
        return _USAGE + _categories()
    for name, title in CATEGORIES:
        if name == wanted:
            rows = [row for row in shown_options() if name in row[6].split()]
            return f"{_USAGE}{name}: {title}\n" + _options(rows)
    return _USAGE + "Invalid category provided, here is a list of all categories:\n\n" + _categories()


def shown_options() -> list[Row]:
    """Return the options that are built in and have an effect."""
    return [row for row in all_options() if row[5] and row[3] not in ("", "-")]


def option_name(row: Row) -> str:
    """Return how an option is written in lists: `-o, --output <file>`."""
    short = f"-{row[1]}, " if row[1] else "    "
    return f"{short}--{shown_name(row)}" + (f" {row[4]}" if row[4] else "")


def _options(rows: Iterable[Row]) -> str:
    lines = [(option_name(row), row[5]) for row in rows]
    name_width = max([5, *(len(name) for name, _ in lines)])
    text_width = max([5, *(len(text) for _, text in lines)])
    if name_width + text_width > _COLUMNS:
        name_width = _COLUMNS - text_width
    return "".join(f" {name:<{name_width}} {text}\n" for name, text in lines)


def _categories() -> str:
    used = {name for row in shown_options() for name in row[6].split()}
    return "".join(f" {name:<11} {title}\n" for name, title in CATEGORIES if name in used)
