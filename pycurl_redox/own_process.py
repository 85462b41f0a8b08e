"""What a command may do to the interpreter, because the process is its own."""

from __future__ import annotations

import gc
from collections.abc import Callable

COLLECT_AFTER = 10_000
"""Objects between two looks for cycles; the default of 700 makes sixty of them while modules are imported."""


def run_in_own_process(command: Callable[[], int]) -> int:
    """Run a command to its exit code, with the collector of cycles spared.

    Nearly everything that a short command makes are functions and classes,
    which live to its end.  Going through them again and again, and once more
    when the interpreter ends, would take a sixth of a small GET's time.
    """
    gc.set_threshold(COLLECT_AFTER)
    try:
        return command()
    finally:
        gc.freeze()
