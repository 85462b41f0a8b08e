"""The manual of `redox-curl`, as text for `--manual` and as a man page for the package.

Only `--manual` and the builder import this; the paragraphs of the options are in `option_texts`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pycurl_redox import manual_texts as texts
from pycurl_redox.errors import FetchError
from pycurl_redox.help import shown_options
from pycurl_redox.manual_texts import Entry
from pycurl_redox.option_table import Row, shown_name
from pycurl_redox.option_texts import TEXTS
from pycurl_redox.version import RELEASE_DATE, VERSION

WIDTH = 79
LINE = 60


def manual_text() -> str:
    """Return what `--manual` prints."""
    out = _Text()
    _curl_page(out)
    return out.text()


def man_pages() -> dict[str, str]:
    """Return the man pages of the package by their file names."""
    from pycurl_redox import netcfg, ping

    pages = {}
    curl = _Roff("redox-curl")
    _curl_page(curl)
    pages["redox-curl.1"] = curl.text()
    for name, summary, description, usage, codes in (
        ("redox-ping", "send ICMP echo requests", texts.PING, ping.USAGE, texts.PING_CODES),
        ("redox-netcfg", "show the network in the process", texts.NETCFG, netcfg.USAGE, texts.NETCFG_CODES),
    ):
        page = _Roff(name)
        page.section("NAME")
        page.name(name, summary)
        page.section("DESCRIPTION")
        page.paragraph(" ".join(description.split()))
        page.section("SYNOPSIS AND OPTIONS")
        page.literal(usage)
        page.section("EXIT CODES")
        page.entries(codes)
        page.section("SEE ALSO")
        page.paragraph("redox-curl(1)")
        pages[f"{name}.1"] = page.text()
    return pages


def option_title(row: Row) -> str:
    """Return how an option is written above its paragraph: `-o, --output <file>`."""
    name = shown_name(row)
    short = f"-{row[1]}, " if row[1] else ""
    return f"{short}--{name}" + (f" {row[4]}" if row[4] else "")


def exit_codes() -> Iterator[Entry]:
    """Go through the exit codes with what is wrong, out of the errors themselves."""
    kinds = {kind.exit_code: kind for kind in _kinds(FetchError) if kind.__module__ == FetchError.__module__}
    yield "0", "all went well"
    for code, kind in sorted(kinds.items()):
        yield (
            str(code),
            (kind.__doc__ or "").partition("\n")[0].partition(";")[0].rstrip(".").replace("`", ""),
        )


def _kinds(kind: type[FetchError]) -> Iterator[type[FetchError]]:
    yield kind
    for lower in kind.__subclasses__():
        yield from _kinds(lower)


def _curl_page(out: _Text | _Roff) -> None:
    out.section("NAME")
    out.name("redox-curl", texts.SUMMARY)
    out.section("SYNOPSIS")
    out.paragraph(texts.SYNOPSIS)
    for title, paragraphs in (
        ("DESCRIPTION", texts.DESCRIPTION),
        ("URL", texts.URL),
        ("OPTIONS", texts.OPTIONS),
    ):
        out.section(title)
        for paragraph in paragraphs:
            out.paragraph(paragraph)
    out.entries([(option_title(row), _option_text(row)) for row in shown_options()])
    for title, entries in (
        ("WRITE-OUT VARIABLES", texts.WRITE_OUT),
        ("ENVIRONMENT", texts.ENVIRONMENT),
        ("FILES", texts.FILES),
        ("EXIT CODES", tuple(exit_codes())),
    ):
        out.section(title)
        out.entries(entries)
    out.section("SEE ALSO")
    out.paragraph(texts.SEE_ALSO)


def _option_text(row: Row) -> str:
    text, see_also = TEXTS[shown_name(row)]
    shown = {shown_name(other) for other in shown_options()}
    others = [f"--{name}" for name in see_also.split() if name in shown]
    return text + (f" See also {', '.join(others)}." if others else "")


class _Text:
    """A page as it is printed: 79 columns, paragraphs indented."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def text(self) -> str:
        return "\n".join(self._lines).strip("\n") + "\n"

    def section(self, title: str) -> None:
        if self._lines and not self._lines[-1]:
            self._lines.pop()
        self._lines += ["", title]

    def name(self, name: str, summary: str) -> None:
        self.paragraph(f"{name} - {summary}")

    def paragraph(self, text: str) -> None:
        self._fill(text, 7)
        self._lines.append("")

    def entries(self, entries: list[Entry] | tuple[Entry, ...]) -> None:
        for title, text in entries:
            self._fill(title, 7)
            self._fill(text, 14)
            self._lines.append("")

    def _fill(self, text: str, indent: int) -> None:
        from textwrap import wrap

        margin = " " * indent
        self._lines += wrap(
            text,
            WIDTH,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )


class _Roff:
    """A page in man's macros."""

    def __init__(self, name: str) -> None:
        title = _escaped(name.upper())
        self._lines = [f'.TH "{title}" 1 "{RELEASE_DATE}" "redox-curl {VERSION}" "redox-curl"']

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def section(self, title: str) -> None:
        self._lines.append(f'.SH "{_escaped(title)}"')

    def name(self, name: str, summary: str) -> None:
        self._lines.append(f"{_escaped(name)} \\- {_escaped(summary)}")

    def paragraph(self, text: str) -> None:
        if not self._lines[-1].startswith(".SH"):
            self._lines.append(".PP")
        self._fill(text)

    def entries(self, entries: list[Entry] | tuple[Entry, ...]) -> None:
        for title, text in entries:
            self._lines += [".TP", f"\\fB{_escaped(title)}\\fR"]
            self._fill(text)

    def literal(self, text: str) -> None:
        self._lines.append(".nf")
        self._lines += [_protected(_escaped(line)) for line in text.rstrip("\n").split("\n")]
        self._lines.append(".fi")

    def _fill(self, text: str) -> None:
        """Roff fills by itself; short lines are for those who read the source."""
        from textwrap import wrap

        lines = wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
        self._lines += [_protected(_escaped(line)) for line in lines]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")


def _protected(line: str) -> str:
    """A line that begins with a dot would be a request."""
    return "\\&" + line if line.startswith(".") else line
