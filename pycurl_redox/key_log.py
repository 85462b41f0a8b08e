"""SSLKEYLOGFILE (draft-ietf-tls-keylogfile): the secrets of connections, for who looks at their packets."""

from __future__ import annotations

import os


class KeyLog:
    """A file of secrets: lines are added, and the file is made where only we can read it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, line: str) -> None:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with open(descriptor, "a", encoding="ascii") as file:
                file.write(line.rstrip("\n") + "\n")
        except OSError:
            return  # a full disk is no reason to lose the connection
