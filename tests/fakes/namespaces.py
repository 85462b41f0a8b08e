"""Run a piece of a test in a network namespace of its own, in this process (needs root)."""

import contextlib
import ctypes
import os
import subprocess

_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def in_new_namespace():
    """The calling thread is in a fresh network namespace, loopback up, until the block ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            if libc.setns(home, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(home)
