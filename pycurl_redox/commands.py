"""The doorways of the three commands, light enough that Ctrl-C finds them open: all imports happen inside.

An interrupt that comes before, while the interpreter starts (`site`) or while
the script that pip writes imports `re`, is Python's to show: nothing of ours
has run by then.  That is the first 20 ms, about.
"""

from __future__ import annotations

INTERRUPTED = 130
"""128 + SIGINT, what a shell shows for a command that Ctrl-C has ended."""


def end(code: int) -> int:
    """Return an exit code; after an interrupt end as the signal would have ended the process.

    A shell looks at how a command ended: behind one that exited by itself its script goes on.
    """
    if code == INTERRUPTED:
        import os
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return code


def look_elsewhere() -> None:
    """Take the script's own folder out of `sys.path`: a `tls.py` that others install there is not ours."""
    import os
    import sys

    if sys.path[:1] == [os.path.dirname(os.path.realpath(sys.argv[0]))]:
        del sys.path[0]


def curl() -> int:
    """Run `redox-curl`."""
    try:
        look_elsewhere()
        from pycurl_redox.cli import main

        return end(main())
    except KeyboardInterrupt:
        return end(INTERRUPTED)


def ping() -> int:
    """Run `redox-ping`."""
    try:
        look_elsewhere()
        from pycurl_redox.ping import main

        return end(main())
    except KeyboardInterrupt:
        return end(INTERRUPTED)


def netcfg() -> int:
    """Run `redox-netcfg`."""
    try:
        look_elsewhere()
        from pycurl_redox.netcfg import main

        return end(main())
    except KeyboardInterrupt:
        return end(INTERRUPTED)
