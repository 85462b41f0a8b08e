"""What a command may do to the interpreter, because the process is its own."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from pycurl_redox import descriptors

FAILED_INIT = 2
"""curl's exit code for a start that failed."""
COLLECT_AFTER = 50_000
"""Objects between two looks for cycles: more than a start makes.  With the default of 700 it has sixty looks;
what the cycles of closed connections hold until the next one stays below 30 MB."""


class DeafFile(io.FileIO):
    """Takes what cannot be written as well: that nobody reads its notes must not end a transfer."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def run_in_own_process(command: Callable[[], int], name: str, write_failed: int) -> int:
    """Run a command to its exit code; `write_failed` is that code when standard output takes nothing more.

    The collector of cycles is spared.  Nearly everything that a short command
    makes are functions and classes, which live to its end.  Going through
    them again and again, and once more when the interpreter ends, would take
    a sixth of a small GET's time.
    """
    gc.set_threshold(COLLECT_AFTER)
    _occupy_standard_descriptors()
    try:
        code = command()
        sys.stdout.flush()
        return code
    except OSError as error:
        _forget_stdout()
        if error.errno in descriptors.OUT:
            sys.stderr.write(f"{name}: {descriptors.complaint()}\n")
            return FAILED_INIT
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"{name}: cannot write the output: {error.strerror}\n")
        return write_failed
    finally:
        gc.freeze()


def _occupy_standard_descriptors() -> None:
    """See to it that 0, 1 and 2 are open: a socket that got number 1 would receive the body.

    A closed standard output stays one that cannot be written to.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    raw = DeafFile(2, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="surrogateescape", line_buffering=True
    )


def _forget_stdout() -> None:
    """Nobody reads any more: the interpreter must not fail again when it flushes."""
    try:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    except OSError:  # out of descriptors
        sys.stdout = None
