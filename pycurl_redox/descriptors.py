"""Descriptors: how many transfers they are enough for, and what to say when none is left."""

from __future__ import annotations

import errno
import os

RESERVED = 32
"""For the streams, the network, certificates, and what is imported late."""
EACH = 3
"""A transfer has a socket and a file, and leaves a connection that rests."""
OUT = (errno.EMFILE, errno.ENFILE)


def limit() -> int:
    """How many this process may have; a great number where there is no bound."""
    found = os.sysconf("SC_OPEN_MAX")
    return found if found > 0 else 1 << 30


def transfers_at_once() -> int:
    """How many transfers may run beside each other, and how many connections may rest."""
    return max(1, (limit() - RESERVED) // EACH)


def none_is_left() -> bool:
    """See whether another one can be had."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno in OUT
    return False


def complaint() -> str:
    """Say what is wrong and what the user can do."""
    return f"Too many open files: this process may have {limit()} (ulimit -n)"
