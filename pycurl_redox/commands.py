"""The doorways of the three commands, light enough that Ctrl-C finds them open: all imports happen inside."""

from __future__ import annotations

INTERRUPTED = 130
"""128 + SIGINT, what a shell shows for a command that Ctrl-C has ended."""


def curl() -> int:
    """Run `redox-curl`."""
    try:
        from pycurl_redox.cli import main

        return main()
    except KeyboardInterrupt:
        return INTERRUPTED


def ping() -> int:
    """Run `redox-ping`."""
    try:
        from pycurl_redox.ping import main

        return main()
    except KeyboardInterrupt:
        return INTERRUPTED


def netcfg() -> int:
    """Run `redox-netcfg`."""
    try:
        from pycurl_redox.netcfg import main

        return main()
    except KeyboardInterrupt:
        return INTERRUPTED
