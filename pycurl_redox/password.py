"""Passwords that `-u USER` and `-U USER` leave out: asked for at the terminal, as curl asks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from pycurl_redox.config import OperationConfig

MAX_PASSWORD = 2047
MAX_PROMPT = 255
"""curl's buffers."""

Ask = Callable[[str], str]


def complete_logins(operations: Sequence[OperationConfig], ask: Ask | None = None) -> None:
    """Ask for each password that is missing; an empty one is written `user:` and is not asked for."""
    ask = ask or ask_at_terminal
    for number, operation in enumerate(operations):
        where = f" on URL #{number + 1}" if number or operation is not operations[-1] else ""
        if operation.user is not None and operation.oauth2_bearer is None:
            operation.user = _completed("host", operation.user, where, ask)
        if operation.proxy_user is not None:
            operation.proxy_user = _completed("proxy", operation.proxy_user, where, ask)


def _completed(kind: str, login: str, where: str, ask: Ask) -> str:
    """Return `user:password`; what begins with a semicolon is login options, and nobody's name."""
    if ":" in login or login.startswith(";"):
        return login
    user = login.partition(";")[0]
    prompt = f"Enter {kind} password for user '{user}'{where}:"
    return f"{login}:{ask(prompt[:MAX_PROMPT])}"


def ask_at_terminal(prompt: str) -> str:
    """Ask at the process's terminal, its echo off; without one standard input has the answer.

    Deviates from curl: only the first line is taken, and a line without an end keeps its last letter.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return _answer(0, prompt)
    try:
        return _answer(terminal, prompt)
    finally:
        os.close(terminal)


def _answer(descriptor: int, prompt: str) -> str:
    import termios

    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        before = None
    try:
        if before is not None:
            quiet = [*before]
            quiet[3] &= ~termios.ECHO
            termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = _read(descriptor)
    finally:
        if before is not None:
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
        sys.stderr.write("\n")
        sys.stderr.flush()
    return line.partition(b"\n")[0].partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _read(descriptor: int) -> bytes:
    """What comes in one go: the rest of standard input may belong to an upload."""
    try:
        return os.read(descriptor, MAX_PASSWORD)
    except OSError:
        return b""
