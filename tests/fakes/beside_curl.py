"""Ours and the real curl with the same words, each in a folder of its own: what they leave is compared."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.commands import CURL, REDOX_CURL

COMMANDS = {"ours": REDOX_CURL, "curl": (str(CURL), "-q", "--http1.1")}


class Left(NamedTuple):
    """How a command ended; versions, times and ports made alike."""

    code: int
    out: str
    err: str
    files: dict[str, str]


def both(
    folder: Path, *words: str, files: dict[str, str] | None = None, notes: str | None = None
) -> dict[str, Left]:
    """Run both at the same time; `notes`: the pattern of the lines of stderr that are compared."""
    with ThreadPoolExecutor(2) as pool:
        left = pool.map(
            lambda name: run_in(folder / name, COMMANDS[name], words, files or {}, notes), COMMANDS
        )
    return dict(zip(COMMANDS, left, strict=True))


def same(folder: Path, *words: str, files: dict[str, str] | None = None, notes: str | None = None) -> Left:
    """Run both, assert that they left the same, and return it."""
    left = both(folder, *words, files=files, notes=notes)
    assert left["ours"] == left["curl"]
    return left["ours"]


def differences(ours: str, curl: str) -> Iterator[tuple[str, str]]:
    """Compare outputs that end each transfer with an empty line and ==; yield what is not alike."""
    for one, other in zip(ours.split("\n==\n"), curl.split("\n==\n"), strict=True):
        if one != other:
            yield one, other


def run_in(
    folder: Path, command: Sequence[str], words: Sequence[str], files: dict[str, str], notes: str | None
) -> Left:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, "latin-1")
    environment = {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "LC_ALL": "C.UTF-8",
    }
    begun = int(time.time())
    done = subprocess.run([*command, *words], capture_output=True, timeout=60, cwd=folder, env=environment)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    err = _alike(done.stderr)
    if notes is not None:
        err = "\n".join(line for line in err.splitlines() if re.search(notes, line))
    given = "".join(files.values())
    left = {
        path.name: _relative(_alike(path.read_bytes()), begun, given) for path in sorted(folder.iterdir())
    }
    return Left(done.returncode, _alike(done.stdout), err, left)


def _alike(octets: bytes) -> str:
    text = octets.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    text = re.sub(r"curl/[^ \n]+", "V", text)
    return re.sub(r"after \d+ ms", "after N ms", text)


def _relative(text: str, begun: int, given: str) -> str:
    """Let dates that were not given be said from the run's begin on, in steps as long as a run under load."""

    def said(match: re.Match[str]) -> str:
        if match[1] in given:
            return match[0]
        date = datetime.datetime.strptime(match[1], "%Y%m%d %H:%M:%S").replace(tzinfo=datetime.UTC)
        return f'"{(int(date.timestamp()) - begun) // 100} times 100 s from now"'

    return re.sub(r'"(20\d{6} \d\d:\d\d:\d\d)"', said, text)


CURL_IS_7_88 = (
    CURL is not None and b"curl 7.88.1 " in subprocess.run([CURL, "-V"], capture_output=True).stdout
)
needs_curl_7_88 = pytest.mark.skipif(
    not CURL_IS_7_88,
    reason="the curl that is the model, 7.88.1, is not installed",
)
