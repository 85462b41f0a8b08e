"""The form of the tables beside this file: what is typed, what a server answers, what must come of it.

    Ctrl-C in the middle of a body                 a case begins with its name, or with `$ LINE` alone
        < HTTP/1.1 200 OK                          what `$url` and `$urls` say to the first request: the head,
        < Content-Length: 10                       an empty line, the body
        <
        < abc\\                                     \\ at an end: no end of line here
        <- stalls                                  then it stalls, closes, resets, or freezes (reads no more)
        < HTTP/1.1 ...                             to the second request; the last answer is for all later
        $ exec $curl -sS -o out $url/              typed into bash; more lines may follow
        ! INT TERM when out holds abc              signals, a case for each; or when asked, or when met
        | a line of stdout                         what must come out, line by line: of stdout,
        2| a line of stderr                        of stderr,
        out| abc\\                                  of a file, or of `asked`: the requests, as they came
        |~ a regular expression                    a line that it matches
        | ...                                      any number of any lines
        no out                                     a file that is not there, or as it was before
        exit 28                                    or `exit by it`, the signal; without, 0
        ours: why curl differs                     else curl 7.88.1 is held to the same

A stream of which nothing is said must be empty; of `-` anything goes (`2| -`).
A case that says nothing of what comes out must leave what curl 7.88.1 leaves:
output, errors, exit code, files, requests.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TABLES = sorted(Path(__file__).parent.glob("*.txt"))


class Answer(NamedTuple):
    octets: bytes
    ending: str
    """keeps (the connection open), stalls, closes, resets or freezes."""


class Case:
    """One case; `expected` is empty where curl alone is the measure."""

    def __init__(self, topic: str, name: str) -> None:
        self.topic, self.name = topic, name
        self.script = ""
        self.answers: list[Answer] = []
        self.signal: tuple[str, str] | None = None
        self.expected: dict[str, list[str]] = {}
        self.absent: list[str] = []
        self.ending = "0"
        self.ours = ""

    @property
    def is_beside_curl(self) -> bool:
        return not (self.expected or self.absent or self.ending != "0" or self.ours)

    def __repr__(self) -> str:
        return f"{self.topic}: {self.name}"


def read_tables(paths: list[Path] = TABLES) -> list[Case]:
    return [case for path in paths for case in read_table(path.stem, path.read_text())]


def read_table(topic: str, text: str) -> Iterator[Case]:
    case: Case | None = None
    said: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        is_inner = line.startswith(" ")
        if not line.strip() or line.startswith("#"):
            continue
        if not is_inner:
            if case is not None:
                yield from _whole(case, said)
            case, said = Case(topic, line.removeprefix("$ ")), []
            if line.startswith("$ "):
                case.script = line[2:]
            continue
        try:
            assert case is not None, "a case has a name"
            _add(case, said, line.lstrip(" "))
        except (AssertionError, ValueError) as error:
            raise ValueError(f"{topic}, line {number}: {error}") from error
    if case is not None:
        yield from _whole(case, said)


def _add(case: Case, said: list[str], line: str) -> None:
    if line.startswith("<-"):
        _say(case, said, line[2:].strip())
    elif line == "<" or line.startswith("< "):
        if line.startswith("< HTTP/") and said:
            _say(case, said, "keeps")
        said.append(line[2:])
    elif line.startswith("$ "):
        case.script += ("\n" if case.script else "") + line[2:]
    elif line.startswith("! "):
        name, _, moment = line[2:].partition(" when ")
        case.signal = (name, moment)
    elif line.startswith("exit "):
        case.ending = line[5:]
    elif line.startswith("no "):
        case.absent.append(line[3:])
    elif line.startswith("ours: "):
        case.ours = line[6:]
    elif found := re.match(r"([\w./-]*)\|(?: |(?=~)|$)(.*)", line):
        case.expected.setdefault(found[1] or "1", []).append(found[2])
    else:
        raise ValueError(f"what is {line!r}?")


def _say(case: Case, said: list[str], ending: str) -> None:
    if ending not in ("keeps", "stalls", "closes", "resets", "freezes"):
        raise ValueError(f"no such ending: {ending}")
    head, body = said, []
    if "" in said:
        at = said.index("")
        head, body = said[:at], said[at + 1 :]
    octets = "".join(_ended(line, "\r\n") for line in head)
    octets += ("\r\n" if "" in said else "") + "".join(_ended(line, "\n") for line in body)
    case.answers.append(Answer(octets.encode(), ending))
    said.clear()


def _ended(line: str, end: str) -> str:
    return line[:-1] if line.endswith("\\") else line + end


def _whole(case: Case, said: list[str]) -> Iterator[Case]:
    if said:
        _say(case, said, "keeps")
    if not case.script:
        raise ValueError(f"{case}: nothing is typed")
    if case.signal is None:
        yield case
        return
    names, moment = case.signal
    for name in names.split():
        one = copy.copy(case)
        one.name, one.signal = f"{case.name}: {name}", (name, moment)
        one.ending = case.ending.replace("by it", f"by {name}")
        yield one


def difference(expected: list[str], text: str) -> str:
    """Why a text is not what a table wants of it; empty when it is."""
    if expected == ["-"] or re.fullmatch("".join(map(_pattern, expected)), text):
        return ""
    lines = [
        line.removesuffix("\n") if line.endswith("\n") else line + "\\" for line in text.splitlines(True)
    ]
    return "\n".join(difflib.unified_diff(expected, lines, "wanted", "came", n=99, lineterm=""))


def _pattern(line: str) -> str:
    if line == "...":
        return "(?:.*\\n)*?(?:.+)?"
    end = "" if line.endswith("\\") else "\n"
    line = line.removesuffix("\\")
    return (f"(?:{line[1:].strip()})" if line.startswith("~") else re.escape(line)) + end
